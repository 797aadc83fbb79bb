// What a run found: the figures that the report is made of.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "clock.h"
#include "histogram.h"
#include "tally.h"

namespace bench {

/** One measured stretch of time. CPU times are those spent within it. */
struct Window {
  std::uint64_t ratePlanned = 0;
  std::uint64_t sent = 0;
  /** Messages that the sends of the window must lead to. */
  std::uint64_t due = 0;
  /** Messages received within the window, whenever they were sent. */
  std::uint64_t received = 0;
  Nanoseconds elapsed = 0;
  /** Of all threads of the generator. */
  Nanoseconds generatorCpu = 0;
  /** Share of one core that the busiest thread of the generator used; 1 at most. */
  double busiestShare = 0;
  /** Nothing without --server-pid. */
  std::optional<Nanoseconds> serverCpu;
  /** How long the server's threads were ready to run and had no core; nothing where unknown. */
  std::optional<Nanoseconds> serverWait;
  /** How much later than planned each send of the window left. */
  Histogram lateness;
  /** The p99 of the thread that was latest by it: one that lags is not hidden by many that do not. */
  Nanoseconds worstLateness = 0;
  /** From the planned time of each send of the window to each of its deliveries. */
  Histogram latency;

  /** Adds what one thread counted. */
  void add(const Tally& tally) {
    sent += tally.sent;
    due += tally.due;
    received += tally.received;
    busiestShare = std::max(busiestShare, tally.cpuShare());
    lateness.merge(tally.lateness);
    worstLateness = std::max(worstLateness, tally.lateness.quantile(0.99));
    latency.merge(tally.latency);
  }

  double seconds() const { return static_cast<double>(elapsed) / static_cast<double>(kSecond); }
  /** Share of the due messages that came within the window; less than 1 where the server lags. */
  double receivedShare() const {
    return due == 0 ? 1 : static_cast<double>(received) / static_cast<double>(due);
  }
  double rateReached() const { return elapsed == 0 ? 0 : static_cast<double>(sent) / seconds(); }
};

/** The server's memory (RssAnon + RssShmem), in bytes. */
struct ServerMemory {
  std::uint64_t beforeConnects = 0;
  /** When half of the connections were joined: what a server needs to get going is in it. */
  std::uint64_t atHalf = 0;
  std::uint64_t afterConnects = 0;
  /** Connections joined between the last two readings. */
  std::uint64_t connectionsSinceHalf = 0;

  /** Bytes of one more joined connection: the growth over the second half. */
  double perConnection() const {
    if (connectionsSinceHalf == 0) return 0;
    return (static_cast<double>(afterConnects) - static_cast<double>(atHalf)) /
           static_cast<double>(connectionsSinceHalf);
  }
};

/** All figures of a run. */
struct Figures {
  Window connects;
  /** Nothing in the scenario `connect`, whose figures are those of `connects`. */
  std::optional<Window> load;
  std::optional<ServerMemory> memory;
  std::uint64_t joined = 0;
  /** Of all threads. */
  Counts counts;
  /** What went wrong, one line each; empty after a good run. */
  std::vector<std::string> failures;

  const Window& primary() const { return load ? *load : connects; }
};

}  // namespace bench
