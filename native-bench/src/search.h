// Searches for the highest rate whose p99 stays below a bound: doubles the rate while it is good, then
// halves the distance between the highest good rate and the lowest bad one.
//
// A bad step is repeated and counts only if it is bad again, because a shared machine may have been
// busy for a moment. A step is bad because of the server or because this program was the
// bottleneck. If this program was the cause of the lowest bad step, the server may be able to
// handle more, and the result is a lower bound.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "clock.h"
#include "window.h"

namespace bench {

/** The cause of a bad step. */
enum class Culprit { none, server, generator };

/** One rate tried by the search. */
struct SearchStep {
  std::uint64_t rate = 0;
  double rateReached = 0;
  /** Absent if the latencies were rejected. */
  std::optional<Nanoseconds> p99;
  Culprit culprit = Culprit::none;
  /** The reason why the step was bad, as text; empty if it was good. */
  std::string why;

  bool isGood() const { return culprit == Culprit::none; }
};

/**
 * Judges a window by its p99.
 *
 * @param bound the bound that the p99 must stay below
 * @param maxLate lateness (p99) of this program above which latencies are rejected; a lateness that
 *        reaches `bound` also makes the step bad
 */
SearchStep judge(const Window& window, Nanoseconds bound, Nanoseconds maxLate);

class Search {
 public:
  /** @param bound the bound of the p99; @param rate the first rate to try, in sends per second */
  Search(Nanoseconds bound, std::uint64_t rate) : bound_(bound), next_(rate) {}

  /** The rate to try next, or nothing when the search is over. */
  std::optional<std::uint64_t> next() const { return next_; }
  /** Records the result of trying `next`. */
  void add(const SearchStep& step);
  /** Ends the search with a step that made the run fail. */
  void abandon(const SearchStep& step);

  Nanoseconds bound() const { return bound_; }
  const std::vector<SearchStep>& steps() const { return steps_; }
  /** The highest good rate; 0 if none was good. */
  std::uint64_t rate() const { return good_; }
  /** Reports whether the rate was limited by this program or by the end of its range. */
  bool isLowerBound() const;

 private:
  Nanoseconds bound_;
  std::optional<std::uint64_t> next_;
  std::vector<SearchStep> steps_;
  /** The highest good rate and the lowest bad one; 0 for none. */
  std::uint64_t good_ = 0;
  std::uint64_t bad_ = 0;
  Culprit culprit_ = Culprit::none;
  bool isSecondTry_ = false;
};

}  // namespace bench
