// Tracks which numbers of a sequence have arrived, to find numbers that are duplicated, missing or
// out of order.
#pragma once

#include <cstdint>
#include <set>

namespace bench {

/** Numbers 0, 1, 2, ... that arrive roughly in order. Uses memory only for gaps. */
class Sequence {
 public:
  /** Records an arrival. @returns false if this number had arrived before */
  bool arrive(std::uint64_t number) {
    if (number != next_) return number > next_ && later_.insert(number).second;
    ++next_;
    while (!later_.empty() && *later_.begin() == next_) {
      later_.erase(later_.begin());
      ++next_;
    }
    return true;
  }

  bool hasArrived(std::uint64_t number) const {
    return number < next_ || later_.contains(number);
  }

  /** Number of distinct numbers that have arrived. */
  std::uint64_t count() const { return next_ + later_.size(); }

 private:
  /** Lowest number that has not arrived. */
  std::uint64_t next_ = 0;
  /** Arrived numbers above `next_`. */
  std::set<std::uint64_t> later_;
};

}  // namespace bench
