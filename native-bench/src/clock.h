// The one clock of a run, in nanoseconds.
#pragma once

#include <chrono>
#include <cstdint>

namespace bench {

/** Nanoseconds: a length of time, or a point on the monotonic clock. */
using Nanoseconds = std::int64_t;

inline constexpr Nanoseconds kMicrosecond = 1'000;
inline constexpr Nanoseconds kMillisecond = 1'000'000;
inline constexpr Nanoseconds kSecond = 1'000'000'000;

/** Reads the monotonic clock (CLOCK_MONOTONIC, the clock of the loop's timer too). */
inline Nanoseconds monotonicNow() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace bench
