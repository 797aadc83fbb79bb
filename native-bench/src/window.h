// The figures of one measured period of time, over all threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "clock.h"
#include "histogram.h"
#include "tally.h"

namespace bench {

/** A measured period of time. CPU times are the times used within the window. */
struct Window {
  /** Sends per second; 0 if none were planned. */
  std::uint64_t ratePlanned = 0;
  std::uint64_t sent = 0;
  /** Number of messages that the sends of the window must cause. */
  std::uint64_t due = 0;
  /** Number of messages received within the window, whenever they were sent. */
  std::uint64_t received = 0;
  /** Time from the planned start until the last thread had finished. */
  Nanoseconds elapsed = 0;
  /** Time between the two readings of the CPU clocks, which also delimit `received`. */
  Nanoseconds cpuElapsed = 0;
  /** Total of all threads of the generator. */
  Nanoseconds generatorCpu = 0;
  /** Share of one core that the busiest thread of the generator used; at most 1. */
  double busiestShare = 0;
  /** CPU time of the server; absent without --server-pid. */
  std::optional<Nanoseconds> serverCpu;
  /** Time for which the server's threads were ready to run but had no core; absent if unknown. */
  std::optional<Nanoseconds> serverWait;
  /** Delay of each send of the window after its planned time. */
  Histogram lateness;
  /**
   * The highest p99 of any thread, so that many punctual threads do not hide a thread that lags.
   */
  Nanoseconds worstLateness = 0;
  /** Time from the planned time of each send of the window to each of its deliveries. */
  Histogram latency;
  Nanoseconds lastReceived = 0;

  /**
   * Adds the counts of one thread. Without --live, the thread's `received` is 0, and ours is set
   * later.
   */
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

  /** Adds a later window. Shares become the worst of both; `ratePlanned` does not change. */
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
  /** Returns the share of the due messages that arrived within the window; below 1 if the server lags. */
  double receivedShare() const {
    return due == 0 ? 1 : static_cast<double>(received) / static_cast<double>(due);
  }
  double rateReached() const { return elapsed == 0 ? 0 : static_cast<double>(sent) / seconds(); }
};

}  // namespace bench
