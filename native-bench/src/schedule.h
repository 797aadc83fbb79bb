// Planned send times of an open loop: evenly spaced and fixed before the first send.
//
// Latency is measured from the PLANNED time, not from the actual send: if the server (or this
// program) stalls, the latencies of the messages that should have left meanwhile include their
// wait. A generator that waits for an answer before it sends again omits exactly these periods
// ("coordinated omission").
//
// With ticks, each send is planned for the beginning of the tick that it falls into, as if all
// clients shared a clock. The rate stays the same, and the sends of a tick leave together.
#pragma once

#include <cstdint>
#include <limits>

#include "clock.h"

namespace bench {

/** Plans send number `i` for `start + i * period / count`. Stores nothing per send. */
class Schedule {
 public:
  /** @param ratePerSecond sends per second, 1 to 10 million */
  Schedule(Nanoseconds start, std::uint64_t ratePerSecond)
      : Schedule(start, ratePerSecond, kSecond) {}

  /** @param count sends per `period` */
  Schedule(Nanoseconds start, std::uint64_t count, Nanoseconds period)
      : start_(start), count_(count), period_(static_cast<std::uint64_t>(period)) {}

  /**
   * Returns the same sends in ticks, the first of which starts with the schedule; 0 means no ticks.
   */
  Schedule inTicks(Nanoseconds tick) const {
    Schedule schedule = *this;
    schedule.tick_ = static_cast<std::uint64_t>(tick);
    return schedule;
  }

  /** Returns the planned time of send number `index`, rounded down to a nanosecond or a tick. */
  Nanoseconds plannedAt(std::uint64_t index) const {
    // Whole periods are added separately, so that products fit in 64 bits.
    const std::uint64_t rest = restAt(index % count_);
    const std::uint64_t even = index / count_ * period_ + rest;
    return start_ + static_cast<Nanoseconds>(tick_ == 0 ? even : even - even % tick_);
  }

 private:
  std::uint64_t restAt(std::uint64_t place) const {
    if (count_ <= std::numeric_limits<std::uint64_t>::max() / period_) return place * period_ / count_;
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>(static_cast<Wide>(place) * period_ / count_);
  }

  Nanoseconds start_;
  std::uint64_t count_;
  std::uint64_t period_;
  std::uint64_t tick_ = 0;
};

}  // namespace bench
