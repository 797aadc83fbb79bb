// Log-linear histogram of times: exact count, bounded relative error, fixed memory.
//
//   value in ns      0 .. 127        each value has a counter of its own
//                    128 .. 2^42-1   each power of two is cut into 128 equal counters
//
// So a reported value is at least the true one and at most 1/128 (0.8 %) above it. The
// range ends at 2^42 ns (73 minutes); what is beyond counts in the last counter, and
// `max` stays exact. 36 counters of 128, 36 KB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "clock.h"

namespace bench {

/** A value, and how many are not above it. */
struct Ranked {
  Nanoseconds value = 0;
  std::uint64_t count = 0;
};

class Histogram {
 public:
  static constexpr unsigned kPrecisionBits = 7;
  static constexpr unsigned kRangeBits = 42;
  /** The values below 128, and each power of two above. */
  static constexpr unsigned kPowers = kRangeBits - kPrecisionBits + 1;

  Histogram();

  /** Counts one value; a negative one counts as 0 (an early timer is not a gain). */
  void record(Nanoseconds value);

  /** Counts all that another has counted. */
  void merge(const Histogram& other);

  /**
   * Smallest counter edge that at least `fraction` of the values do not exceed.
   *
   * @param fraction 0 to 1; 0.5 is the median
   * @returns zeros where nothing was recorded
   */
  Ranked ranked(double fraction) const;
  Nanoseconds quantile(double fraction) const { return ranked(fraction).value; }

  std::uint64_t count() const { return count_; }
  /** Largest value recorded, exact; 0 where nothing was recorded. */
  Nanoseconds max() const { return static_cast<Nanoseconds>(max_); }
  /** Mean of all values, exact to rounding; 0 where nothing was recorded. */
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  /** Standard deviation, each value taken for the middle of its counter. */
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
