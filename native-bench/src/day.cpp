#include "day.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <variant>

#include "http-response.h"
#include "option-error.h"
#include "quantity.h"

namespace bench {

namespace {

struct Column {
  std::string_view name;
  std::variant<std::uint64_t Period::*, Nanoseconds Period::*> field;
  /** The minimum, as written in the file. */
  std::string_view min;
  std::string_view max;
  std::string_view unit;
  bool isRequired;
};

constexpr std::array<Column, 6> kColumns{{
    {"duration", &Period::duration, "100ms", "60m", "time", true},
    {"connections", &Period::connections, "1", "20k", "connections", true},
    {"joins", &Period::joins, "0", "1m", "per second", false},
    {"pushes", &Period::pushes, "0", "1m", "per second", false},
    {"broadcasts", &Period::broadcasts, "0", "1m", "per second", false},
    {"burst", &Period::burst, "0", "100k", "broadcasts", false},
}};

/** The position of the parser, for errors. */
struct Place {
  std::string_view file;
  std::size_t line = 0;

  [[noreturn]] void fail(const std::string& trouble) const {
    throw OptionError(std::string(file) + ":" + std::to_string(line) + ": " + trouble);
  }
};

std::string columnNames() {
  std::string names;
  for (const Column& column : kColumns) names.append(names.empty() ? "" : ", ").append(column.name);
  return names;
}

std::vector<std::string_view> valuesOf(std::string_view line) {
  std::vector<std::string_view> values;
  for (;;) {
    const std::size_t comma = std::min(line.find(','), line.size());
    values.push_back(trimmed(line.substr(0, comma)));
    if (comma == line.size()) return values;
    line.remove_prefix(comma + 1);
  }
}

using Header = std::vector<const Column*>;

Header readHeader(std::string_view line, const Place& place) {
  Header header;
  for (const std::string_view name : valuesOf(line)) {
    const auto* column = std::find_if(kColumns.begin(), kColumns.end(), [name](const Column& candidate) {
      return candidate.name == name;
    });
    if (column == kColumns.end()) {
      place.fail("a column must be one of " + columnNames() + "; got " + std::string(name));
    }
    if (std::find(header.begin(), header.end(), column) != header.end()) {
      place.fail("a column must appear once, got " + std::string(name) + " twice");
    }
    header.push_back(column);
  }
  for (const Column& column : kColumns) {
    if (column.isRequired && std::find(header.begin(), header.end(), &column) == header.end()) {
      place.fail("the column " + std::string(column.name) + " is required, got " + std::string(line));
    }
  }
  return header;
}

std::optional<std::int64_t> readValue(const Column& column, std::string_view text) {
  if (std::holds_alternative<Nanoseconds Period::*>(column.field)) return parseDuration(text);
  const auto count = parseCount(text);
  return count ? std::optional(static_cast<std::int64_t>(*count)) : std::nullopt;
}

void setValue(Period& period, const Column& column, std::string_view text, const Place& place) {
  const auto value = readValue(column, text);
  const bool isTime = std::holds_alternative<Nanoseconds Period::*>(column.field);
  if (!value || *value < *readValue(column, column.min) || *value > *readValue(column, column.max)) {
    place.fail(std::string(column.name) + " must be " +
               (isTime ? "a time with its unit (ms, s, m) from " : "an integer from ") +
               std::string(column.min) + " to " + std::string(column.max) + " (" +
               std::string(column.unit) + "), got " + std::string(text));
  }
  if (isTime) {
    period.*std::get<Nanoseconds Period::*>(column.field) = *value;
  } else {
    period.*std::get<std::uint64_t Period::*>(column.field) = static_cast<std::uint64_t>(*value);
  }
}

Period readPeriod(std::string_view line, const Header& header, const Place& place) {
  const std::vector<std::string_view> values = valuesOf(line);
  if (values.size() != header.size()) {
    place.fail("a period must have " + std::to_string(header.size()) + " values, got " +
               std::to_string(values.size()) + ": " + std::string(line));
  }
  Period period;
  for (std::size_t index = 0; index < values.size(); ++index) {
    setValue(period, *header[index], values[index], place);
  }
  return period;
}

}  // namespace

std::uint64_t Day::residents() const {
  std::uint64_t fewest = peak();
  for (const Period& period : periods) fewest = std::min(fewest, period.connections);
  return fewest;
}

std::uint64_t Day::peak() const {
  std::uint64_t most = 0;
  for (const Period& period : periods) most = std::max(most, period.connections);
  return most;
}

Nanoseconds Day::duration() const {
  Nanoseconds sum = 0;
  for (const Period& period : periods) sum += period.duration;
  return sum;
}

Day parseDay(std::string_view text, std::string_view file) {
  Day day;
  Header header;
  Place place{file};
  while (!text.empty()) {
    ++place.line;
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = trimmed(text.substr(0, end));
    if (line.ends_with('\r')) line = trimmed(line.substr(0, line.size() - 1));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    if (header.empty()) {
      header = readHeader(line, place);
      continue;
    }
    day.periods.push_back(readPeriod(line, header, place));
    if (day.periods.size() > kMaxPeriods) {
      place.fail("a day must have at most " + std::to_string(kMaxPeriods) + " periods, got more");
    }
  }
  if (day.periods.empty()) place.fail("a day must have at least one period, got none");
  return day;
}

Day readDay(const std::string& file) {
  std::string text;
  try {
    std::ifstream stream;
    // A directory can be opened, but reading it fails.
    stream.exceptions(std::ios::failbit | std::ios::badbit);
    stream.open(file, std::ios::binary);
    text.assign(std::istreambuf_iterator<char>(stream), {});
  } catch (const std::ios_base::failure&) {
    throw OptionError("file must be a readable file (a day), got " + file);
  }
  return parseDay(text, file);
}

Day playedAt(Day day, std::uint64_t speed) {
  for (Period& period : day.periods) {
    period.duration /= static_cast<Nanoseconds>(speed);
    for (const auto rate : {&Period::joins, &Period::pushes, &Period::broadcasts}) {
      period.*rate *= speed;
    }
  }
  return day;
}

}  // namespace bench
