// A recorded day: what the scenario `mixed` plays, one line of a file a period.
//
//   # a comment
//   duration,connections,joins,pushes,broadcasts,burst
//   30s,400,20,100,10,0
//   1m,400,2,200,20,50
//
// The first line that is no comment names the columns, in any order. A column that is missing is 0
// in every period, but `duration` and `connections` must be there. Counts and times are written as
// on the command line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "clock.h"

namespace bench {

struct Period {
  Nanoseconds duration = 0;
  /** How many are there at its end; they come, or go, evenly from its start. */
  std::uint64_t connections = 0;
  /** Topics joined a second, beside those of the connections that come. */
  std::uint64_t joins = 0;
  /** Pushes a second, each of which has a reply. */
  std::uint64_t pushes = 0;
  std::uint64_t broadcasts = 0;
  /** Broadcasts that are all due at its start. */
  std::uint64_t burst = 0;
};

struct Day {
  std::vector<Period> periods;

  /** Connections that are there all day: as many as in its emptiest period. */
  std::uint64_t residents() const;
  /** Most connections at one time. */
  std::uint64_t peak() const;
  Nanoseconds duration() const;
};

/** Most periods of a day. */
inline constexpr std::size_t kMaxPeriods = 10'000;

/**
 * Reads a day.
 *
 * @param file its name, for errors
 * @throws OptionError that names file, line, what it must be and what it got: for an unknown, double
 *         or missing column, a bad value, another number of values than columns, no period, more than
 *         kMaxPeriods
 */
Day parseDay(std::string_view text, std::string_view file);

/** Reads a day from a file. @throws OptionError where it cannot be read, and as parseDay() */
Day readDay(const std::string& file);

/**
 * The same day in less time: all that happens in it, closer together.
 *
 * @param speed 1 to 1 000; rates are multiplied by it, durations divided
 */
Day playedAt(Day day, std::uint64_t speed);

}  // namespace bench
