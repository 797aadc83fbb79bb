#include "handshake.h"

#include "http-response.h"
#include "sha1.h"

namespace bench {

namespace {

/** Appended to the key before it is hashed (RFC 6455 §1.3). */
constexpr std::string_view kAcceptGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/**
 * Returns the value of a header, or an empty value if the header is missing; `name` is in lower
 * case.
 */
std::string_view headerValue(std::string_view response, std::string_view name) {
  std::size_t line = response.find("\r\n");
  while (line != std::string_view::npos) {
    line += 2;
    const std::size_t end = response.find("\r\n", line);
    const std::string_view text = response.substr(line, end - line);
    const std::size_t colon = text.find(':');
    if (colon != std::string_view::npos && lowered(text.substr(0, colon)) == name) {
      return trimmed(text.substr(colon + 1));
    }
    line = end;
  }
  return {};
}

}  // namespace

std::string makeUpgradeRequest(std::string_view host, std::string_view target,
                               std::string_view key) {
  std::string request;
  request.append("GET ").append(target).append(" HTTP/1.1\r\nHost: ").append(host);
  request.append("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ");
  request.append(key).append("\r\nSec-WebSocket-Version: 13\r\n\r\n");
  return request;
}

std::string acceptFor(std::string_view key) {
  const auto digest = sha1(std::string(key).append(kAcceptGuid));
  return base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::optional<std::string> checkUpgradeResponse(std::string_view response, std::string_view key) {
  const std::string_view status = response.substr(0, response.find("\r\n"));
  if (!status.starts_with("HTTP/1.1 101")) {
    return "the handshake was answered with " + std::string(status);
  }
  if (lowered(headerValue(response, "upgrade")) != "websocket") {
    return "the handshake response has no `Upgrade: websocket`";
  }
  if (lowered(headerValue(response, "connection")).find("upgrade") == std::string::npos) {
    return "the handshake response has no `Connection: Upgrade`";
  }
  const std::string_view accept = headerValue(response, "sec-websocket-accept");
  if (accept != acceptFor(key)) {
    return "Sec-WebSocket-Accept must be " + acceptFor(key) + ", got " + std::string(accept);
  }
  return std::nullopt;
}

}  // namespace bench
