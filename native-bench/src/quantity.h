// Parses numbers of the command line and of day files: counts, decimals, times. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "clock.h"

namespace bench {

/**
 * Splits `text` into a number and a suffix; returns nothing if the number is missing or above 10^9.
 */
std::optional<std::pair<std::uint64_t, std::string_view>> numberAndSuffix(std::string_view text);

/** Parses a count such as 200, 10k or 2m; returns nothing if `text` is not a count. */
std::optional<std::uint64_t> parseCount(std::string_view text);

/** Parses a decimal number such as 2 or 1.05; returns nothing if `text` is not a number. */
std::optional<double> parseNumber(std::string_view text);

/**
 * Parses a time with its unit, such as 500us, 500ms, 30s or 2m; returns nothing if `text` is not a
 * time.
 */
std::optional<Nanoseconds> parseDuration(std::string_view text);

}  // namespace bench
