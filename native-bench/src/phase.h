// The orders that the coordinator gives to all threads, and the news that the threads report.
//
// An order is a plan that is the same for all threads. Each thread follows the plan independently
// and performs its own part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "clock.h"
#include "schedule.h"
#include "tally.h"

namespace bench {

/** Open the connections, each at its planned time. */
struct Open {
  Schedule schedule;
  Nanoseconds deadline = 0;
};

/** Start sending heartbeats; send nothing else until `end`. */
struct Settle {
  Nanoseconds end = 0;
};

/**
 * Perform the sends, each at its planned time. Their numbers continue those of the last such order.
 */
struct Load {
  Schedule schedule{0, 1};
  /** Number of sends that are due together at the start of the schedule; the rest follow it. */
  std::uint64_t burst = 0;
  std::uint64_t firstSend = 0;
  /** The first send of the window; earlier sends are the warm-up. */
  std::uint64_t firstMeasured = 0;
  std::uint64_t endSend = 0;
  Nanoseconds windowStart = 0;
  Nanoseconds windowEnd = 0;

  Nanoseconds plannedAt(std::uint64_t send) const {
    const std::uint64_t place = send - firstSend;
    return schedule.plannedAt(place < burst ? 0 : place - burst);
  }
  /** Reports whether a send may have left by now. No send leaves before its planned time. */
  bool hasLeft(std::uint64_t send, Nanoseconds now) const {
    return send < firstSend || (send < endSend && plannedAt(send) <= now);
  }
};

/** Reset all connections at once. */
struct Cut {
  Nanoseconds at = 0;
};

/** Wait for outstanding deliveries. */
struct Collect {
  Nanoseconds deadline = 0;
};

/** Close all connections and end the thread. */
struct Close {};

/** Abort the running phase. */
struct Stop {};

/** An order from the coordinator to a thread. */
using Order = std::variant<Open, Settle, Load, Cut, Collect, Close, Stop>;

/** The order has been carried out. */
struct Obeyed {
  /** Counts of the window to which the order belongs. */
  Tally tally;
  /** Counts of the run so far. */
  Counts counts;
  std::size_t thread = 0;
  Nanoseconds time = 0;
};

/** Half of all connections have joined. */
struct HalfJoined {};

/** An interval of --live has passed; intervals are numbered from 0. */
struct IntervalPassed {
  std::uint64_t interval = 0;
  Tally tally;
};

/** The run has failed. */
struct Failed {
  std::string reason;
};

/** The thread cannot continue. */
struct Broken {
  std::string reason;
};

/** News from a thread to the coordinator. */
using News = std::variant<Obeyed, HalfJoined, IntervalPassed, Failed, Broken>;

}  // namespace bench
