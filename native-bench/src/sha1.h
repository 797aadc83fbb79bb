// SHA-1 (RFC 3174) and base64, only for checking Sec-WebSocket-Accept.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace bench {

/** Returns the SHA-1 of bytes. Unsafe for signatures; RFC 6455 §4.2.2 requires it as a checksum. */
std::array<std::uint8_t, 20> sha1(std::string_view bytes);

/** Encodes bytes as base64 with padding (RFC 4648 §4). */
std::string base64(std::string_view bytes);

}  // namespace bench
