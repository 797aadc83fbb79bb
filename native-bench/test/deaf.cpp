// Deaf connections, against a server of a few lines in the same thread.
#include <string>
#include <string_view>
#include <vector>

#include "../src/connection.h"
#include "../src/handshake.h"
#include "../src/report.h"
#include "../src/scenario.h"
#include "../src/websocket-frame.h"
#include "check.h"
#include "server.h"

using namespace bench;

namespace {

constexpr std::string_view kBroadcast = R"([null,null,"bench:0","b",{"n":5,"text":""}])";
constexpr std::string_view kJoinReply =
    R"(["11","1","bench:0","phx_reply",{"status":"ok","response":{}}])";

/** An unmasked frame of less than 126 bytes, as a server sends it. */
std::string frameOf(Opcode opcode, std::string_view payload) {
  std::string frame{static_cast<char>(0x80 | static_cast<int>(opcode)),
                    static_cast<char>(payload.size())};
  return frame.append(payload);
}

/** The server's side of a connection that is filled until the kernel takes no more. */
class FullPeer {
 public:
  /** Broadcasts until there is no room. */
  void fill() {
    std::string many;
    while (many.size() < 64 * 1024) many += frameOf(Opcode::text, kBroadcast);
    while (const std::size_t count = peer.trySend(many)) many = many.substr(count) + many.substr(0, count);
    // What the kernel cut off is the rest of a frame that has begun.
    rest_ = many.substr(0, many.find(frameOf(Opcode::text, kBroadcast)));
  }

  /** The rest of what `fill` began, once there is room. @returns whether it has been sent */
  bool finishFill() {
    rest_ = rest_.substr(peer.trySend(rest_));
    return rest_.empty();
  }

  void send(std::string_view bytes) { peer.send(bytes); }
  std::string receive() { return peer.receive(); }
  void end() { peer.end(); }
  void reset() { peer.reset(); }

  test::Peer peer{-1};

 private:
  std::string rest_;
};

/** A joined deaf connection and its server. */
class World final : private ConnectionListener {
 public:
  World() {
    deaf.open();
    server.peer = listener_.accept(loop_);
    std::string request;
    CHECK(turnUntil([this, &request] { return (request += server.receive()).ends_with("\r\n\r\n"); }));
    constexpr std::string_view kName = "Sec-WebSocket-Key: ";
    const std::size_t key = request.find(kName) + kName.size();
    server.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: " +
                acceptFor(request.substr(key, request.find('\r', key) - key)) + "\r\n\r\n");
    CHECK(turnUntil([this] { return !server.receive().empty(); }));
    server.send(frameOf(Opcode::text, kJoinReply));
    CHECK(turnUntil([this] { return joined == 1; }));
  }

  template <typename Condition>
  bool turnUntil(Condition isTrue, Nanoseconds longest = test::kDeadline) {
    return test::turnUntil(loop_, isTrue, longest);
  }

  bool isClosed() const { return deaf.state() == ConnectionState::closed; }

  int joined = 0;
  int messages = 0;
  int deafClosed = 0;
  std::vector<std::string> failures;
  FullPeer server;

 private:
  void onJoined(Connection&, Nanoseconds) override { ++joined; }
  void onMessage(Connection&, const Message&, Nanoseconds) override { ++messages; }
  void onHeartbeatReply() override {}
  void onCutOff(Connection&) override { ++deafClosed; }
  void onFailure(Connection&, const std::string& reason) override { failures.push_back(reason); }

  test::Server listener_;
  EventLoop loop_;
  SharedBuffers buffers_;
  const ConnectionSetting setting_{loop_, *this, buffers_, listener_.target, phoenixProtocol()};

 public:
  Connection deaf{setting_, 0, "bench:0", Hearing::deaf};
};

}  // namespace

TEST("a deaf connection that its server had left behind unread bytes is counted after leave()") {
  World world;
  world.server.fill();
  world.server.end();
  CHECK(!world.turnUntil([&world] { return world.isClosed(); }, 50 * kMillisecond));
  CHECK(world.deafClosed == 0);
  world.deaf.leave();
  CHECK(world.turnUntil([&world] { return world.isClosed(); }));
  CHECK(world.deafClosed == 1 && world.messages == 0 && world.failures.empty());
}

TEST("a deaf connection hears of a reset at once") {
  World world;
  world.server.fill();
  world.server.reset();
  CHECK(world.turnUntil([&world] { return world.isClosed(); }));
  world.deaf.leave();
  CHECK(world.deafClosed == 1 && world.messages == 0 && world.failures.empty());
}

TEST("a deaf connection hears of an end that is behind few bytes, with a close frame or without") {
  for (const std::string& last : {frameOf(Opcode::close, "\x03\xF3"), frameOf(Opcode::text, kBroadcast)}) {
    World world;
    world.server.send(last);
    world.server.end();
    CHECK(world.turnUntil([&world] { return world.isClosed(); }));
    CHECK(world.deafClosed == 1 && world.messages == 0 && world.failures.empty());
  }
}

TEST("a deaf connection that its server kept reads nothing, and is not counted when both close") {
  for (const std::string& answer : {frameOf(Opcode::close, "\x03\xE8"), std::string()}) {
    World world;
    world.server.fill();
    CHECK(!world.server.finishFill());
    world.deaf.leave();
    CHECK(world.turnUntil([&world] { return world.server.finishFill(); }));
    CHECK(world.turnUntil([&world] { return !world.server.receive().empty(); }));
    world.server.send(answer);
    world.server.end();
    CHECK(world.turnUntil([&world] { return world.isClosed(); }));
    CHECK(world.deafClosed == 0 && world.messages == 0 && world.failures.empty());
  }
}

TEST("a close frame of the server's own, behind what a deaf connection had not read, is counted") {
  World world;
  world.server.fill();
  world.deaf.leave();
  CHECK(world.turnUntil([&world] { return world.server.finishFill(); }));
  world.server.send(frameOf(Opcode::close, "\x03\xF3"));
  CHECK(world.turnUntil([&world] { return world.isClosed(); }));
  CHECK(world.deafClosed == 1 && world.messages == 0 && world.failures.empty());
}

TEST("the last members of each topic are deaf, and nothing is expected of them") {
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
