#include "options.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <variant>

#include "quantity.h"

namespace bench {

namespace {

struct ScenarioRow {
  std::string_view name;
  std::string_view connections;
  std::string_view rate;
  std::string_view about;
};

constexpr auto kScenarios = std::to_array<ScenarioRow>({
    {"connect", "2k", "1k", "opens and joins each connection once"},
    {"idle", "2k", "1", "holds joined connections, with heartbeats only"},
    {"echo", "200", "10k", "pushes messages and checks the replies"},
    {"fanout", "2k", "2k", "broadcasts to all members of a topic"},
    {"joins", "1k", "2k", "joins further topics and leaves them again"},
    {"reconnect", "2k", "1k", "resets all connections at once; they return"},
    {"mixed", "1", "1", "plays a recorded day that combines the above"},
});

using Field = std::variant<std::string Options::*, std::uint64_t Options::*,
                           Nanoseconds Options::*, double Options::*, bool Options::*>;

struct Row {
  std::string_view name;
  Field field;
  /**
   * Default value as on the command line; empty if there is none, `*` if it depends on the
   * scenario.
   */
  std::string_view fallback;
  /** Range of counts and times, as on the command line. */
  std::string_view min;
  std::string_view max;
  std::string_view unit;
  std::string_view about;
  /**
   * The scenarios that have the option; empty if all scenarios have it and `--help` therefore shows
   * it.
   */
  std::string_view scenarios = {};
};

constexpr std::string_view kCounted = "connect idle echo fanout joins reconnect";
constexpr std::string_view kAll = "connect idle echo fanout joins reconnect mixed";
constexpr std::string_view kSending = "echo fanout joins";
constexpr std::string_view kLoading = "idle echo fanout joins";
constexpr std::string_view kOpening = "idle echo fanout joins reconnect mixed";
constexpr std::string_view kByScenario = "*";

const auto kRows = std::to_array<Row>({
    {"url", &Options::url, "", "", "", "URL", "ws://127.0.0.1:PORT/PATH of the server; required"},
    {"threads", &Options::threads, "1", "1", "64", "threads", "that share the connections"},
    {"connections", &Options::connections, kByScenario, "1", "20k", "connections", "each joins one topic", kCounted},
    {"topics", &Options::topics, "100", "1", "20k", "topics", "must divide the connections unless skewed", "fanout joins mixed"},
    {"skew", &Options::skew, "0", "0", "4", "exponent", "Zipf's law for readers and sends of topics", "fanout"},
    {"slow", &Options::slow, "0", "0", "20k", "connections", "that read at --slow-rate once joined", "fanout"},
    {"slow-rate", &Options::slowRate, "10k", "100", "100m", "bytes/s", "read by each slow connection", "fanout"},
    {"deaf", &Options::deaf, "0", "0", "20k", "connections", "that stop reading once joined", "fanout"},
    {"rate", &Options::rate, kByScenario, "1", "10m", "per second", "planned sends in total", "connect echo fanout joins reconnect"},
    {"tick", &Options::tick, "0s", "0s", "10s", "time", "send in bursts, one per tick; 0s: evenly", kSending},
    {"connect-rate", &Options::connectRate, "2k", "1", "100k", "per second", "connections opened before the load", kOpening},
    {"duration", &Options::duration, "5s", "100ms", "60m", "time", "the measured window", kLoading},
    {"warmup", &Options::warmup, "2s", "0s", "10m", "time", "load before the window, not measured", kSending},
    {"settle", &Options::settle, "500ms", "0s", "10m", "time", "pause after the joins before reading memory", kAll},
    {"deadline", &Options::deadline, "10s", "100ms", "10m", "time", "longest wait for outstanding messages"},
    {"heartbeat", &Options::heartbeat, "30s", "100ms", "60m", "time", "between heartbeats of a connection", kAll},
    {"max-late", &Options::maxLate, "5ms", "1ms", "10s", "time", "show latencies up to this p99 lateness"},
    {"payload", &Options::payloadBytes, "64", "0", "1m", "bytes", "text in each payload", "echo fanout mixed"},
    {"file", &Options::file, "", "", "", "file", "the day (see days/*.csv); required", "mixed"},
    {"speed", &Options::speed, "1", "1", "1k", "times", "how many times as fast to play the day", "mixed"},
    {"search-p99", &Options::searchP99, "", "100us", "10s", "time", "find the highest rate with a p99 below", kSending},
    {"topic", &Options::topicPrefix, "bench:", "", "", "text", "prefix of topics; a number follows"},
    {"transport", &Options::transportName, "websocket", "", "", "name", "websocket or longpoll"},
    {"protocol", &Options::protocolName, "phoenix", "", "", "name", "phoenix or socket.io"},
    {"server-pid", &Options::serverPid, "", "1", "4194304", "process", "measure the CPU and memory of this process"},
    {"json", &Options::isJson, "", "", "", "", "one line of JSON on stdout, the report on stderr"},
    {"live", &Options::live, "", "100ms", "10m", "time", "with --json: interval of further JSON lines"},
    {"hgrm", &Options::hgrm, "", "", "", "file", "write latencies in HdrHistogram's text format"},
    {"help", &Options::isHelp, "", "", "", "", "show this, or the options of a scenario"},
});

[[noreturn]] void throwRange(const Row& row, std::string_view kind, std::string_view got) {
  throw OptionError(std::string(row.name) + " must be " + std::string(kind) + " from " +
                    std::string(row.min) + " to " + std::string(row.max) + " (" +
                    std::string(row.unit) + "), got " + std::string(got));
}

/** Parses a value and the ends of its range with `parse`. */
template <typename Value, typename Parse>
void setNumber(Value& field, const Row& row, std::string_view text, Parse parse,
               std::string_view kind) {
  const auto value = parse(text);
  if (!value || *value < *parse(row.min) || *value > *parse(row.max)) throwRange(row, kind, text);
  field = *value;
}

void setValue(Options& options, const Row& row, std::string_view text) {
  if (const auto* word = std::get_if<std::string Options::*>(&row.field)) {
    options.**word = text;
  } else if (const auto* count = std::get_if<std::uint64_t Options::*>(&row.field)) {
    setNumber(options.**count, row, text, parseCount, "an integer");
  } else if (const auto* time = std::get_if<Nanoseconds Options::*>(&row.field)) {
    setNumber(options.**time, row, text, parseDuration, "a time with its unit (us, ms, s, m)");
  } else if (const auto* number = std::get_if<double Options::*>(&row.field)) {
    setNumber(options.**number, row, text, parseNumber, "a number");
  }
}

const Row& rowNamed(std::string_view name) {
  const auto* row = std::find_if(kRows.begin(), kRows.end(),
                                 [name](const Row& candidate) { return candidate.name == name; });
  if (row == kRows.end()) throw OptionError("unknown option --" + std::string(name) + "; see --help");
  return *row;
}

std::string scenarioNames() {
  std::string names;
  for (const ScenarioRow& row : kScenarios) {
    names += names.empty() ? "" : ", ";
    names += row.name;
  }
  return names;
}

const ScenarioRow& scenarioNamed(std::string_view name) {
  const auto* row = std::find_if(kScenarios.begin(), kScenarios.end(),
                                 [name](const ScenarioRow& candidate) { return candidate.name == name; });
  if (row == kScenarios.end()) {
    throw OptionError("the scenario must be one of " + scenarioNames() + ", got " + quoted(name));
  }
  return *row;
}

TransportKind transportNamed(std::string_view name) {
  if (name == "websocket") return TransportKind::webSocket;
  if (name == "longpoll") return TransportKind::longPoll;
  throw OptionError("transport must be websocket or longpoll, got " + quoted(name));
}

std::string_view fallbackOf(const Row& row, const ScenarioRow& scenario) {
  if (row.fallback != kByScenario) return row.fallback;
  return row.name == "rate" ? scenario.rate : scenario.connections;
}

/** Reports whether an option is shown in the help of a scenario or in the overview. */
bool isShown(const Row& row, std::string_view scenario) {
  if (scenario.empty() || row.scenarios.empty()) return scenario.empty() && row.scenarios.empty();
  // Surrounded by blanks, so that only whole words match.
  const std::string words = " " + std::string(row.scenarios) + " ";
  return words.find(" " + std::string(scenario) + " ") != std::string::npos;
}

/** Rejects an option that would have no effect in the scenario. */
void checkBelongs(const Row& row, std::string_view scenario) {
  if (row.scenarios.empty() || isShown(row, scenario)) return;
  throw OptionError(std::string(scenario) + " has no option --" + std::string(row.name) + "; see " +
                    std::string(scenario) + " --help");
}

/**
 * Number of descriptors besides the connections: standard streams, epoll, timer, files of /proc.
 */
constexpr std::uint64_t kOwnDescriptors = 16;
/** Number of descriptors of each thread: epoll, timer, mailbox. */
constexpr std::uint64_t kThreadDescriptors = 3;

void checkDescriptors(const Options& options) {
  // Long-poll uses one TCP connection for polls and one for posts.
  const std::uint64_t each = options.target.transport == TransportKind::longPoll ? 2 : 1;
  const std::uint64_t own = kOwnDescriptors + kThreadDescriptors * options.threads;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (options.connections * each + own <= limit.rlim_cur) return;
  throw OptionError("connections must be at most " + std::to_string((limit.rlim_cur - own) / each) +
                    " here (this process may open " + std::to_string(limit.rlim_cur) +
                    " descriptors), got " + std::to_string(options.connections));
}

/** Checks that topics have equal numbers of slow and deaf members, and at least one reader each. */
void checkTopics(const Options& options) {
  if (options.scenario != "fanout") return;
  const auto check = [&options](const char* name, std::uint64_t value) {
    if (value % options.topics == 0) return;
    throw OptionError(std::string(name) + " must be a multiple of topics, got " +
                      std::to_string(value) + " and " + std::to_string(options.topics) + " topics");
  };
  check("slow", options.slow);
  check("deaf", options.deaf);
  if (options.slow + options.deaf + options.topics > options.connections) {
    throw OptionError("each topic must have a reader, got " + std::to_string(options.connections) +
                      " connections, " + std::to_string(options.slow) + " slow, " +
                      std::to_string(options.deaf) + " deaf and " +
                      std::to_string(options.topics) + " topics");
  }
  if (options.skew == 0 && options.connections % options.topics != 0) {
    throw OptionError("topics must divide connections evenly, got " + std::to_string(options.topics) +
                      " topics and " + std::to_string(options.connections) + " connections");
  }
}

void checkTransport(const Options& options) {
  if (options.target.transport == TransportKind::webSocket) return;
  if (options.protocol != &phoenixProtocol()) {
    throw OptionError("protocol must be phoenix over longpoll, got " + quoted(options.protocolName));
  }
  // A client that does not read would not poll either, so the server would drop it.
  if (options.deaf + options.slow > 0) {
    throw OptionError("slow and deaf must be 0 over longpoll, got " + std::to_string(options.slow) +
                      " and " + std::to_string(options.deaf));
  }
}

/**
 * Checks that scenarios that join further topics use Phoenix, the only protocol that supports this.
 */
void checkProtocol(const Options& options) {
  const bool hasMoreTopics = options.scenario == "joins" || options.scenario == "mixed";
  if (!hasMoreTopics || options.protocol == &phoenixProtocol()) return;
  throw OptionError("protocol must be phoenix in " + options.scenario + ", got " +
                    quoted(options.protocolName));
}

void readDayOf(Options& options) {
  if (options.scenario != "mixed") return;
  if (options.file.empty()) throw OptionError("mixed needs --file, a day to play");
  options.day = playedAt(readDay(options.file), options.speed);
  options.connections = options.day.peak();
}

void checkTogether(const Options& options) {
  checkTopics(options);
  checkTransport(options);
  checkProtocol(options);
  if (options.threads > options.connections) {
    throw OptionError("threads must be at most connections, got " + std::to_string(options.threads) +
                      " threads and " + std::to_string(options.connections) + " connections");
  }
  if (options.live > 0 && !options.isJson) throw OptionError("live must come with --json");
  checkDescriptors(options);
}

}  // namespace

Options parseOptions(std::span<const std::string_view> words) {
  Options options;
  if (words.empty() || std::find(words.begin(), words.end(), "--help") != words.end()) {
    options.isHelp = true;
    if (!words.empty() && words.front() != "--help") options.scenario = scenarioNamed(words.front()).name;
    return options;
  }
  const ScenarioRow& scenario = scenarioNamed(words.front());
  options.scenario = scenario.name;
  for (const Row& row : kRows) {
    if (const auto fallback = fallbackOf(row, scenario); !fallback.empty()) {
      setValue(options, row, fallback);
    }
  }
  for (std::size_t index = 1; index < words.size(); ++index) {
    if (!words[index].starts_with("--")) {
      throw OptionError("an option must begin with --, got " + quoted(words[index]));
    }
    const Row& row = rowNamed(words[index].substr(2));
    checkBelongs(row, scenario.name);
    if (const auto* flag = std::get_if<bool Options::*>(&row.field)) {
      options.**flag = true;
    } else if (++index < words.size()) {
      setValue(options, row, words[index]);
    } else {
      throw OptionError(std::string(row.name) + " must have a value");
    }
  }
  options.protocol = protocolNamed(options.protocolName);
  if (options.protocol == nullptr) {
    throw OptionError("protocol must be phoenix or socket.io, got " + quoted(options.protocolName));
  }
  options.target = parseTarget(options.url, *options.protocol, transportNamed(options.transportName));
  readDayOf(options);
  checkTogether(options);
  return options;
}

std::string helpText(std::string_view scenario) {
  std::string text;
  std::array<char, 160> line{};
  const auto add = [&text, &line](auto... parts) {
    std::snprintf(line.data(), line.size(), parts...);
    text += line.data();
  };
  if (scenario.empty()) {
    text = "native-bench SCENARIO --url ws://127.0.0.1:4000/socket/websocket [OPTIONS]\n";
    for (const ScenarioRow& row : kScenarios) add("  %-9s %s\n", row.name.data(), row.about.data());
    text += "Options of all scenarios (SCENARIO --help shows the others):\n";
  } else {
    add("native-bench %.*s: %s\n", static_cast<int>(scenario.size()), scenario.data(),
        scenarioNamed(scenario).about.data());
  }
  for (const Row& row : kRows) {
    if (!isShown(row, scenario)) continue;
    std::string_view fallback = row.fallback;
    if (fallback == kByScenario) fallback = fallbackOf(row, scenarioNamed(scenario));
    const std::string flag = "--" + std::string(row.name);
    const std::string shown = fallback.empty() ? "" : " (" + std::string(fallback) + ")";
    add("  %-14s %-11s %s%s\n", flag.c_str(), row.unit.data(), row.about.data(), shown.c_str());
  }
  return text + "Exit code: 0 if everything arrived once, 1 if not, 2 for a bad option.\n";
}

}  // namespace bench
