#include "live.h"

#include <array>
#include <string_view>

#include "json-object.h"
#include "report.h"

namespace bench {

namespace {

/** Names of the phases, by LivePhase. */
constexpr std::array<std::string_view, 6> kPhaseNames{"open",    "settle",  "warmup",
                                                      "measure", "collect", "close"};

double microseconds(Nanoseconds time) { return static_cast<double>(time) / kMicrosecond; }

std::string latencyJson(const Window& window, Nanoseconds maxLate) {
  if (window.latency.count() == 0 || hindranceOf(window, maxLate)) return "null";
  return JsonObject()
      .number("p50", microseconds(window.latency.quantile(0.5)))
      .number("p90", microseconds(window.latency.quantile(0.9)))
      .number("p99", microseconds(window.latency.quantile(0.99)))
      .number("max", microseconds(window.latency.max()))
      .end();
}

}  // namespace

std::optional<std::string> Live::add(const IntervalPassed& passed, LivePhase phase,
                                     std::uint64_t joined) {
  Interval& interval = running_[passed.interval];
  interval.window.add(passed.tally);
  if (++interval.threads < options_.threads) return std::nullopt;
  const Window window = std::move(running_.extract(passed.interval).mapped().window);
  const auto end = static_cast<Nanoseconds>(passed.interval + 1) * options_.live;
  const std::string line =
      JsonObject()
          .text("phase", kPhaseNames[static_cast<std::size_t>(phase)])
          .number("seconds", static_cast<double>(end) / static_cast<double>(kSecond))
          .count("joined", joined)
          .count("sent", window.sent)
          .count("received", window.received)
          .raw("latencyUs", latencyJson(window, options_.maxLate))
          .number("latenessP99Us", microseconds(window.worstLateness))
          .number("generatorCpuShare", window.busiestShare)
          .end();
  return JsonObject().raw("live", line).end();
}

}  // namespace bench
