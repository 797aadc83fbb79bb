// SHA-1 (RFC 3174) and base64, for the check of Sec-WebSocket-Accept and nothing else.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace bench {

/** SHA-1 of some bytes. Broken for signatures; RFC 6455 §4.2.2 asks for it as a checksum. */
std::array<std::uint8_t, 20> sha1(std::string_view bytes);

/** Base64 with padding (RFC 4648 §4). */
std::string base64(std::string_view bytes);

}  // namespace bench
