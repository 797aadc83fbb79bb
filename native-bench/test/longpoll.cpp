// Connections over long-poll, against a minimal server on the same thread.
#include <string>
#include <string_view>
#include <vector>

#include "../src/connection.h"
#include "../src/json.h"
#include "check.h"
#include "server.h"

using namespace bench;

namespace {

constexpr std::string_view kFirstPoll =
    "GET /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n";
constexpr std::string_view kPoll =
    "GET /socket/longpoll?vsn=2.0.0&token=a%2Bb HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: "
    "application/json\r\n\r\n";
constexpr std::string_view kSession = R"({"status":410,"token":"a+b","messages":[]})";
constexpr std::string_view kJoinReply =
    R"(["11","1","bench:0","phx_reply",{"status":"ok","response":{}}])";
constexpr std::string_view kDone = R"({"status":200})";

std::string postOf(std::string_view body) {
  std::string text = "POST /socket/longpoll?vsn=2.0.0&token=a%2Bb HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                     "Content-Type: application/x-ndjson\r\nContent-Length: ";
  return text.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
}

std::string answerOf(std::string_view body, std::string_view status = "200 OK") {
  std::string text = "HTTP/1.1 ";
  return text.append(status).append("\r\nContent-Length: ").append(std::to_string(body.size()))
      .append("\r\n\r\n").append(body);
}

/** Creates the answer to a poll with one message. */
std::string batchOf(std::string_view message) {
  return answerOf(R"({"status":200,"token":"a+b","messages":[)" + jsonQuote(message) + "]}");
}

/** A connection and its server. */
class World : private ConnectionListener {
 public:
  World() {
    target.transport = TransportKind::longPoll;
    target.path = "/socket/longpoll?vsn=2.0.0";
  }

  /** Opens, up to the first poll, which is left unanswered. */
  void open() {
    connection.open();
    polls = accept();
    CHECK(gets(polls, kFirstPoll));
  }

  /** Opens and joins, up to the poll that follows the join's POST and its reply. */
  void join() {
    open();
    polls.send(answerOf(kSession));
    CHECK(gets(polls, kPoll));
    posts = accept();
    CHECK(gets(posts, postOf(R"(["11","1","bench:0","phx_join",{}])")));
    posts.send(answerOf(kDone));
    polls.send(batchOf(kJoinReply));
    CHECK(gets(polls, kPoll));
    CHECK(turnUntil([this] { return joined == 1; }));
    CHECK(connection.state() == ConnectionState::joined);
  }

  template <typename Condition>
  bool turnUntil(Condition isTrue) {
    return test::turnUntil(loop_, isTrue);
  }

  test::Peer accept() { return server.accept(loop_); }

  /** Reports whether exactly this text arrives, and nothing after it. */
  bool gets(test::Peer& peer, std::string_view wanted) {
    std::string got;
    return turnUntil([&] { return (got += peer.receive()).size() >= wanted.size(); }) && got == wanted;
  }

  bool failsWith(std::string_view reason) {
    return turnUntil([this] { return !failures.empty(); }) && failures.front() == reason &&
           failures.size() == 1 && connection.state() == ConnectionState::closed;
  }

  int joined = 0;
  std::vector<std::string> messages;
  std::vector<std::string> failures;
  test::Server server;
  Target& target = server.target;
  test::Peer polls{-1};
  test::Peer posts{-1};

 private:
  void onJoined(Connection&, Nanoseconds) override { ++joined; }
  void onMessage(Connection&, const Message& message, Nanoseconds) override {
    messages.emplace_back(message.payload);
  }
  void onHeartbeatReply() override {}
  void onCutOff(Connection&) override {}
  void onFailure(Connection&, const std::string& reason) override { failures.push_back(reason); }

  EventLoop loop_;
  SharedBuffers buffers_;
  const ConnectionSetting setting_{loop_, *this, buffers_, server.target, phoenixProtocol()};

 public:
  Connection connection{setting_, 0, "bench:0", Hearing::good};
};

}  // namespace

TEST("a long-poll client requests a session, polls, and posts its join beside the poll") {
  World world;
  world.join();
  CHECK(world.failures.empty());
}

TEST("messages arrive in the order of the answer, and the next poll does not wait for them") {
  World world;
  world.join();
  world.polls.send(answerOf(
      R"({"messages":["[null,null,\"bench:0\",\"b\",{\"n\":1}]","[null,null,\"bench:0\",\"b\",{\"n\":2}]"],)"
      R"("status":200,"token":"a+b"})"));
  CHECK(world.gets(world.polls, kPoll));
  CHECK(world.turnUntil([&world] { return world.messages.size() == 2; }));
  CHECK(world.messages[0] == R"({"n":1})" && world.messages[1] == R"({"n":2})");
}

TEST("an empty window is followed by the next poll") {
  World world;
  world.join();
  world.polls.send(answerOf(R"({"status":204,"token":"a+b","messages":[]})"));
  CHECK(world.gets(world.polls, kPoll));
  CHECK(world.failures.empty() && world.messages.empty());
}

