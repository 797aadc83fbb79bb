// Every option of the command line, in one table: its unit, default, range and meaning.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "clock.h"
#include "day.h"
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

/** Options with every default filled in and every value checked. */
struct Options {
  std::string scenario;
  std::string url;
  /** Generator threads. */
  std::uint64_t threads = 1;
  std::uint64_t connections = 0;
  std::uint64_t topics = 0;
  /** What every topic begins with; its number follows. */
  std::string topicPrefix;
  /** Connections that stop reading once they are joined. */
  std::uint64_t deaf = 0;
  /** Connections that read `slowRate` bytes a second. */
  std::uint64_t slow = 0;
  std::uint64_t slowRate = 0;
  /** Zipf's exponent, of topics' readers and of the sends to them; 0: all alike. */
  double skew = 0;
  std::uint64_t rate = 0;
  std::uint64_t connectRate = 0;
  /** Sends gather at the beginning of each; 0 where they are evenly spaced. */
  Nanoseconds tick = 0;
  Nanoseconds duration = 0;
  Nanoseconds warmup = 0;
  Nanoseconds settle = 0;
  Nanoseconds deadline = 0;
  Nanoseconds heartbeat = 0;
  Nanoseconds maxLate = 0;
  std::uint64_t payloadBytes = 0;
  /** Bound of the search for the highest rate; 0 where the rate is given. */
  Nanoseconds searchP99 = 0;
  /** 0 where no server's figures are asked for. */
  std::uint64_t serverPid = 0;
  bool isJson = false;
  /** Between two lines of JSON during the run; 0 where there are none. */
  Nanoseconds live = 0;
  /** File for the percentiles; empty where there is none. */
  std::string hgrm;
  bool isHelp = false;
  /** In `mixed`: its file, how fast it is played, and what it is then. */
  std::string file;
  std::uint64_t speed = 1;
  Day day;
  std::string transportName = "websocket";
  std::string protocolName;
  const Protocol* protocol = &phoenixProtocol();
  Target target;
};

/** An option that cannot be used; `what()` is one line: subject, must, unit, got. */
class OptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/**
 * Reads the command line, without the program's name.
 *
 * @throws OptionError for an unknown name, a bad value, a host that is not this machine, or
 *         more connections than this process may hold descriptors
 */
Options parseOptions(std::span<const std::string_view> words);

/** A count such as 200, 10k or 2m, or nothing where `text` is none. */
std::optional<std::uint64_t> parseCount(std::string_view text);

/** A decimal number such as 2 or 1.05, or nothing where `text` is none. */
std::optional<double> parseNumber(std::string_view text);

/** A time with its unit, such as 500us, 500ms, 30s or 2m, or nothing where `text` is none. */
std::optional<Nanoseconds> parseDuration(std::string_view text);

/**
 * Reads a `ws://` URL, and adds what the protocol wants to its query where that has no such name.
 * For long-poll a path that ends with `/websocket` ends with `/longpoll`, as in Phoenix's client.
 *
 * @throws OptionError where its host is not this machine
 */
Target parseTarget(std::string_view url, const Protocol& protocol = phoenixProtocol(),
                   TransportKind transport = TransportKind::webSocket);

/**
 * The text of `--help`, and of `SCENARIO --help`; each fits a screen of 80 columns and 24 lines.
 *
 * @param scenario empty for the scenarios, and the options that all of them have
 */
std::string helpText(std::string_view scenario = {});

}  // namespace bench
