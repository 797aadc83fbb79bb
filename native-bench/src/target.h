// The target of the load: a URL on this machine, and the transport.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol.h"

namespace bench {

/** The transport that carries the frames of a connection. */
enum class TransportKind { webSocket, longPoll };

/** The target of the load, which is always on this machine. */
struct Target {
  TransportKind transport = TransportKind::webSocket;
  /** Host and port as given, for the `Host` header. */
  std::string host;
  /** Path and query, including the parameters that the protocol needs. */
  std::string path;
  /** IPv4 address in host byte order, within 127.0.0.0/8. */
  std::uint32_t address = 0;
  std::uint16_t port = 0;
};

/**
 * Parses a `ws://` URL and adds to its query the missing parameters that the protocol needs. For
 * long-poll, a `/websocket` at the end of the path becomes `/longpoll`, as in Phoenix's client.
 *
 * @throws OptionError if the URL is invalid or its host is not this machine
 */
Target parseTarget(std::string_view url, const Protocol& protocol = phoenixProtocol(),
                   TransportKind transport = TransportKind::webSocket);

}  // namespace bench
