// The report of a run: a table for people, one line of JSON for scripts.
#pragma once

#include <optional>
#include <string>

#include "figures.h"
#include "options.h"

namespace bench {

/** Share of a core from which on the generator counts as the bottleneck. */
inline constexpr double kMaxGeneratorShare = 0.9;
/** Share of the planned rate that must have been reached. */
inline constexpr double kMinRateShare = 0.99;

/**
 * Says why a window's latencies would measure the generator rather than the server, or nothing
 * where they can be trusted.
 */
std::optional<std::string> bottleneckOf(const Window& window, Nanoseconds maxLate);

/** The report for people, several lines. */
std::string makeReport(const Options& options, const Figures& figures);

/** The report for scripts: one JSON object without line breaks. */
std::string makeJson(const Options& options, const Figures& figures);

}  // namespace bench
