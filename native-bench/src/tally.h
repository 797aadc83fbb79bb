// The counts of one thread during a window or a run. The coordinator adds them up.
#pragma once

#include <cstdint>

#include "clock.h"
#include "histogram.h"

namespace bench {

struct Tally {
  /** Number of sends that have left. */
  std::uint64_t sent = 0;
  /** Number of deliveries that those sends owe to the connections of the thread. */
  std::uint64_t due = 0;
  /** Joins and deliveries read, whenever they were sent. Used for intervals of --live only. */
  std::uint64_t received = 0;
  /** Delay of each send after its planned time. */
  Histogram lateness;
  /** Time from the planned time of each send to each of its deliveries. */
  Histogram latency;
  /** Time at which the last of those deliveries was read; 0 for none. */
  Nanoseconds lastReceived = 0;
  /** CPU time of the thread during `elapsed`. */
  Nanoseconds cpu = 0;
  Nanoseconds elapsed = 0;

  /** Returns the share of one core that the thread used. */
  double cpuShare() const {
    return elapsed == 0 ? 0 : static_cast<double>(cpu) / static_cast<double>(elapsed);
  }
};

/** The counts of one thread over the whole run. */
struct Counts {
  /** Number of connections that have joined, each counted once even if it joined several times. */
  std::uint64_t joined = 0;
  /** Deliveries that all sends, warm-up included, owe to connections that are neither slow nor deaf. */
  std::uint64_t expected = 0;
  /** Expected deliveries that have arrived, each counted once. */
  std::uint64_t delivered = 0;
  std::uint64_t doubled = 0;
  /** Deliveries that arrived after a later one of the same sender. */
  std::uint64_t disordered = 0;
  std::uint64_t heartbeats = 0;
  /** Deaf and slow connections that the server closed on its own. */
  std::uint64_t deafClosed = 0;
  std::uint64_t slowClosed = 0;
  /**
   * Number of deliveries to slow connections, and of missing deliveries to slow connections that
   * the server did not close.
   */
  std::uint64_t slowDelivered = 0;
  std::uint64_t slowMissing = 0;

  /**
   * Returns the number of owed deliveries that are missing. A delivery may arrive before this
   * thread counts it as owed.
   */
  std::uint64_t missing() const { return expected > delivered ? expected - delivered : 0; }
  void add(const Counts& other) {
    joined += other.joined;
    expected += other.expected;
    delivered += other.delivered;
    doubled += other.doubled;
    disordered += other.disordered;
    heartbeats += other.heartbeats;
    deafClosed += other.deafClosed;
    slowClosed += other.slowClosed;
    slowDelivered += other.slowDelivered;
    slowMissing += other.slowMissing;
  }
};

}  // namespace bench
