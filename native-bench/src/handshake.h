// The opening handshake of a WebSocket client (RFC 6455 §4.1). Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bench {

/** Creates the upgrade request; `key` is the base64 of 16 random bytes. */
std::string makeUpgradeRequest(std::string_view host, std::string_view target,
                               std::string_view key);

/** Returns the Sec-WebSocket-Accept value that proves that a server has read `key`. */
std::string acceptFor(std::string_view key);

/**
 * Checks a response from its status line to the empty line.
 *
 * @returns the problem with the response, or nothing if the connection is now a WebSocket
 */
std::optional<std::string> checkUpgradeResponse(std::string_view response, std::string_view key);

}  // namespace bench
