// What a run found: the figures that the report is made of.
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
  /** When half of the connections were joined: what a server needs to get going is in it. */
  std::uint64_t atHalf = 0;
  std::uint64_t afterConnects = 0;
  /** Connections joined between the last two readings. */
  std::uint64_t connectionsSinceHalf = 0;

  /** Bytes of one more joined connection: the growth over the second half. */
  double perConnection() const {
    if (connectionsSinceHalf == 0) return 0;
    return (static_cast<double>(afterConnects) - static_cast<double>(atHalf)) /
           static_cast<double>(connectionsSinceHalf);
  }
};

/** A period of a day. */
struct PeriodFigures {
  /** Connections that are to be there at its end. */
  std::uint64_t connections = 0;
  /** Sends a second; of slow days it is no whole number. */
  double ratePlanned = 0;
  Window window;
};

/** All figures of a run. */
struct Figures {
  Window connects;
  /** Nothing in the scenario `connect`, whose figures are those of `connects`. */
  std::optional<Window> load;
  /** With a search: `load` is its best step, or the first where none was good. */
  std::optional<Search> search;
  /** In the scenario `reconnect`: from the cut until the last was joined again. */
  std::optional<Nanoseconds> untilAllBack;
  /** In the scenario `mixed`; `load` is all of them together. */
  std::vector<PeriodFigures> periods;
  std::optional<ServerMemory> memory;
  std::uint64_t joined = 0;
  /** Of all threads. */
  Counts counts;
  /** What went wrong, one line each; empty after a good run. */
  std::vector<std::string> failures;

  const Window& primary() const { return load ? *load : connects; }
};

}  // namespace bench
