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

/** Send number `i` is planned for `start + i / rate`. Nothing is stored per send. */
class Schedule {
 public:
  /** @param ratePerSecond sends a second, 1 to 10 million */
  Schedule(Nanoseconds start, std::uint64_t ratePerSecond) : start_(start), rate_(ratePerSecond) {}

  /** Planned time of send number `index`, rounded down to a nanosecond. */
  Nanoseconds plannedAt(std::uint64_t index) const {
    // Whole seconds apart from the rest, so that no product leaves 64 bits.
    const std::uint64_t rest = (index % rate_) * kSecondUnsigned / rate_;
    return start_ + static_cast<Nanoseconds>(index / rate_ * kSecondUnsigned + rest);
  }

  /** How many sends are planned at or before `now`: those with an index below the result. */
  std::uint64_t dueBy(Nanoseconds now) const {
    if (now < start_) return 0;
    const auto elapsed = static_cast<std::uint64_t>(now - start_);
    const std::uint64_t whole = elapsed / kSecondUnsigned * rate_;
    std::uint64_t due = whole + (elapsed % kSecondUnsigned) * rate_ / kSecondUnsigned + 1;
    // plannedAt rounds down, so the next one may be due as well.
    if (plannedAt(due) <= now) ++due;
    return due;
  }

 private:
  static constexpr std::uint64_t kSecondUnsigned = 1'000'000'000;
  Nanoseconds start_;
  std::uint64_t rate_;
};

}  // namespace bench
