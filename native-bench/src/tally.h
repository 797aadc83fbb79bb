// What one thread counted over a stretch of time; handed to the coordinator whole, and added up.
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
  /** Joins and deliveries read, whenever they were sent; of an interval of --live only. */
  std::uint64_t received = 0;
  /** How much later than planned each send left. */
  Histogram lateness;
  /** From the planned time of each send to each of its deliveries. */
  Histogram latency;
  /** When the last delivery of those was read; 0 where none was. */
  Nanoseconds lastReceived = 0;
  /** CPU of the thread, within `elapsed`. */
  Nanoseconds cpu = 0;
  Nanoseconds elapsed = 0;

  /** Share of one core that the thread used. */
  double cpuShare() const {
    return elapsed == 0 ? 0 : static_cast<double>(cpu) / static_cast<double>(elapsed);
  }
};

/** What one thread counted over the whole run. */
struct Counts {
  /** Connections that have joined, each counted once, however often it came. */
  std::uint64_t joined = 0;
  /** Deliveries that the sends (warm-up included) owe to connections that read as they can. */
  std::uint64_t expected = 0;
  /** Those of them that arrived, each counted once. */
  std::uint64_t delivered = 0;
  std::uint64_t doubled = 0;
  /** Deliveries that came after a later one of the same sender. */
  std::uint64_t disordered = 0;
  std::uint64_t heartbeats = 0;
  /** Deaf and slow connections that the server closed by itself. */
  std::uint64_t deafClosed = 0;
  std::uint64_t slowClosed = 0;
  /** Deliveries to slow connections, and those owed to slow ones that the server did not close. */
  std::uint64_t slowDelivered = 0;
  std::uint64_t slowMissing = 0;

  /** Owed and not yet here. A delivery may come before this thread has counted it as owed. */
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
