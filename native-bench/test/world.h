// A connection, and a minimal server on the same thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../src/connection.h"
#include "../src/handshake.h"
#include "../src/websocket-frame.h"
#include "check.h"
#include "server.h"

namespace bench::test {

inline constexpr std::string_view kBroadcast = R"([null,null,"bench:0","b",{"n":5,"text":""}])";
inline constexpr std::string_view kJoinReply =
    R"(["11","1","bench:0","phx_reply",{"status":"ok","response":{}}])";

/** Creates an unmasked frame of less than 126 bytes, as sent by servers. */
inline std::string frameOf(Opcode opcode, std::string_view payload) {
  std::string frame{static_cast<char>(0x80 | static_cast<int>(opcode)),
                    static_cast<char>(payload.size())};
  return frame.append(payload);
}

/** The server's side of a connection that can be filled until the kernel accepts no more bytes. */
class FullPeer {
 public:
  /** Sends broadcasts until there is no room. */
  void fill() {
    std::string many;
    while (many.size() < 64 * 1024) many += frameOf(Opcode::text, kBroadcast);
    while (const std::size_t count = peer.trySend(many)) many = many.substr(count) + many.substr(0, count);
    // The kernel may have taken only a part of the last frame.
    rest_ = many.substr(0, many.find(frameOf(Opcode::text, kBroadcast)));
  }

  /** Sends the rest of the last frame of fill() if there is room. @returns whether all is sent */
  bool finishFill() {
    rest_ = rest_.substr(peer.trySend(rest_));
    return rest_.empty();
  }

  void send(std::string_view bytes) { peer.send(bytes); }
  std::string receive() { return peer.receive(); }
  void end() { peer.end(); }
  void reset() { peer.reset(); }

  Peer peer{-1};

 private:
  std::string rest_;
};

/** A joined connection and its server. */
class World final : private ConnectionListener {
 public:
  explicit World(Hearing hearing) : connection(setting_, 0, "bench:0", hearing) {
    connection.open();
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
  bool turnUntil(Condition isTrue, Nanoseconds longest = kDeadline) {
    return test::turnUntil(loop_, isTrue, longest);
  }

  bool isClosed() const { return connection.state() == ConnectionState::closed; }

  int joined = 0;
  int messages = 0;
  int cutOff = 0;
  std::vector<std::string> failures;
  FullPeer server;

 private:
  void onJoined(Connection&, Nanoseconds) override { ++joined; }
  void onMessage(Connection&, const Message&, Nanoseconds) override { ++messages; }
  void onHeartbeatReply() override {}
  void onCutOff(Connection&) override { ++cutOff; }
  void onFailure(Connection&, const std::string& reason) override { failures.push_back(reason); }

  Server listener_;
  EventLoop loop_;
  SharedBuffers buffers_;
  const ConnectionSetting setting_{loop_, *this, buffers_, listener_.target, phoenixProtocol()};

 public:
  Connection connection;
};

}  // namespace bench::test
