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
/** Share of the due messages below which the server counts as fallen behind. */
inline constexpr double kMinReceivedShare = 0.95;
/** Share of the window's time that the server may wait for a core and still count as unhindered. */
inline constexpr double kMaxServerWaitShare = 0.1;

/**
 * Says what of any thread of the generator (its CPU, its lateness) spoils a window's latencies, or
 * nothing where nothing does.
 */
std::optional<std::string> hindranceOf(const Window& window, Nanoseconds maxLate);

/**
 * Says why a window's latencies would measure the generator rather than the server, or nothing
 * where they can be trusted: a hindrance, or a rate that was not reached.
 */
std::optional<std::string> bottleneckOf(const Window& window, Nanoseconds maxLate);

/** Whether the server answered less than was asked for: its CPU per message is then a guess. */
bool isServerBehind(const Window& window);

/**
 * Whether the machine was too busy for the server: it waited for a core, meanwhile messages
 * gathered, and it then sent them in fewer, larger batches. Its CPU per message is too low.
 */
bool isServerStarved(const Window& window);

/**
 * In `idle`: microseconds of the server's CPU that each connection held costs a second; nothing
 * where the server was not measured.
 */
std::optional<double> idleCpuOf(const Options& options, const Figures& figures);

/** The report for people, several lines. */
std::string makeReport(const Options& options, const Figures& figures);

/** The report for scripts: one JSON object without line breaks. */
std::string makeJson(const Options& options, const Figures& figures);

}  // namespace bench
