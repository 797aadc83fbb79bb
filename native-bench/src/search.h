// Search for the highest rate whose p99 stays below a bound: doubles the rate while it is good, then
// halves the distance between the highest good one and the lowest bad one.
//
// A bad step is tried once more, and counts where it is bad again: one bad moment of a shared machine is
// no limit. A step is bad because of the server, or because this program was the bottleneck. Where the lowest
// bad one is of the second kind the server may well do more: the result is a lower bound.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "clock.h"
#include "window.h"

namespace bench {

/** Who kept a step from being good. */
enum class Culprit { none, server, generator };

/** One rate that was tried. */
struct SearchStep {
  std::uint64_t rate = 0;
  double rateReached = 0;
  /** Nothing where latencies were refused. */
  std::optional<Nanoseconds> p99;
  Culprit culprit = Culprit::none;
  /** Why it was bad, in words; empty where it was good. */
  std::string why;

  bool isGood() const { return culprit == Culprit::none; }
};

/**
 * Judges a window by its p99.
 *
 * @param bound p99 must be below it
 * @param maxLate own p99 lateness that spoils latencies, as ever; here one at the bound does as well
 */
SearchStep judge(const Window& window, Nanoseconds bound, Nanoseconds maxLate);

class Search {
 public:
  /** @param bound for p99; @param rate the first to be tried, sends a second */
  Search(Nanoseconds bound, std::uint64_t rate) : bound_(bound), next_(rate) {}

  /** The rate to try next; nothing where the search is over. */
  std::optional<std::uint64_t> next() const { return next_; }
  /** Notes what came of `next`. */
  void add(const SearchStep& step);
  /** Ends the search with a step that broke the run. */
  void abandon(const SearchStep& step);

  Nanoseconds bound() const { return bound_; }
  const std::vector<SearchStep>& steps() const { return steps_; }
  /** The highest good rate; 0 where none was. */
  std::uint64_t rate() const { return good_; }
  /** Whether it was this program, or the end of its range, that kept the rate from being higher. */
  bool isLowerBound() const;

 private:
  Nanoseconds bound_;
  std::optional<std::uint64_t> next_;
  std::vector<SearchStep> steps_;
  /** The highest good rate and the lowest bad one; 0 where there is none. */
  std::uint64_t good_ = 0;
  std::uint64_t bad_ = 0;
  Culprit culprit_ = Culprit::none;
  bool isSecondTry_ = false;
};

}  // namespace bench
