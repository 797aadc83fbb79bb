#include "report.h"

#include <array>
#include <cstdio>
#include <string_view>

#include "json-object.h"

namespace bench {

namespace {

constexpr std::string_view kMemoryKind = "RssAnon + RssShmem";

struct Quantile {
  const char* name;
  double fraction;
};
constexpr std::array<Quantile, 5> kQuantiles{
    {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"p9999", 0.9999}}};

template <typename... Parts>
std::string format(const char* form, Parts... parts) {
  std::array<char, 512> text{};
  std::snprintf(text.data(), text.size(), form, parts...);
  return text.data();
}

double microseconds(Nanoseconds time) { return static_cast<double>(time) / kMicrosecond; }

double perMessage(const Window& window) {
  if (!window.serverCpu || window.received == 0) return 0;
  return microseconds(*window.serverCpu) / static_cast<double>(window.received);
}

/** CPU time (or the wait for it) as a share of the window; 0 if unknown. */
double shareOf(const Window& window, std::optional<Nanoseconds> time) {
  if (!time || window.cpuElapsed == 0) return 0;
  return static_cast<double>(*time) / static_cast<double>(window.cpuElapsed);
}

std::string timesText(const Histogram& times) {
  std::string text;
  for (const auto& [name, fraction] : kQuantiles) {
    text += format("%s %.0f  ", name, microseconds(times.quantile(fraction)));
  }
  return text + format("max %.0f us", microseconds(times.max()));
}

std::string timesJson(const Histogram& times) {
  JsonObject object;
  for (const auto& [name, fraction] : kQuantiles) {
    object.number(name, microseconds(times.quantile(fraction)));
  }
  return object.number("max", microseconds(times.max()))
      .number("mean", times.mean() / kMicrosecond)
      .count("count", times.count())
      .end();
}

std::string windowJson(const Window& window, Nanoseconds maxLate) {
  JsonObject object;
  object.count("ratePlanned", window.ratePlanned)
      .number("rateReached", window.rateReached())
      .number("seconds", window.seconds())
      .count("sent", window.sent)
      .count("due", window.due)
      .count("received", window.received)
      .flag("isServerBehind", isServerBehind(window))
      .flag("isServerStarved", isServerStarved(window))
      .number("generatorCpuShare", window.busiestShare)
      .number("generatorCpuTotal", shareOf(window, window.generatorCpu))
      .raw("latenessUs", timesJson(window.lateness));
  if (window.serverCpu) {
    object.number("serverCpuShare", shareOf(window, window.serverCpu))
        .number("serverWaitShare", shareOf(window, window.serverWait))
        .number("serverCpuUsPerMessage", perMessage(window));
  }
  const auto bottleneck = bottleneckOf(window, maxLate);
  const bool isShown = !bottleneck && window.ratePlanned > 0;
  object.raw("latencyUs", isShown ? timesJson(window.latency) : "null");
  return object.raw("bottleneck", bottleneck ? jsonQuote(*bottleneck) : "null").end();
}

std::string memoryText(const ServerMemory& memory) {
  constexpr double kMegabyte = 1024.0 * 1024.0;
  return format("  memory     server %.1f MB before, %.1f MB at half, %.1f MB after the joins: "
                "%.0f B per additional connection (",
                static_cast<double>(memory.beforeConnects) / kMegabyte,
                static_cast<double>(memory.atHalf) / kMegabyte,
                static_cast<double>(memory.afterConnects) / kMegabyte, memory.perConnection()) +
         std::string(kMemoryKind) + ")\n";
}

std::string memoryJson(const ServerMemory& memory) {
  return JsonObject()
      .text("kind", kMemoryKind)
      .count("beforeBytes", memory.beforeConnects)
      .count("halfBytes", memory.atHalf)
      .count("afterBytes", memory.afterConnects)
      .number("bytesPerConnection", memory.perConnection())
      .end();
}

std::string idleJson(const Options& options, const Figures& figures) {
  const auto cpu = idleCpuOf(options, figures);
  return cpu ? JsonObject().number("cpuUsPerConnectionSecond", *cpu).end() : "null";
}

std::string searchText(const Search& search) {
  std::string text;
  for (const SearchStep& step : search.steps()) {
    text += format("  tried      %llu/s: ", static_cast<unsigned long long>(step.rate));
    text += step.isGood() ? format("good, p99 %.0f us", microseconds(step.p99.value_or(0))) : step.why;
    text += "\n";
  }
  text += format("  search     highest rate with a p99 below %.0f us: ", microseconds(search.bound()));
  text += search.rate() == 0 ? "none" : format("%llu/s", static_cast<unsigned long long>(search.rate()));
  return text + (search.isLowerBound() ? ", a lower bound: the generator ended the search\n"
                                       : "\n");
}

std::string searchJson(const Search& search) {
  std::string steps;
  for (const SearchStep& step : search.steps()) {
    steps += steps.empty() ? "" : ",";
    steps += JsonObject()
                 .count("rate", step.rate)
                 .number("rateReached", step.rateReached)
                 .raw("p99Us", step.p99 ? format("%.4f", microseconds(*step.p99)) : "null")
                 .flag("isGood", step.isGood())
                 .text("why", step.why)
                 .end();
  }
  return JsonObject()
      .count("rate", search.rate())
      .number("boundUs", microseconds(search.bound()))
      .flag("isLowerBound", search.isLowerBound())
      .raw("steps", "[" + steps + "]")
      .end();
}

/** The generator's CPU; with several threads, the CPU of the busiest thread comes first. */
std::string generatorText(const Options& options, const Window& window) {
  const std::string text = format("generator %.0f %% of a core", 100 * window.busiestShare);
  if (options.threads == 1) return text;
  return text + format(" in the busiest of %llu threads, %.0f %% in all",
                       static_cast<unsigned long long>(options.threads),
                       100 * shareOf(window, window.generatorCpu));
}

std::string reconnectJson(const Figures& figures) {
  if (!figures.untilAllBack) return "null";
  const double seconds = static_cast<double>(*figures.untilAllBack) / kSecond;
  return JsonObject().number("secondsUntilAllBack", seconds).end();
}

/** One line per period; times in us. */
std::string periodsText(const Options& options, const Figures& figures) {
  std::string text = "  period  connections   planned/s   reached/s        p50        p99  server CPU\n";
  for (std::size_t index = 0; index < figures.periods.size(); ++index) {
    const PeriodFigures& period = figures.periods[index];
    const Window& window = period.window;
    text += format("  %6zu %12llu %11.1f %11.1f", index + 1,
                   static_cast<unsigned long long>(period.connections), period.ratePlanned,
                   window.rateReached());
    if (bottleneckOf(window, options.maxLate)) {
      text += "   refused    refused";
    } else {
      text += format(" %10.0f %10.0f", microseconds(window.latency.quantile(0.5)),
                     microseconds(window.latency.quantile(0.99)));
    }
    text += window.serverCpu ? format(" %9.1f %%\n", 100 * shareOf(window, window.serverCpu)) : "\n";
  }
  return text;
}

std::string periodsJson(const Options& options, const Figures& figures) {
  std::string periods;
  for (const PeriodFigures& period : figures.periods) {
    periods += periods.empty() ? "" : ",";
    periods += JsonObject()
                   .count("connections", period.connections)
                   .number("ratePlanned", period.ratePlanned)
                   .raw("window", windowJson(period.window, options.maxLate))
                   .end();
  }
  return "[" + periods + "]";
}

std::string windowText(const Options& options, const Window& window) {
  std::string text;
  if (window.ratePlanned > 0) {
    text = format("  rate       planned %llu/s, reached %.0f/s over %.2f s\n",
                  static_cast<unsigned long long>(window.ratePlanned), window.rateReached(),
                  window.seconds());
    text += "  late       " + timesText(window.lateness) + "  (of the generator)\n";
    const auto bottleneck = bottleneckOf(window, options.maxLate);
    text += "  latency    ";
    text += bottleneck ? "not shown: " + *bottleneck : timesText(window.latency);
    text += "\n";
  }
  text += "  cpu        " + generatorText(options, window);
  if (window.serverCpu) {
    text += format("; server %.0f %%", 100 * shareOf(window, window.serverCpu));
  }
  if (window.serverCpu && window.received > 0) {
    text += format(", %.2f us per message (%llu received)", perMessage(window),
                   static_cast<unsigned long long>(window.received));
  }
  text += "\n";
  if (isServerBehind(window)) {
    text += format("  behind     the server fell behind: %.0f %% of the due messages arrived in the window\n",
                   100 * window.receivedShare());
  }
  if (isServerStarved(window)) {
    text += format("  starved    the server was ready but had no core for %.0f %% of the window\n",
                   100 * shareOf(window, window.serverWait));
  }
  return text;
}

}  // namespace

