// A recorded day, which the scenario `mixed` plays: a file with one line a period.
//
//   # a comment
//   duration,connections,joins,pushes,broadcasts,burst
//   30s,400,20,100,10,0
//   1m,400,2,200,20,50
//
// The first line that is not a comment names the columns, in any order. `duration` and `connections`
// are required; a missing column is 0 in every period. Counts and times are written as on the
// command line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "clock.h"

namespace bench {

struct Period {
  Nanoseconds duration = 0;
  /** Connections present at its end; they come or go at an even rate from its start. */
  std::uint64_t connections = 0;
  /** Topics joined a second, besides those of the connections that come. */
  std::uint64_t joins = 0;
  /** Pushes a second, each of which has a reply. */
  std::uint64_t pushes = 0;
  std::uint64_t broadcasts = 0;
  /** Broadcasts that are all due at its start. */
  std::uint64_t burst = 0;
};

struct Day {
  std::vector<Period> periods;

  /** Connections present all day: as many as in the emptiest period. */
  std::uint64_t residents() const;
  /** Highest number of connections at a time. */
  std::uint64_t peak() const;
  Nanoseconds duration() const;
};

/** Maximum number of periods in a day. */
inline constexpr std::size_t kMaxPeriods = 10'000;

/**
 * Parses a day.
 *
 * @param file its name, for errors
 * @throws OptionError that names the file, the line, what was expected and what was found: for an
 *         unknown, repeated or missing column, a bad value, a number of values that differs from the
 *         number of columns, no period, or more than kMaxPeriods
 */
Day parseDay(std::string_view text, std::string_view file);

/** Reads a day from a file. @throws OptionError if it cannot be read, and as parseDay() does */
Day readDay(const std::string& file);

/**
 * Returns the same day compressed into less time.
 *
 * @param speed 1 to 1 000; rates are multiplied by it, durations divided
 */
Day playedAt(Day day, std::uint64_t speed);

}  // namespace bench
