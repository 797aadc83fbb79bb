// Searches for the highest rate whose p99 stays below a bound: doubles the rate while it is good, then
// halves the distance between the highest good rate and the lowest bad one.
//
// A bad step is tried once more and counts only if it is bad again, because a shared machine may have
// a bad moment. A step is bad because of the server or because this program was the bottleneck. If
// the lowest bad step is of the second kind, the server may be able to do more, and the result is a
// lower bound.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "clock.h"
#include "window.h"

namespace bench {

/** What made a step bad. */
enum class Culprit { none, server, generator };

/** One rate that was tried. */
struct SearchStep {
  std::uint64_t rate = 0;
  double rateReached = 0;
  /** Absent if latencies were refused. */
  std::optional<Nanoseconds> p99;
  Culprit culprit = Culprit::none;
  /** Why it was bad, as text; empty if it was good. */
  std::string why;

  bool isGood() const { return culprit == Culprit::none; }
};

/**
 * Judges a window by its p99.
 *
 * @param bound the p99 must be below it
 * @param maxLate own p99 lateness above which latencies are refused; a lateness that reaches `bound`
 *        makes the step bad too
 */
SearchStep judge(const Window& window, Nanoseconds bound, Nanoseconds maxLate);

class Search {
 public:
  /** @param bound for the p99; @param rate the first to try, in sends a second */
  Search(Nanoseconds bound, std::uint64_t rate) : bound_(bound), next_(rate) {}

  /** The rate to try next; nothing when the search is over. */
  std::optional<std::uint64_t> next() const { return next_; }
  /** Records the result of trying `next`. */
  void add(const SearchStep& step);
  /** Ends the search with a step that broke the run. */
  void abandon(const SearchStep& step);

  Nanoseconds bound() const { return bound_; }
  const std::vector<SearchStep>& steps() const { return steps_; }
  /** The highest good rate; 0 if none was good. */
  std::uint64_t rate() const { return good_; }
  /** Reports whether this program, or the end of its range, kept the rate from being higher. */
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
