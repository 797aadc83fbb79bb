// The lines of --live: one per interval, with the sums of all threads, written once all threads
// have passed the interval.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "figures.h"
#include "options.h"
#include "phase.h"

namespace bench {

/** The phase that a run is in, as shown in a line of --live. */
enum class LivePhase { open, settle, warmup, measure, collect, close };

class Live {
 public:
  explicit Live(const Options& options) : options_(options) {}

  /**
   * Adds the counts of one thread.
   *
   * @param joined connections joined so far
   * @returns the interval's line without a line break, if this was the last thread
   */
  std::optional<std::string> add(const IntervalPassed& passed, LivePhase phase,
                                 std::uint64_t joined);

 private:
  struct Interval {
    Window window;
    std::size_t threads = 0;
  };

  const Options& options_;
  /** Intervals that some but not all threads have passed. */
  std::map<std::uint64_t, Interval> running_;
};

}  // namespace bench
