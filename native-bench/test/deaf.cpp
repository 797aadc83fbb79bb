// Deaf connections.
#include <string>

#include "../src/report.h"
#include "../src/scenario.h"
#include "world.h"

using namespace bench;
using namespace bench::test;

TEST("counts a deaf connection that the server closed behind unread bytes, after leave()") {
  World world(Hearing::deaf);
  world.server.fill();
  world.server.end();
  CHECK(!world.turnUntil([&world] { return world.isClosed(); }, 50 * kMillisecond));
  CHECK(world.cutOff == 0);
  world.connection.leave();
  CHECK(world.turnUntil([&world] { return world.isClosed(); }));
  CHECK(world.cutOff == 1 && world.messages == 0 && world.failures.empty());
}

TEST("a deaf connection notices a reset at once") {
  World world(Hearing::deaf);
  world.server.fill();
  world.server.reset();
  CHECK(world.turnUntil([&world] { return world.isClosed(); }));
  world.connection.leave();
  CHECK(world.cutOff == 1 && world.messages == 0 && world.failures.empty());
}

TEST("a deaf connection notices an end behind few bytes, with a close frame or without") {
  for (const std::string& last : {frameOf(Opcode::close, "\x03\xF3"), frameOf(Opcode::text, kBroadcast)}) {
    World world(Hearing::deaf);
    world.server.send(last);
    world.server.end();
    CHECK(world.turnUntil([&world] { return world.isClosed(); }));
    CHECK(world.cutOff == 1 && world.messages == 0 && world.failures.empty());
  }
}

TEST("a deaf connection that the server kept reads nothing and is not counted when both close") {
  for (const std::string& answer : {frameOf(Opcode::close, "\x03\xE8"), std::string()}) {
    World world(Hearing::deaf);
    world.server.fill();
    CHECK(!world.server.finishFill());
    world.connection.leave();
    CHECK(world.turnUntil([&world] { return world.server.finishFill(); }));
    CHECK(world.turnUntil([&world] { return !world.server.receive().empty(); }));
    world.server.send(answer);
    world.server.end();
    CHECK(world.turnUntil([&world] { return world.isClosed(); }));
    CHECK(world.cutOff == 0 && world.messages == 0 && world.failures.empty());
  }
}

TEST("counts a close frame that the server sent behind unread bytes") {
  World world(Hearing::deaf);
  world.server.fill();
  world.connection.leave();
  CHECK(world.turnUntil([&world] { return world.server.finishFill(); }));
  world.server.send(frameOf(Opcode::close, "\x03\xF3"));
  CHECK(world.turnUntil([&world] { return world.isClosed(); }));
  CHECK(world.cutOff == 1 && world.messages == 0 && world.failures.empty());
}

TEST("the last members of each topic are deaf, and owed nothing") {
  Options options;
  options.scenario = "fanout";
  options.connections = 8;
  options.topics = 2;
  options.deaf = 2;
  const auto scenario = makeScenario(options);
  std::string hearing;
  for (std::size_t number = 0; number < 8; ++number) {
    hearing += scenario->hearingOf(number) == Hearing::deaf ? 'd' : 'r';
  }
  CHECK(hearing == "rrrdrrrd");
  CHECK(scenario->owedFor(0) == 3);
  options.deaf = 0;
  CHECK(makeScenario(options)->owedFor(0) == 4);
  CHECK(makeScenario(options)->hearingOf(3) == Hearing::good);
}

TEST("both reports say how many deaf connections the server closed") {
  Options options;
  options.scenario = "fanout";
  Figures figures;
  CHECK(makeReport(options, figures).find("deaf") == std::string::npos);
  options.deaf = 20;
  figures.counts.deafClosed = 19;
  CHECK(makeReport(options, figures).find("20 connections read nothing; the server closed 19 of them") !=
        std::string::npos);
  CHECK(makeJson(options, figures).find(R"("deaf":20,"deafClosed":19,)") != std::string::npos);
}
