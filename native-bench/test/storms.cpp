// Whole runs with several threads against a minimal Phoenix server: storms and days.
#include <algorithm>
#include <string>
#include <string_view>

#include "../src/day-plan.h"
#include "../src/report.h"
#include "../src/run.h"
#include "check.h"
#include "phoenix-server.h"

using namespace bench;
using test::Fault;
using test::PhoenixServer;

namespace {

/** Two visitors arrive, leave and return. Connections 0 and 1 are residents, 2 and 3 visitors. */
constexpr std::string_view kDay =
    "duration,connections,joins,pushes,broadcasts,burst\n"
    "250ms,4,20,40,40,3\n"
    "250ms,2,20,40,40,0\n"
    "250ms,4,20,40,40,5\n";

Options optionsOf(const char* scenario, const PhoenixServer& server) {
  Options options;
  options.scenario = scenario;
  options.target = server.target();
  options.threads = 2;
  options.connections = 6;
  options.topics = 3;
  options.rate = 400;
  options.connectRate = 1'000;
  options.duration = 200 * kMillisecond;
  options.warmup = 50 * kMillisecond;
  options.settle = 10 * kMillisecond;
  options.deadline = 5 * kSecond;
  options.heartbeat = kSecond;
  options.maxLate = 10 * kSecond;
  options.topicPrefix = "bench:";
  return options;
}

Options optionsOfDay(const PhoenixServer& server) {
  Options options = optionsOf("mixed", server);
  options.day = parseDay(kDay, "kDay");
  options.connections = options.day.peak();
  options.topics = 1;
  options.payloadBytes = 200;
  return options;
}

/** Options for a day with one resident, which sends broadcasts, and one visitor. */
Options optionsOfOneSender(const PhoenixServer& server) {
  Options options = optionsOfDay(server);
  options.day = parseDay("duration,connections,broadcasts\n100ms,1,0\n250ms,2,0\n200ms,2,100\n", "one");
  options.connections = options.day.peak();
  return options;
}

/** Reports whether this failure is among those of a run. */
bool hasFailure(const Figures& figures, std::string_view part) {
  return std::any_of(figures.failures.begin(), figures.failures.end(), [part](const std::string& failure) {
    return failure.find(part) != std::string::npos;
  });
}

void checkGood(const Options& options, const Figures& figures) {
  for (const std::string& failure : figures.failures) std::printf("failure: %s\n", failure.c_str());
  CHECK(figures.failures.empty());
  CHECK(figures.joined == options.connections);
  CHECK(figures.counts.delivered == figures.counts.expected && figures.counts.expected > 0);
}

}  // namespace

TEST("a join storm: each join is replied to, timed from its plan, and left again") {
  PhoenixServer server;
  const Options options = optionsOf("joins", server);
  const Figures figures = Run(options).run();
  checkGood(options, figures);
  CHECK(figures.counts.expected == 100 && figures.load->sent == 80);
  CHECK(figures.load->latency.count() == 80);
  CHECK(server.joins() == options.connections + 100);
  // The last leaves may still have been under way.
  CHECK(server.leaves() >= 100 - options.connections && server.leaves() <= 100);
}

TEST("a topic that is closed twice after a leave is an unexpected message") {
  PhoenixServer server(Fault::closeTwice);
  CHECK(hasFailure(Run(optionsOf("joins", server)).run(), "received an unexpected message: phx_close"));
}

TEST("a reconnect storm: all connections are reset, return at the rate, and join again") {
  PhoenixServer server;
  Options options = optionsOf("reconnect", server);
  options.rate = 50;
  const Figures figures = Run(options).run();
  checkGood(options, figures);
  CHECK(server.resets() == options.connections && server.joins() == 2 * options.connections);
  CHECK(figures.load->sent == 6 && figures.load->latency.count() == 6);
  CHECK(figures.untilAllBack && *figures.untilAllBack >= 5 * kSecond / 50);
  const std::string json = makeJson(options, figures);
  CHECK(json.find(R"("reconnect":{"secondsUntilAllBack":)") != std::string::npos);
  CHECK(makeReport(options, figures).find("all connections had joined again") != std::string::npos);
}

TEST("a day: visitors come, go and come again, amid pushes, joins, broadcasts and bursts") {
  PhoenixServer server;
  const Options options = optionsOfDay(server);
  const Figures figures = Run(options).run();
  checkGood(options, figures);
  const DayPlan plan(options.day);
  CHECK(figures.periods.size() == 3 && figures.load->sent == plan.parts().back().end());
  for (std::size_t index = 0; index < 3; ++index) {
    const DayPlan::Part& part = plan.parts()[index];
    CHECK(figures.periods[index].window.sent == part.end() - part.first);
    CHECK(figures.periods[index].window.latency.count() > 0);
  }
  // The residents join once, the two visitors twice, and each further topic is one join.
  CHECK(server.joins() == 2 + 4 + 15);
  CHECK(figures.counts.expected == 4 + 15 + 30 + 2 * (30 + 8));
  // Deliveries to visitors are timed, but not owed.
  CHECK(figures.load->latency.count() > figures.counts.expected);
  CHECK(makeReport(options, figures).find("       2            2       108.0") != std::string::npos);
  const std::string json = makeJson(options, figures);
  CHECK(json.find(R"("periods":[{"connections":4,"ratePlanned":120.0000,"window":{"ratePlanned":120,)") !=
        std::string::npos);
}

TEST("a broadcast that arrives twice or not at all fails a day, at residents and at visitors") {
  // The residents, 0 and 1, arrive first.
  for (const std::size_t peer : {1UL, 2UL}) {
    PhoenixServer twice(Fault::broadcastTwice, peer);
    const Figures doubled = Run(optionsOfDay(twice)).run();
    CHECK(doubled.counts.doubled == 1 && hasFailure(doubled, "deliveries arrived twice"));
  }
  PhoenixServer skips(Fault::broadcastSkipped, 1);
  Options options = optionsOfDay(skips);
  options.deadline = 200 * kMillisecond;
  CHECK(hasFailure(Run(options).run(), "deliveries are missing"));
  PhoenixServer hole(Fault::broadcastSkipped, 1);
  const Figures figures = Run(optionsOfOneSender(hole)).run();
  CHECK(figures.counts.disordered == 1 && hasFailure(figures, "arrived after later ones"));
}

TEST("broadcasts of one sender in the wrong order fail a day, at residents and at visitors") {
  for (const std::size_t peer : {0UL, 1UL}) {
    PhoenixServer server(Fault::broadcastsSwapped, peer);
    const Figures figures = Run(optionsOfOneSender(server)).run();
    // At a visitor, both the gap and the broadcast that arrives late are counted.
    CHECK(figures.counts.disordered == peer + 1 && hasFailure(figures, "arrived after later ones"));
  }
}

TEST("a push that is replied to twice fails a day") {
  PhoenixServer server(Fault::replyTwice);
  CHECK(hasFailure(Run(optionsOfDay(server)).run(), "deliveries arrived twice"));
}
