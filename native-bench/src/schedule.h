// Planned send times of an open loop: evenly spaced, fixed before the first send.
//
// Latency counts from the PLAN, not from the send: when the server (or this program)
// stalls, the messages that should have left meanwhile are charged with their wait.
// A generator that waits for an answer before it sends again leaves out exactly the
// bad moments ("coordinated omission").
#pragma once

#include <cstdint>

#include "clock.h"

namespace bench {

/** Send number `i` is planned for `start + i * period / count`. Nothing is stored per send. */
class Schedule {
 public:
  /** @param ratePerSecond sends a second, 1 to 10 million */
  Schedule(Nanoseconds start, std::uint64_t ratePerSecond)
      : Schedule(start, ratePerSecond, kSecond) {}

  /** @param count sends in each `period`; the product with its nanoseconds must fit 64 bits */
  Schedule(Nanoseconds start, std::uint64_t count, Nanoseconds period)
      : start_(start), count_(count), period_(static_cast<std::uint64_t>(period)) {}

  /** Planned time of send number `index`, rounded down to a nanosecond. */
  Nanoseconds plannedAt(std::uint64_t index) const {
    // Whole periods apart from the rest, so that no product leaves 64 bits.
    const std::uint64_t rest = (index % count_) * period_ / count_;
    return start_ + static_cast<Nanoseconds>(index / count_ * period_ + rest);
  }

 private:
  Nanoseconds start_;
  std::uint64_t count_;
  std::uint64_t period_;
};

}  // namespace bench
