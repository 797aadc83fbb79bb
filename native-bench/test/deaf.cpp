// Deaf connections, against a server of a few lines in the same thread.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../src/connection.h"
#include "../src/handshake.h"
#include "../src/report.h"
#include "../src/scenario.h"
#include "check.h"

using namespace bench;

namespace {

constexpr std::string_view kBroadcast = R"([null,null,"bench:0","b",{"n":5,"text":""}])";
constexpr std::string_view kJoinReply =
    R"(["11","1","bench:0","phx_reply",{"status":"ok","response":{}}])";
constexpr Nanoseconds kDeadline = 5 * kSecond;

/** An unmasked frame of less than 126 bytes, as a server sends it. */
std::string frameOf(Opcode opcode, std::string_view payload) {
  std::string frame{static_cast<char>(0x80 | static_cast<int>(opcode)),
                    static_cast<char>(payload.size())};
  return frame.append(payload);
}

/** The server's side: listens on a free port, and takes one connection. */
class Server {
 public:
  Server() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    CHECK(bind(listener_, any, length) == 0 && listen(listener_, 1) == 0);
    CHECK(getsockname(listener_, any, &length) == 0);
    target.host = "127.0.0.1";
    target.path = "/";
    target.address = INADDR_LOOPBACK;
    target.port = ntohs(address.sin_port);
  }
  ~Server() {
    close(listener_);
    if (peer_ >= 0) close(peer_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void accept() { peer_ = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); }

  /** What has arrived; empty where nothing has. */
  std::string receive() {
    std::string bytes(64 * 1024, '\0');
    const ssize_t count = recv(peer_, bytes.data(), bytes.size(), 0);
    bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return bytes;
  }

  void send(std::string_view bytes) {
    CHECK(::send(peer_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes.size()));
  }

  /** Broadcasts until the kernel takes no more. */
  void fill() {
    std::string many;
    while (many.size() < 64 * 1024) many += frameOf(Opcode::text, kBroadcast);
    ssize_t count = 0;
    while ((count = ::send(peer_, many.data(), many.size(), MSG_NOSIGNAL)) > 0) {
      many = many.substr(static_cast<std::size_t>(count)) + many.substr(0, static_cast<std::size_t>(count));
    }
    // What the kernel cut off is the rest of a frame that has begun.
    rest_ = many.substr(0, many.find(frameOf(Opcode::text, kBroadcast)));
  }

  /** The rest of what `fill` began, once there is room. @returns whether it has been sent */
  bool finishFill() {
    const ssize_t count = ::send(peer_, rest_.data(), rest_.size(), MSG_NOSIGNAL);
    if (count > 0) rest_ = rest_.substr(static_cast<std::size_t>(count));
    return rest_.empty();
  }

  /** Ends it: what waits is still sent, and the end behind it. */
  void end() { close(std::exchange(peer_, -1)); }

  /** Ends it at once; what waits is thrown away. */
  void reset() {
    const linger atOnce{1, 0};
    setsockopt(peer_, SOL_SOCKET, SO_LINGER, &atOnce, sizeof atOnce);
    end();
  }

  Target target;

 private:
  int listener_;
  int peer_ = -1;
  std::string rest_;
};

/** A joined deaf connection and its server. */
class World final : private ConnectionListener {
 public:
  World() {
    deaf.open();
    CHECK(turnUntil([this] { return deaf.state() == ConnectionState::upgrading; }));
    server.accept();
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
  bool turnUntil(Condition isTrue, Nanoseconds longest = kDeadline) {
    const Nanoseconds deadline = monotonicNow() + longest;
    while (!isTrue()) {
      if (monotonicNow() > deadline) return false;
      loop_.turn(monotonicNow() + kMillisecond);
    }
    return true;
  }

  bool isClosed() const { return deaf.state() == ConnectionState::closed; }

  int joined = 0;
  int messages = 0;
  int deafClosed = 0;
  std::vector<std::string> failures;
  Server server;

 private:
  void onJoined(Connection&, Nanoseconds) override { ++joined; }
  void onMessage(Connection&, const Message&, Nanoseconds) override { ++messages; }
  void onHeartbeatReply() override {}
  void onDeafClosed() override { ++deafClosed; }
  void onFailure(Connection&, const std::string& reason) override { failures.push_back(reason); }

  EventLoop loop_;
  SharedBuffers buffers_;
  const ConnectionSetting setting_{loop_, *this, buffers_, server.target, phoenixProtocol()};

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
