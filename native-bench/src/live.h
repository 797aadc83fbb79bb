// The lines of --live: each holds one interval, added up from the threads once all have passed it.
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

/** What a run is about; a line of --live says it. */
enum class LivePhase { open, settle, warmup, measure, collect, close };

class Live {
 public:
  explicit Live(const Options& options) : options_(options) {}

  /**
   * Adds what one thread counted.
   *
   * @param joined connections joined by now
   * @returns the interval's line, without a line break, where this was the last thread's
   */
  std::optional<std::string> add(const IntervalPassed& passed, LivePhase phase,
                                 std::uint64_t joined);

 private:
  struct Interval {
    Window window;
    std::size_t threads = 0;
  };

  const Options& options_;
  /** Those that some threads have passed. */
  std::map<std::uint64_t, Interval> running_;
};

}  // namespace bench
