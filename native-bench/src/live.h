// The lines of --live: one per interval, summed over all threads once all of them have passed it.
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
   * Adds what one thread has counted.
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
  /** Intervals that some threads have passed, but not all. */
  std::map<std::uint64_t, Interval> running_;
};

}  // namespace bench
