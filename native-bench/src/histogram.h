// Log-linear histogram of times: exact count, bounded relative error, fixed memory.
//
//   value in ns      0 .. 127        one counter per value
//                    128 .. 2^42-1   128 equal counters per power of two
//
// A reported value is never below the true one and at most 1/128 (0.8 %) above it. The range
// ends at 2^42 ns (73 minutes). Larger values go into the last counter, and `max` stays exact.
// 36 groups of 128 counters take 36 KB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "clock.h"

namespace bench {

/** A value, and the number of recorded values that do not exceed it. */
struct Ranked {
  Nanoseconds value = 0;
  std::uint64_t count = 0;
};

class Histogram {
 public:
  static constexpr unsigned kPrecisionBits = 7;
  static constexpr unsigned kRangeBits = 42;
  /**
   * Number of groups of counters: one for the values below 128, and one for each power of two
   * above.
   */
  static constexpr unsigned kPowers = kRangeBits - kPrecisionBits + 1;

  Histogram();

  /** Counts one value. A negative value (from a timer that fired early) counts as 0. */
  void record(Nanoseconds value);

  /** Adds the counts of another histogram. */
  void merge(const Histogram& other);

  /**
   * Returns the lowest counter edge that at least `fraction` of the values do not exceed.
   *
   * @param fraction 0 to 1; 0.5 is the median
   * @returns zeros if nothing was recorded
   */
  Ranked ranked(double fraction) const;
  Nanoseconds quantile(double fraction) const { return ranked(fraction).value; }

  std::uint64_t count() const { return count_; }
  /** Largest recorded value, exact; 0 if nothing was recorded. */
  Nanoseconds max() const { return static_cast<Nanoseconds>(max_); }
  /** Mean of all values, exact up to rounding; 0 if nothing was recorded. */
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  /** Standard deviation, taking each value as the midpoint of its counter. */
  double deviation() const;

 private:
  static std::size_t counterOf(std::uint64_t value);
  static std::uint64_t upperEdge(std::size_t counter);

  std::vector<std::uint64_t> counters_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace bench