TEST("pushes made while a POST is outstanding leave with the next one, at most 100 lines each") {
  World world;
  world.join();
  const std::string push = R"(["11","7","bench:0","e",{}])";
  for (int count = 0; count < 103; ++count) world.connection.push(7, "e", "{}");
  CHECK(world.gets(world.posts, postOf(push)));
  world.posts.send(answerOf(kDone));
  std::string hundred = push;
  for (int count = 1; count < 100; ++count) hundred += "\n" + push;
  CHECK(world.gets(world.posts, postOf(hundred)));
  world.posts.send(answerOf(kDone));
  CHECK(world.gets(world.posts, postOf(push + "\n" + push)));
}

TEST("a connection that the server closed between two requests is opened again silently") {
  World world;
  world.join();
  world.posts.end();
  // Sent after the end of the other connection, so once these bytes are read, the end is too.
  world.polls.send(answerOf(R"({"status":204,"token":"a+b","messages":[]})"));
  CHECK(world.gets(world.polls, kPoll));
  CHECK(world.failures.empty());
  world.connection.push(7, "e", "{}");
  world.posts = world.accept();
  CHECK(world.gets(world.posts, postOf(R"(["11","7","bench:0","e",{}])")));
}

TEST("a request that crossed with the end of its connection is sent again, once") {
  World world;
  world.join();
  world.connection.push(7, "e", "{}");
  CHECK(world.gets(world.posts, postOf(R"(["11","7","bench:0","e",{}])")));
  world.posts.end();
  world.posts = world.accept();
  CHECK(world.gets(world.posts, postOf(R"(["11","7","bench:0","e",{}])")));
  world.posts.end();
  CHECK(world.failsWith("the server closed before it had answered the request"));
}

TEST("after an answer that closes its connection, the next request uses a new one") {
  World world;
  world.join();
  world.polls.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 42\r\n\r\n"
                   R"({"status":204,"token":"a+b","messages":[]})");
  world.polls = world.accept();
  CHECK(world.gets(world.polls, kPoll));
  CHECK(world.failures.empty());
}

TEST("an answer that arrives in pieces is read when it is complete") {
  World world;
  world.join();
  const std::string answer = batchOf(R"([null,null,"bench:0","b",{"n":1}])");
  world.polls.send(answer.substr(0, 60));
  world.turnUntil([turns = 0]() mutable { return ++turns > 3; });
  CHECK(world.messages.empty() && world.failures.empty());
  world.polls.send(answer.substr(60));
  CHECK(world.turnUntil([&world] { return world.messages.size() == 1; }));
  CHECK(world.messages[0] == R"({"n":1})");
}

TEST("a session that is refused, gone or broken is reported as a failure") {
  const auto afterFirst = [](const std::string& answer, std::string_view reason) {
    World world;
    world.open();
    world.polls.send(answer);
    CHECK(world.failsWith(reason));
  };
  afterFirst(answerOf(R"({"status":403})"), "a poll was answered with status 403");
  afterFirst(answerOf(R"({"status":200,"token":"x","messages":[]})"), "a poll was answered with status 200");
  afterFirst(answerOf("no"), "a poll was answered with no");
  afterFirst(answerOf("", "503 Service Unavailable"), "a poll was answered with HTTP 503");
  afterFirst("SSH-2.0-x\r\n\r\n", "the server sent something other than an HTTP/1.1 response");
  const auto afterJoin = [](std::string_view answer, std::string_view reason) {
    World world;
    world.join();
    world.polls.send(answerOf(answer));
    CHECK(world.failsWith(reason));
  };
  afterJoin(kSession, "a poll was answered with status 410");
  afterJoin(R"({"status":200,"messages":[]})", R"(a poll was answered with {"status":200,"messages":[]})");
  World world;
  world.join();
  world.connection.push(7, "e", "{}");
  CHECK(world.gets(world.posts, postOf(R"(["11","7","bench:0","e",{}])")));
  world.posts.send(answerOf(R"({"status":410})"));
  CHECK(world.failsWith("a POST was answered with status 410"));
}

TEST("a long-poll client sends no heartbeats") {
  World world;
  world.join();
  for (int count = 0; count < 3; ++count) world.connection.heartbeat();
  world.connection.push(7, "e", "{}");
  CHECK(world.gets(world.posts, postOf(R"(["11","7","bench:0","e",{}])")));
}

TEST("a long-poll client leaves by closing both its connections, and is cut by resetting them") {
  for (const bool isCut : {false, true}) {
    World world;
    world.join();
    if (isCut) {
      world.connection.cut();
    } else {
      world.connection.leave();
    }
    CHECK(world.connection.state() == ConnectionState::closed);
    CHECK(world.turnUntil([&world] { return world.polls.hasEnded() && world.posts.hasEnded(); }));
    CHECK(world.polls.wasReset() == isCut && world.posts.wasReset() == isCut);
    CHECK(world.failures.empty());
  }
}

TEST("a connection that was cut may be opened and joined again, with a new session") {
  World world;
  world.join();
  world.connection.cut();
  CHECK(world.polls.wasReset());
  world.joined = 0;
  world.join();
  CHECK(world.failures.empty());
}
