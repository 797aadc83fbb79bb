// Numbers of the command line and of scenario files: counts, decimals, times. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "clock.h"

namespace bench {

/** Digits at the start of `text`, and what follows them; nothing without, or above 10^9. */
std::optional<std::pair<std::uint64_t, std::string_view>> numberAndSuffix(std::string_view text);

/** A count such as 200, 10k or 2m, or nothing where `text` is none. */
std::optional<std::uint64_t> parseCount(std::string_view text);

/** A decimal number such as 2 or 1.05, or nothing where `text` is none. */
std::optional<double> parseNumber(std::string_view text);

/** A time with its unit, such as 500us, 500ms, 30s or 2m, or nothing where `text` is none. */
std::optional<Nanoseconds> parseDuration(std::string_view text);

}  // namespace bench
