#include "target.h"

#include <algorithm>
#include <optional>

#include "option-error.h"
#include "quantity.h"

namespace bench {

namespace {

/** Parses an address such as 127.0.0.1 into host byte order. */
std::optional<std::uint32_t> parseAddress(std::string_view host) {
  if (host == "localhost") return 0x7F000001;
  std::uint32_t address = 0;
  for (int part = 0; part < 4; ++part) {
    const auto split = numberAndSuffix(host);
    if (!split || split->first > 255) return std::nullopt;
    address = address << 8 | static_cast<std::uint32_t>(split->first);
    host = split->second;
    if (part < 3) {
      if (!host.starts_with('.')) return std::nullopt;
      host.remove_prefix(1);
    }
  }
  return host.empty() ? std::optional(address) : std::nullopt;
}

/** Turns `/socket/websocket?a=b` into `/socket/longpoll?a=b`. */
void askForLongPoll(std::string& path) {
  constexpr std::string_view kWebSocket = "/websocket";
  const std::size_t end = std::min(path.find('?'), path.size());
  if (!std::string_view(path).substr(0, end).ends_with(kWebSocket)) return;
  path.replace(end - kWebSocket.size(), kWebSocket.size(), "/longpoll");
}

/** Adds each `name=value` whose name is not in the path's query yet. */
void addToQuery(std::string& path, std::string_view query) {
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    if (path.find(part.substr(0, part.find('=') + 1)) == std::string::npos) {
      path.append(path.find('?') == std::string::npos ? "?" : "&").append(part);
    }
    query.remove_prefix(std::min(part.size() + 1, query.size()));
  }
}

}  // namespace

Target parseTarget(std::string_view url, const Protocol& protocol, TransportKind transport) {
  constexpr std::string_view kScheme = "ws://";
  if (!url.starts_with(kScheme)) {
    throw OptionError("url must begin with ws:// (URL), got " + quoted(url));
  }
  const std::string_view rest = url.substr(kScheme.size());
  const std::size_t pathStart = std::min(rest.find_first_of("/?"), rest.size());
  const std::string_view host = rest.substr(0, pathStart);
  const std::size_t colon = std::min(host.rfind(':'), host.size());
  const auto address = parseAddress(host.substr(0, colon));
  if (!address || *address >> 24 != 127) {
    throw OptionError("load goes to this machine only: the host of url must be localhost or "
                      "127.x.x.x, got " + quoted(host.substr(0, colon)));
  }
  const std::string_view portText = colon < host.size() ? host.substr(colon + 1) : "80";
  const auto port = numberAndSuffix(portText);
  if (!port || !port->second.empty() || port->first < 1 || port->first > 65535) {
    throw OptionError("the port of url must be an integer from 1 to 65535, got " + quoted(portText));
  }
  std::string path(rest.substr(pathStart));
  if (!path.starts_with('/')) path.insert(0, "/");
  if (transport == TransportKind::longPoll) askForLongPoll(path);
  addToQuery(path, protocol.query());
  return {transport, std::string(host), path, *address, static_cast<std::uint16_t>(port->first)};
}

}  // namespace bench
