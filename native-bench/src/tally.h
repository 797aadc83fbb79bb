// What one thread has counted during a window or a run. The coordinator adds these up.
#pragma once

#include <cstdint>

#include "clock.h"
#include "histogram.h"

namespace bench {

struct Tally {
  /** Sends that left. */
  std::uint64_t sent = 0;
  /** Deliveries that those sends owe to the connections of the thread. */
  std::uint64_t due = 0;
  /** Joins and deliveries read, whenever they were sent. Used for intervals of --live only. */
  std::uint64_t received = 0;
  /** How much later than planned each send left. */
  Histogram lateness;
  /** From the planned time of each send to each of its deliveries. */
  Histogram latency;
  /** When the last of those deliveries was read; 0 for none. */
  Nanoseconds lastReceived = 0;
  /** CPU time of the thread during `elapsed`. */
  Nanoseconds cpu = 0;
  Nanoseconds elapsed = 0;

  /** Returns the share of one core that the thread used. */
  double cpuShare() const {
    return elapsed == 0 ? 0 : static_cast<double>(cpu) / static_cast<double>(elapsed);
  }
};

/** What one thread has counted over the whole run. */
struct Counts {
  /** Connections that have joined, each counted once however often it has joined. */
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
  /** Deliveries to slow connections, and missing ones to those that the server did not close. */
  std::uint64_t slowDelivered = 0;
  std::uint64_t slowMissing = 0;

  /** Returns the owed deliveries still missing. One may arrive before this thread counts it as owed. */
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
