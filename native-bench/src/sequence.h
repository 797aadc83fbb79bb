// Which numbers of a sequence have arrived: finds what is doubled, missing, out of order.
#pragma once

#include <cstdint>
#include <set>

namespace bench {

/** Numbers 0, 1, 2, ... that arrive about in order. Costs memory only for gaps. */
class Sequence {
 public:
  /** Notes an arrival. @returns false where this number had arrived before */
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

  /** How many have arrived, each counted once. */
  std::uint64_t count() const { return next_ + later_.size(); }

 private:
  /** Lowest number that has not arrived; all below have. */
  std::uint64_t next_ = 0;
  /** Arrived numbers above `next_`. */
  std::set<std::uint64_t> later_;
};

}  // namespace bench