bool isServerStarved(const Window& window) {
  return shareOf(window, window.serverWait) > kMaxServerWaitShare;
}

bool isServerBehind(const Window& window) { return window.receivedShare() < kMinReceivedShare; }

std::optional<std::string> hindranceOf(const Window& window, Nanoseconds maxLate) {
  if (window.busiestShare > kMaxGeneratorShare) {
    return format("the generator was the bottleneck: it used %.0f %% of a core (limit %.0f %%)",
                  100 * window.busiestShare, 100 * kMaxGeneratorShare);
  }
  if (window.worstLateness > maxLate) {
    return format("the generator was the bottleneck: p99 of its own lateness was %.1f ms (limit %.1f ms)",
                  microseconds(window.worstLateness) / 1000, microseconds(maxLate) / 1000);
  }
  return std::nullopt;
}

std::optional<std::string> bottleneckOf(const Window& window, Nanoseconds maxLate) {
  if (auto hindrance = hindranceOf(window, maxLate)) return hindrance;
  if (window.ratePlanned == 0) return std::nullopt;
  const double share = window.rateReached() / static_cast<double>(window.ratePlanned);
  if (share < kMinRateShare) {
    return format("only %.1f %% of the planned rate was reached (limit %.0f %%)", 100 * share,
                  100 * kMinRateShare);
  }
  return std::nullopt;
}

