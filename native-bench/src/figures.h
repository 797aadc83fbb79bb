// The figures of a run, from which the report is created.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "search.h"
#include "tally.h"
#include "window.h"

namespace bench {

/** The server's memory (RssAnon + RssShmem), in bytes. */
struct ServerMemory {
  std::uint64_t beforeConnects = 0;
  /** Memory when half of the connections had joined; includes the server's one-time costs. */
  std::uint64_t atHalf = 0;
  std::uint64_t afterConnects = 0;
  /** Connections joined between the last two readings. */
  std::uint64_t connectionsSinceHalf = 0;

  /** Bytes per additional joined connection: the growth over the second half. */
  double perConnection() const {
    if (connectionsSinceHalf == 0) return 0;
    return (static_cast<double>(afterConnects) - static_cast<double>(atHalf)) /
           static_cast<double>(connectionsSinceHalf);
  }
};

/** A period of a day. */
struct PeriodFigures {
  /** Connections planned to be present at the end of the period. */
  std::uint64_t connections = 0;
  /** Sends per second; may be a fraction if the day is slow. */
  double ratePlanned = 0;
  Window window;
};

/** All figures of a run. */
struct Figures {
  Window connects;
  /** Absent in the scenario `connect`, whose figures are in `connects`. */
  std::optional<Window> load;
  /**
   * Present with a search. `load` is then the best step of the search, or the first step if none
   * was good.
   */
  std::optional<Search> search;
  /** Time in the scenario `reconnect` from the cut until the last connection had joined again. */
  std::optional<Nanoseconds> untilAllBack;
  /** Figures of each period in the scenario `mixed`; `load` is their total. */
  std::vector<PeriodFigures> periods;
  std::optional<ServerMemory> memory;
  std::uint64_t joined = 0;
  /** Total of all threads. */
  Counts counts;
  /** The failures of the run, one line each; empty after a good run. */
  std::vector<std::string> failures;

  const Window& primary() const { return load ? *load : connects; }
};

}  // namespace bench
