// The plan of a day: what each number of it is, and who does it. Pure, and the same in every thread.
//
// All that happens in a period is numbered together: first its burst, which is due at its start, then
// the rest, evenly spaced. Of the rest each kind is even as well: of 300 pushes and 100 joins about
// every fourth is a join.
//
// The first `residents` connections are there all day. The others are its visitors, who take turns:
// who came first goes first, and may come again later. So a visit is as long as it can be.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "day.h"

namespace bench {

enum class Deed { come, go, join, push, broadcast };

struct Step {
  Deed deed = Deed::push;
  /** How many of its kind were before it, all day. */
  std::uint64_t turn = 0;
};

class DayPlan {
 public:
  static constexpr std::size_t kDeeds = 5;

  /** A period, by its numbers. */
  struct Part {
    std::uint64_t first = 0;
    std::uint64_t burst = 0;
    /** By Deed, without the burst. */
    std::array<std::uint64_t, kDeeds> counts{};
    /** By Deed: how many were before the period. */
    std::array<std::uint64_t, kDeeds> before{};

    /** What is evenly spaced. */
    std::uint64_t even() const;
    std::uint64_t end() const { return first + burst + even(); }
  };

  /** @throws OptionError where a period holds more than 2^31 deeds */
  explicit DayPlan(const Day& day);

  std::size_t residents() const { return residents_; }
  /** In the order of the day's periods. */
  const std::vector<Part>& parts() const { return parts_; }

  /** What number `index` of the day is; it must be below the end of the last part. */
  Step stepOf(std::uint64_t index) const;
  /** The visitor who comes, or goes, at that turn: from `residents` on. */
  std::size_t visitorOf(std::uint64_t turn) const { return residents_ + turn % visitors_; }

 private:
  const std::size_t residents_;
  /** 1 at least, so that it may divide. */
  const std::size_t visitors_;
  std::vector<Part> parts_;
};

}  // namespace bench
