// One measured stretch of time, of all threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "clock.h"
#include "histogram.h"
#include "tally.h"

namespace bench {

/** CPU times are those spent within it. */
struct Window {
  /** Sends a second; 0 where none were planned. */
  std::uint64_t ratePlanned = 0;
  std::uint64_t sent = 0;
  /** Messages that the sends of the window must lead to. */
  std::uint64_t due = 0;
  /** Messages received within the window, whenever they were sent. */
  std::uint64_t received = 0;
  /** From the planned beginning until the last thread had done what was planned. */
  Nanoseconds elapsed = 0;
  /** Between the two readings of all CPU clocks; `received` is counted between them as well. */
  Nanoseconds cpuElapsed = 0;
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
  Nanoseconds lastReceived = 0;

  /** Adds what one thread counted; of a window `received` is no part of that. */
  void add(const Tally& tally) {
    sent += tally.sent;
    due += tally.due;
    received += tally.received;
    busiestShare = std::max(busiestShare, tally.cpuShare());
    lateness.merge(tally.lateness);
    worstLateness = std::max(worstLateness, tally.lateness.quantile(0.99));
    latency.merge(tally.latency);
    lastReceived = std::max(lastReceived, tally.lastReceived);
  }

  /** Adds a window that followed; what is a share or a rate stays the worst of both, or unset. */
  void add(const Window& next) {
    sent += next.sent;
    due += next.due;
    received += next.received;
    elapsed += next.elapsed;
    cpuElapsed += next.cpuElapsed;
    generatorCpu += next.generatorCpu;
    busiestShare = std::max(busiestShare, next.busiestShare);
    if (next.serverCpu) serverCpu = serverCpu.value_or(0) + *next.serverCpu;
    if (next.serverWait) serverWait = serverWait.value_or(0) + *next.serverWait;
    lateness.merge(next.lateness);
    worstLateness = std::max(worstLateness, next.worstLateness);
    latency.merge(next.latency);
    lastReceived = std::max(lastReceived, next.lastReceived);
  }

  double seconds() const { return static_cast<double>(elapsed) / static_cast<double>(kSecond); }
  /** Share of the due messages that came within the window; less than 1 where the server lags. */
  double receivedShare() const {
    return due == 0 ? 1 : static_cast<double>(received) / static_cast<double>(due);
  }
  double rateReached() const { return elapsed == 0 ? 0 : static_cast<double>(sent) / seconds(); }
};

}  // namespace bench
