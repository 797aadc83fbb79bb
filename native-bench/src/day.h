// A recorded day for the scenario `mixed`: a file with one line per period.
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
  /**
   * Connections present at the end of the period; from its start, they arrive or leave at an even
   * rate.
   */
  std::uint64_t connections = 0;
  /** Topics joined per second, in addition to the topics of arriving connections. */
  std::uint64_t joins = 0;
  /** Pushes per second, each of which has a reply. */
  std::uint64_t pushes = 0;
  std::uint64_t broadcasts = 0;
  /** Broadcasts that are all due at the start of the period. */
  std::uint64_t burst = 0;
};

struct Day {
  std::vector<Period> periods;

  /** Number of connections present all day, which is the number in the emptiest period. */
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
 * @param file the file's name, for errors
 * @throws OptionError with the file, the line, the expected and the actual text, for an unknown,
 *         repeated or missing column, a bad value, a number of values that differs from the number
 *         of columns, no periods, or more than kMaxPeriods
 */
Day parseDay(std::string_view text, std::string_view file);

/**
 * Reads a day from a file. @throws OptionError if the file cannot be read, and whenever parseDay()
 * does
 */
Day readDay(const std::string& file);

/**
 * Returns the same day compressed into less time.
 *
 * @param speed 1 to 1 000; rates are multiplied by the speed, and durations divided by it
 */
Day playedAt(Day day, std::uint64_t speed);

}  // namespace bench
