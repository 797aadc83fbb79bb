// The command line, defined by one table of options with their units, defaults, ranges and
// meanings.
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

/** The options, checked and with all defaults filled in. */
struct Options {
  std::string scenario;
  std::string url;
  /** Number of generator threads. */
  std::uint64_t threads = 1;
  std::uint64_t connections = 0;
  std::uint64_t topics = 0;
  /** Prefix of all topics; the topic's number follows. */
  std::string topicPrefix;
  /** Number of connections that stop reading once they are joined. */
  std::uint64_t deaf = 0;
  /** Number of connections that read only `slowRate` bytes per second. */
  std::uint64_t slow = 0;
  std::uint64_t slowRate = 0;
  /** Zipf's exponent for the readers and the sends of topics; 0 if all topics are alike. */
  double skew = 0;
  std::uint64_t rate = 0;
  std::uint64_t connectRate = 0;
  /** Interval whose sends all leave at its beginning; 0 if sends are evenly spaced. */
  Nanoseconds tick = 0;
  Nanoseconds duration = 0;
  Nanoseconds warmup = 0;
  Nanoseconds settle = 0;
  Nanoseconds deadline = 0;
  Nanoseconds heartbeat = 0;
  Nanoseconds maxLate = 0;
  std::uint64_t payloadBytes = 0;
  /** p99 bound of the search for the highest rate; 0 without a search. */
  Nanoseconds searchP99 = 0;
  /** 0 if the server's CPU and memory are not measured. */
  std::uint64_t serverPid = 0;
  bool isJson = false;
  /** Interval of the JSON lines during the run; 0 for none. */
  Nanoseconds live = 0;
  /** File for the percentiles; empty for none. */
  std::string hgrm;
  bool isHelp = false;
  /** In `mixed`: the file, the speed at which it is played, and the day at that speed. */
  std::string file;
  std::uint64_t speed = 1;
  Day day;
  std::string transportName = "websocket";
  std::string protocolName;
  const Protocol* protocol = &phoenixProtocol();
  Target target;
};

/**
 * Parses the command line, without the program's name.
 *
 * @throws OptionError for an unknown name, a bad value, a host other than this machine, or more
 *         connections than this process may have descriptors
 */
Options parseOptions(std::span<const std::string_view> words);

/**
 * Returns the text of `--help` or `SCENARIO --help`. Each text fits on a screen of 80 columns and
 * 24 lines.
 *
 * @param scenario empty for the list of scenarios and the options that they share
 */
std::string helpText(std::string_view scenario = {});

}  // namespace bench
