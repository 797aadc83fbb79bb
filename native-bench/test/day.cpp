#include "../src/day.h"

#include <string>

#include "../src/options.h"
#include "check.h"

using namespace bench;

namespace {

std::string errorOf(std::string_view text) {
  try {
    parseDay(text, "my.csv");
  } catch (const OptionError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST("reads a day: columns in any order, missing ones are 0, comments and empty lines are skipped") {
  const Day day = parseDay(
      "# mine\r\n\nconnections, duration,burst\r\n 400 ,30s, 7\n\n# lunch\n20,2m,0", "my.csv");
  CHECK(day.periods.size() == 2);
  CHECK(day.periods[0].connections == 400 && day.periods[0].duration == 30 * kSecond);
  CHECK(day.periods[0].burst == 7 && day.periods[0].pushes == 0);
  CHECK(day.periods[1].connections == 20 && day.periods[1].duration == 120 * kSecond);
  CHECK(day.residents() == 20 && day.peak() == 400 && day.duration() == 150 * kSecond);
}

TEST("errors name file, line, what was expected and what was found") {
  const std::string head = "# mine\nduration,connections,pushes\n";
  CHECK(errorOf(head + "30s,400,1k") == "no error");
  CHECK(errorOf(head + "\n30,400,1") ==
        "my.csv:4: duration must be a time with its unit (ms, s, m) from 100ms to 60m (time), got 30");
  CHECK(errorOf(head + "30s,0,1") ==
        "my.csv:3: connections must be an integer from 1 to 20k (connections), got 0");
  CHECK(errorOf(head + "30s,1,1\n30s,1,x") ==
        "my.csv:4: pushes must be an integer from 0 to 1m (per second), got x");
  CHECK(errorOf(head + "30s,1") == "my.csv:3: a period must have 3 values, got 2: 30s,1");
  CHECK(errorOf(head) == "my.csv:2: a day must have at least one period, got none");
  CHECK(errorOf("duration,connexions") ==
        "my.csv:1: a column must be one of duration, connections, joins, pushes, broadcasts, burst; "
        "got connexions");
  CHECK(errorOf("duration,duration") == "my.csv:1: a column must appear once, got duration twice");
  CHECK(errorOf("duration,pushes") ==
        "my.csv:1: the column connections is required, got duration,pushes");
  std::string endless = head;
  for (std::size_t line = 0; line <= kMaxPeriods; ++line) endless += "1s,1,1\n";
  CHECK(errorOf(endless) == "my.csv:10003: a day must have at most 10000 periods, got more");
}

TEST("a file that cannot be read is named in the error") {
  for (const auto file : {"no-such-day.csv", "/"}) {
    std::string error;
    try {
      readDay(file);
    } catch (const OptionError& caught) {
      error = caught.what();
    }
    CHECK(error == "file must be a readable file (a day), got " + std::string(file));
  }
}

TEST("the example can be read, and has the same actions when played faster") {
  const Day day = readDay("days/office-day.csv");
  const Day fast = playedAt(day, 60);
  CHECK(day.periods.size() == 9 && day.duration() == 540 * kSecond && fast.duration() == 9 * kSecond);
  CHECK(fast.residents() == day.residents() && fast.periods[1].joins == 60 * day.periods[1].joins);
  CHECK(fast.periods[3].pushes == 600 && fast.periods[3].broadcasts == 240 && fast.periods[3].burst == 20);
}
