#include "day-plan.h"

#include <algorithm>
#include <numeric>

#include "options.h"

namespace bench {

namespace {

constexpr std::uint64_t kMaxActions = std::uint64_t{1} << 31;

std::uint64_t during(std::uint64_t ratePerSecond, Nanoseconds time) {
  // Computed in whole milliseconds, so that 10 million per second for an hour do not overflow.
  return ratePerSecond * static_cast<std::uint64_t>(time / kMillisecond) / 1'000;
}

std::size_t indexOf(Action action) { return static_cast<std::size_t>(action); }

}  // namespace

std::uint64_t DayPlan::Part::even() const {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

DayPlan::DayPlan(const Day& day)
    : residents_(day.residents()), visitors_(std::max<std::size_t>(day.peak() - residents_, 1)) {
  std::uint64_t there = residents_;
  Part part;
  for (const Period& period : day.periods) {
    const std::uint64_t then = period.connections;
    part.burst = period.burst;
    part.counts = {then > there ? then - there : 0, there > then ? there - then : 0,
                   during(period.joins, period.duration), during(period.pushes, period.duration),
                   during(period.broadcasts, period.duration)};
    if (part.even() > kMaxActions) {
      throw OptionError("a period must hold at most " + std::to_string(kMaxActions) +
                        " sends (its rates by its duration), got " + std::to_string(part.even()));
    }
    parts_.push_back(part);
    part.first = part.end();
    for (std::size_t action = 0; action < kActions; ++action) part.before[action] += part.counts[action];
    part.before[indexOf(Action::broadcast)] += part.burst;
    there = then;
  }
}

Step DayPlan::stepOf(std::uint64_t index) const {
  const auto next = std::upper_bound(
      parts_.begin(), parts_.end(), index,
      [](std::uint64_t number, const Part& part) { return number < part.first; });
  const Part& part = *std::prev(next);
  const std::uint64_t place = index - part.first;
  const std::uint64_t burst = part.before[indexOf(Action::broadcast)];
  if (place < part.burst) return {Action::broadcast, burst + place};
  // One kind after the other receives its share, rounded down, of the remaining places.
  std::uint64_t at = place - part.burst;
  std::uint64_t left = part.even();
  for (std::size_t action = 0; action + 1 < kActions; ++action) {
    const std::uint64_t count = part.counts[action];
    const std::uint64_t taken = at * count / left;
    if ((at + 1) * count / left > taken) return {static_cast<Action>(action), part.before[action] + taken};
    at -= taken;
    left -= count;
  }
  return {Action::broadcast, burst + part.burst + at};
}

}  // namespace bench
