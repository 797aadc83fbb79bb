// Slow connections.
#include <string>

#include "../src/report.h"
#include "../src/scenario.h"
#include "world.h"

using namespace bench;
using namespace bench::test;

namespace {

/** One broadcast, as sent on the wire. */
const std::string kOne = frameOf(Opcode::text, kBroadcast);

}  // namespace

TEST("a slow connection reads as many bytes as it is told to, and nothing by itself") {
  World world(Hearing::slow);
  for (int count = 0; count < 4; ++count) world.server.send(kOne);
  CHECK(!world.turnUntil([&world] { return world.messages > 0; }, 50 * kMillisecond));
  world.connection.readSome(kOne.size() - 1);
  CHECK(world.messages == 0);
  world.connection.readSome(1);
  CHECK(world.messages == 1);
  world.connection.readSome(kOne.size() * 2);
  CHECK(world.messages == 3);
  CHECK(!world.turnUntil([&world] { return world.messages > 3; }, 50 * kMillisecond));
  CHECK(world.failures.empty());
}

TEST("a slow connection reads freely while it is allowed to") {
  World world(Hearing::slow);
  world.server.send(kOne);
  world.connection.readFreely(true);
  CHECK(world.turnUntil([&world] { return world.messages == 1; }));
  world.connection.readFreely(false);
  world.server.send(kOne);
  CHECK(!world.turnUntil([&world] { return world.messages > 1; }, 50 * kMillisecond));
}

TEST("a slow connection that the server cut off is not a failure, however it finds out") {
  {
    World world(Hearing::slow);
    world.server.fill();
    world.server.reset();
    CHECK(world.turnUntil([&world] { return world.isClosed(); }));
    CHECK(world.cutOff == 1 && world.failures.empty());
  }
  {
    World world(Hearing::slow);
    world.server.send(frameOf(Opcode::close, "\x03\xF3"));
    world.connection.readFreely(true);
    CHECK(world.turnUntil([&world] { return world.isClosed(); }));
    CHECK(world.cutOff == 1 && world.failures.empty());
  }
}

TEST("a slow connection leaves like any other") {
  World world(Hearing::slow);
  world.connection.leave();
  CHECK(world.turnUntil([&world] { return !world.server.receive().empty(); }));
  world.server.send(frameOf(Opcode::close, "\x03\xE8"));
  CHECK(world.turnUntil([&world] { return world.isClosed(); }));
  CHECK(world.cutOff == 0 && world.failures.empty());
}

TEST("a slow connection waits for the reply to its heartbeat") {
  World world(Hearing::slow);
  world.connection.heartbeat();
  world.connection.heartbeat();
  std::string sent;
  CHECK(world.turnUntil([&world, &sent] { return !(sent += world.server.receive()).empty(); }));
  CHECK(!world.turnUntil([&world, &sent] { return (sent += world.server.receive()).size() > 100; },
                         20 * kMillisecond));
  CHECK(!world.isClosed() && world.failures.empty());
}

TEST("what a slow connection is owed is counted separately until it has arrived") {
  Options options;
  options.scenario = "fanout";
  options.connections = 8;
  options.topics = 2;
  options.slow = 2;
  options.payloadBytes = 0;
  const auto scenario = makeScenario(options);
  CHECK(scenario->hearingOf(3) == Hearing::slow && scenario->hearingOf(7) == Hearing::slow);
  World world(Hearing::slow);  // connection number 0, a member of topic 0
  CHECK(scenario->outstandingFor(world.connection) == 0);
  for (std::uint64_t send = 0; send < 6; ++send) CHECK(scenario->owedFor(send) == 3);
  CHECK(scenario->outstandingFor(world.connection) == 3);
  Message message;
  message.event = "b";
  message.payload = R"({"n":2,"text":""})";
  CHECK(scenario->check(world.connection, message).has_value());
  CHECK(scenario->outstandingFor(world.connection) == 2);
}

TEST("both reports mention slow connections") {
  Options options;
  options.scenario = "fanout";
  Figures figures;
  CHECK(makeReport(options, figures).find("slow") == std::string::npos);
  options.slow = 20;
  options.slowRate = 10'000;
  figures.counts.slowClosed = 19;
  figures.counts.slowDelivered = 7;
  CHECK(makeReport(options, figures)
            .find("20 connections read 10000 B/s; the server closed 19 of them; 7 deliveries") !=
        std::string::npos);
  CHECK(makeJson(options, figures)
            .find(R"("slow":20,"slowClosed":19,"slowDelivered":7,"slowMissing":0,)") !=
        std::string::npos);
}
