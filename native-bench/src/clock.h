// The monotonic clock that times everything in a run, in nanoseconds.
#pragma once

#include <chrono>
#include <cstdint>

namespace bench {

/** A duration, or a point on the monotonic clock. */
using Nanoseconds = std::int64_t;

inline constexpr Nanoseconds kMicrosecond = 1'000;
inline constexpr Nanoseconds kMillisecond = 1'000'000;
inline constexpr Nanoseconds kSecond = 1'000'000'000;

/** Reads CLOCK_MONOTONIC, which the event loop's timer uses too. */
inline Nanoseconds monotonicNow() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace bench
