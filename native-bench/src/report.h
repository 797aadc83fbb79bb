// The report of a run, as text for people and as one line of JSON for scripts.
#pragma once

#include <optional>
#include <string>

#include "figures.h"
#include "options.h"

namespace bench {

/** The generator is the bottleneck if a thread uses more than this share of a core. */
inline constexpr double kMaxGeneratorShare = 0.9;
/** Share of the planned rate that must be reached. */
inline constexpr double kMinRateShare = 0.99;
/** The server has fallen behind if it delivers less than this share of the due messages. */
inline constexpr double kMinReceivedShare = 0.95;
/** The server is starved if it waits for a core for more than this share of the window. */
inline constexpr double kMaxServerWaitShare = 0.1;

/**
 * Returns the reason (CPU or lateness) why a thread of the generator distorts a window's latencies,
 * or nothing if no thread does.
 */
std::optional<std::string> hindranceOf(const Window& window, Nanoseconds maxLate);

/**
 * Returns the reason why a window's latencies would measure the generator rather than the server (a
 * hindrance, or a rate that was not reached), or nothing if they can be trusted.
 */
std::optional<std::string> bottleneckOf(const Window& window, Nanoseconds maxLate);

/** Reports whether the server fell behind; its CPU per message is then unreliable. */
bool isServerBehind(const Window& window);

/**
 * Reports whether the server had to wait for a core. Meanwhile messages accumulate and then leave in
 * fewer, larger batches, so its CPU per message is too low.
 */
bool isServerStarved(const Window& window);

/**
 * Returns, for `idle`, the server's CPU per second for each connection held, in microseconds;
 * nothing if the server was not measured.
 */
std::optional<double> idleCpuOf(const Options& options, const Figures& figures);

/** Returns the report for people, in several lines. */
std::string makeReport(const Options& options, const Figures& figures);

/** Returns the report for scripts: one JSON object without line breaks. */
std::string makeJson(const Options& options, const Figures& figures);

}  // namespace bench
