// Every option of the command line, in one table: its unit, default, range and meaning.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "clock.h"
#include "day.h"
#include "option-error.h"
#include "protocol.h"
#include "target.h"

namespace bench {

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

/**
 * Reads the command line, without the program's name.
 *
 * @throws OptionError for an unknown name, a bad value, a host that is not this machine, or
 *         more connections than this process may hold descriptors
 */
Options parseOptions(std::span<const std::string_view> words);

/**
 * The text of `--help`, and of `SCENARIO --help`; each fits a screen of 80 columns and 24 lines.
 *
 * @param scenario empty for the scenarios, and the options that all of them have
 */
std::string helpText(std::string_view scenario = {});

}  // namespace bench