std::optional<double> idleCpuOf(const Options& options, const Figures& figures) {
  if (options.scenario != "idle" || !figures.load || !figures.load->serverCpu) return std::nullopt;
  if (figures.joined == 0 || figures.load->cpuElapsed == 0) return std::nullopt;
  return microseconds(*figures.load->serverCpu) / static_cast<double>(figures.joined) /
         (static_cast<double>(figures.load->cpuElapsed) / kSecond);
}

std::string makeReport(const Options& options, const Figures& figures) {
  std::string text = format("%s: %llu of %llu connections joined, ", options.scenario.c_str(),
                            static_cast<unsigned long long>(figures.joined),
                            static_cast<unsigned long long>(options.connections)) +
                     options.url + "\n";
  text += windowText(options, figures.primary());
  text += format("  delivered  %llu of %llu, missing %llu, doubled %llu, out of order %llu\n",
                 static_cast<unsigned long long>(figures.counts.delivered),
                 static_cast<unsigned long long>(figures.counts.expected),
                 static_cast<unsigned long long>(figures.counts.missing()),
                 static_cast<unsigned long long>(figures.counts.doubled),
                 static_cast<unsigned long long>(figures.counts.disordered));
  if (options.slow > 0) {
    text += format("  slow       %llu connections read %llu B/s; the server closed %llu of them; "
                   "%llu deliveries to them, missing %llu\n",
                   static_cast<unsigned long long>(options.slow),
                   static_cast<unsigned long long>(options.slowRate),
                   static_cast<unsigned long long>(figures.counts.slowClosed),
                   static_cast<unsigned long long>(figures.counts.slowDelivered),
                   static_cast<unsigned long long>(figures.counts.slowMissing));
  }
  if (options.deaf > 0) {
    text += format("  deaf       %llu connections read nothing; the server closed %llu of them\n",
                   static_cast<unsigned long long>(options.deaf),
                   static_cast<unsigned long long>(figures.counts.deafClosed));
  }
  if (const auto cpu = idleCpuOf(options, figures)) {
    text += format("  idle       %.2f us of server CPU per second for each connection held\n", *cpu);
  }
  if (figures.untilAllBack) {
    text += format("  back       all connections had joined again %.2f s after the cut\n",
                   static_cast<double>(*figures.untilAllBack) / kSecond);
  }
  if (!figures.periods.empty()) text += periodsText(options, figures);
  if (figures.search) text += searchText(*figures.search);
  if (figures.memory) text += memoryText(*figures.memory);
  for (const std::string& failure : figures.failures) text += "  FAILED     " + failure + "\n";
  return text;
}

std::string makeJson(const Options& options, const Figures& figures) {
  JsonObject object;
  object.text("scenario", options.scenario)
      .text("protocol", options.protocol->name())
      .count("connections", options.connections)
      .count("threads", options.threads)
      .count("joined", figures.joined)
      .raw("window", windowJson(figures.primary(), options.maxLate))
      .count("expected", figures.counts.expected)
      .count("delivered", figures.counts.delivered)
      .count("missing", figures.counts.missing())
      .count("doubled", figures.counts.doubled)
      .count("disordered", figures.counts.disordered)
      .count("heartbeats", figures.counts.heartbeats)
      .count("slow", options.slow)
      .count("slowClosed", figures.counts.slowClosed)
      .count("slowDelivered", figures.counts.slowDelivered)
      .count("slowMissing", figures.counts.slowMissing)
      .count("deaf", options.deaf)
      .count("deafClosed", figures.counts.deafClosed)
      .raw("memory", figures.memory ? memoryJson(*figures.memory) : "null")
      .text("transport", options.transportName)
      .raw("idle", idleJson(options, figures))
      .raw("search", figures.search ? searchJson(*figures.search) : "null")
      .raw("reconnect", reconnectJson(figures))
      .raw("periods", figures.periods.empty() ? "null" : periodsJson(options, figures));
  std::string failures;
  for (const std::string& failure : figures.failures) {
    failures += (failures.empty() ? "" : ",") + jsonQuote(failure);
  }
  return object.raw("failures", "[" + failures + "]").end();
}

}  // namespace bench
