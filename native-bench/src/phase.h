// What the coordinator tells all threads to do next, and what they tell it.
//
// An order is a plan, the same for all: each thread walks it alone, and does what is its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "clock.h"
#include "schedule.h"
#include "tally.h"

namespace bench {

/** Connections open, each at its planned time. */
struct Open {
  Schedule schedule;
  Nanoseconds deadline = 0;
};

/** From now on heartbeats are sent; until `end` nothing else. */
struct Settle {
  Nanoseconds end = 0;
};

/** Sends leave, each at its planned time. Numbers go on where the last such order ended. */
struct Load {
  Schedule schedule{0, 1};
  /** The first so many are due together, at the schedule's start; the others follow it. */
  std::uint64_t burst = 0;
  std::uint64_t firstSend = 0;
  /** The window's first; those before it warm up. */
  std::uint64_t firstMeasured = 0;
  std::uint64_t endSend = 0;
  Nanoseconds windowStart = 0;
  Nanoseconds windowEnd = 0;

  Nanoseconds plannedAt(std::uint64_t send) const {
    const std::uint64_t place = send - firstSend;
    return schedule.plannedAt(place < burst ? 0 : place - burst);
  }
  /** Whether a send can have left by now: none leaves before its time. */
  bool hasLeft(std::uint64_t send, Nanoseconds now) const {
    return send < firstSend || (send < endSend && plannedAt(send) <= now);
  }
};

/** All connections are cut, by resets, at one time. */
struct Cut {
  Nanoseconds at = 0;
};

/** What is outstanding is waited for. */
struct Collect {
  Nanoseconds deadline = 0;
};

/** All connections close; the thread ends. */
struct Close {};

/** The phase that runs ends where it is. */
struct Stop {};

/** What the coordinator tells a thread. */
using Order = std::variant<Open, Settle, Load, Cut, Collect, Close, Stop>;

/** An order is done. */
struct Obeyed {
  /** Of the window that the order was part of. */
  Tally tally;
  /** Of the run so far. */
  Counts counts;
  std::size_t thread = 0;
  Nanoseconds time = 0;
};

/** Half of all connections are joined. */
struct HalfJoined {};

/** An interval of --live has passed: the first is 0. */
struct IntervalPassed {
  std::uint64_t interval = 0;
  Tally tally;
};

/** The run is bad. */
struct Failed {
  std::string reason;
};

/** The thread cannot go on. */
struct Broken {
  std::string reason;
};

/** What a thread tells the coordinator. */
using News = std::variant<Obeyed, HalfJoined, IntervalPassed, Failed, Broken>;

}  // namespace bench
