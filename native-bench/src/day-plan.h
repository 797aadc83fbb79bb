// The plan of a day, which maps numbers to actions and to the connections that perform them. Pure,
// and the same in every thread.
//
// The actions of a period share one numbering: first its burst, which is due at its start, then the
// rest, evenly spaced. Within the rest, each kind of action is evenly spaced too: with 300 pushes
// and 100 joins, about every fourth action is a join.
//
// The first `residents` connections are present all day. The others are visitors, which take turns:
// the visitor that arrived first leaves first, and may return later. Visits are therefore as long
// as possible.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "day.h"

namespace bench {

enum class Action { come, go, join, push, broadcast };

struct Step {
  Action action = Action::push;
  /** Number of earlier actions of the same kind in the day. */
  std::uint64_t turn = 0;
};

class DayPlan {
 public:
  static constexpr std::size_t kActions = 5;

  /** The numbers of a period. */
  struct Part {
    std::uint64_t first = 0;
    std::uint64_t burst = 0;
    /** Number of actions by Action, excluding the burst. */
    std::array<std::uint64_t, kActions> counts{};
    /** Number of earlier actions in the day, by Action. */
    std::array<std::uint64_t, kActions> before{};

    /** Number of actions that are evenly spaced. */
    std::uint64_t even() const;
    std::uint64_t end() const { return first + burst + even(); }
  };

  /** @throws OptionError if a period has more than 2^31 actions */
  explicit DayPlan(const Day& day);

  std::size_t residents() const { return residents_; }
  /** The parts, in the order of the day's periods. */
  const std::vector<Part>& parts() const { return parts_; }

  /** Returns the action with number `index`, which must be below the end of the last part. */
  Step stepOf(std::uint64_t index) const;
  /** Returns the connection of the `turn`-th arrival or departure. */
  std::size_t visitorOf(std::uint64_t turn) const { return residents_ + turn % visitors_; }

 private:
  const std::size_t residents_;
  /** At least 1, because the number is used as a divisor. */
  const std::size_t visitors_;
  std::vector<Part> parts_;
};

}  // namespace bench
