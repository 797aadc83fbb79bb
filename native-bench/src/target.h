// Where the load goes: a URL of this machine, and what carries the frames.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol.h"

namespace bench {

/** What carries the frames of a connection. */
enum class TransportKind { webSocket, longPoll };

/** Where the load goes: always this machine. */
struct Target {
  TransportKind transport = TransportKind::webSocket;
  /** Host and port as given, for the `Host` header. */
  std::string host;
  /** Path and query, with what the protocol wants in it. */
  std::string path;
  /** IPv4 address in host byte order, within 127.0.0.0/8. */
  std::uint32_t address = 0;
  std::uint16_t port = 0;
};

/**
 * Reads a `ws://` URL, and adds what the protocol wants to its query where that has no such name.
 * For long-poll a path that ends with `/websocket` ends with `/longpoll`, as in Phoenix's client.
 *
 * @throws OptionError where its host is not this machine
 */
Target parseTarget(std::string_view url, const Protocol& protocol = phoenixProtocol(),
                   TransportKind transport = TransportKind::webSocket);

}  // namespace bench
