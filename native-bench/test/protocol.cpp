#include "../src/handshake.h"
#include "../src/options.h"
#include "../src/phoenix-protocol.h"
#include "../src/sha1.h"
#include "check.h"

using namespace bench;

namespace {

std::string hexOf(std::string_view bytes) {
  std::string text;
  for (const std::uint8_t byte : sha1(bytes)) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view kResponse =
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Accept:   s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \r\n";

std::string without(std::string_view part, std::string_view instead) {
  std::string text(kResponse);
  return text.replace(text.find(part), part.size(), instead);
}

}  // namespace

TEST("SHA-1 returns the digests of RFC 3174, for each kind of padding") {
  CHECK(hexOf("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(hexOf("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(hexOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  CHECK(hexOf(std::string(1'000'000, 'a')) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST("base64 pads as RFC 4648 does") {
  CHECK(base64("") == "" && base64("f") == "Zg==" && base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v" && base64("foobar") == "Zm9vYmFy");
  CHECK(base64("\xFF\xFE\xFD") == "//79");
}

TEST("computes the accept of RFC 6455's example") {
  CHECK(acceptFor(kKey) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(!checkUpgradeResponse(kResponse, kKey));
}

TEST("says what is wrong with a handshake response") {
  CHECK(checkUpgradeResponse(without("101 Switching Protocols", "403 Forbidden"), kKey) ==
        "the handshake was answered with HTTP/1.1 403 Forbidden");
  CHECK(checkUpgradeResponse(without("upgrade: WebSocket", "x: y"), kKey).has_value());
  CHECK(checkUpgradeResponse(without("keep-alive, Upgrade", "keep-alive"), kKey).has_value());
  CHECK(checkUpgradeResponse(without("s3pP", "s3pQ"), kKey) ==
        "Sec-WebSocket-Accept must be s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, got s3pQLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(checkUpgradeResponse("", kKey).has_value());
}

TEST("encodes the frames of the V2 serializer") {
  CHECK(encodeJoin("bench:0") == R"(["11","1","bench:0","phx_join",{}])");
  CHECK(encodePush(7, "a\"b", "e", R"({"n":5})") == R"(["11","7","a\"b","e",{"n":5}])");
  CHECK(encodeHeartbeat(3) == R"([null,"3","phoenix","heartbeat",{}])");
}

TEST("decodes replies and broadcasts") {
  const auto reply =
      decodeMessage(R"(["11","7","bench:0","phx_reply",{"response":{"n":5},"status":"ok"}])");
  CHECK(reply && reply->joinRef == "11" && reply->ref == "7" && reply->topic == "bench:0");
  const auto content = decodeReply(*reply);
  CHECK(content && content->status == "ok" && content->response == R"({"n":5})");
  const auto broadcast = decodeMessage(R"([null,null,"bench:0","b",{"n":5}])");
  CHECK(broadcast && broadcast->joinRef.empty() && broadcast->ref.empty());
  CHECK(broadcast->event == "b" && broadcast->payload == R"({"n":5})");
  CHECK(!decodeReply(*broadcast));
}

TEST("refuses anything but V2 messages") {
  for (const auto text : {"", "{}", "[]", R"(["1","2","t","e"])", R"([1,"2","t","e",{}])",
                          R"([null,null,3,"e",{}])", R"([null,null,"t",null,{}])"}) {
    CHECK(!decodeMessage(text));
  }
}

namespace {

const Protocol& socketIo = socketIoProtocol();

}  // namespace

TEST("finds protocols by name, with the parameters that each needs in the URL") {
  CHECK(protocolNamed("phoenix") == &phoenixProtocol() && protocolNamed("socket.io") == &socketIo);
  CHECK(protocolNamed("stomp") == nullptr);
  CHECK(parseTarget("ws://127.0.0.1/socket.io/", socketIo).path ==
        "/socket.io/?EIO=4&transport=websocket");
  CHECK(parseTarget("ws://127.0.0.1/socket.io/?EIO=5&a=b", socketIo).path ==
        "/socket.io/?EIO=5&a=b&transport=websocket");
}

TEST("a Phoenix client joins at once, and answers no frame on its own") {
  CHECK(phoenixProtocol().encodeOpening("bench:0") == R"(["11","1","bench:0","phx_join",{}])");
  CHECK(!phoenixProtocol().answerTo(R"([null,null,"bench:0","b",{}])", "bench:0"));
}

TEST("a Socket.IO client connects when the server has opened, and joins when connected") {
  CHECK(socketIo.encodeOpening("bench:0") == "");
  CHECK(socketIo.answerTo(R"(0{"sid":"q","upgrades":[],"pingInterval":25000})", "bench:0") == "40");
  CHECK(socketIo.answerTo(R"(40{"sid":"r"})", "bench:0") == R"(421["join","bench:0"])");
  CHECK(socketIo.answerTo("2", "bench:0") == "3");
  CHECK(socketIo.encodeHeartbeat(1) == "");
  for (const auto frame : {R"(42["b",{"n":5}])", R"(437[{"n":5}])", R"(44{"message":"no"})", "41"}) {
    CHECK(!socketIo.answerTo(frame, "bench:0"));
  }
}

TEST("a Socket.IO push requests an acknowledgement, a broadcast does not") {
  CHECK(socketIo.encodePush(7, "bench:0", "e", R"({"n":5})") == R"(427["e",{"n":5}])");
  CHECK(socketIo.encodePush(8, "bench:0", "b", R"({"n":5})") == R"(42["b",{"n":5}])");
}

TEST("decodes acknowledgements and events of Socket.IO") {
  const auto joined = socketIo.decode("431[]", "bench:0");
  CHECK(joined && joined->joinRef == kJoinRef && joined->ref == "1" && joined->topic == "bench:0");
  CHECK(joined && socketIo.decodeReply(*joined) && socketIo.decodeReply(*joined)->status == "ok");
  const auto echo = socketIo.decode(R"(4312[{"n":5}])", "bench:0");
  CHECK(echo && echo->ref == "12" && socketIo.decodeReply(*echo)->response == R"({"n":5})");
  const auto event = socketIo.decode(R"(42["b",{"n":5}])", "bench:0");
  CHECK(event && event->event == "b" && event->payload == R"({"n":5})" && event->topic == "bench:0");
  CHECK(event && !socketIo.decodeReply(*event));
}

TEST("refuses anything but Socket.IO messages") {
  for (const auto frame : {"", "4", "41", R"(44{"message":"no"})", "43[]", "437", "437{}", "42",
                           R"(42["b"])", R"(427["b",{}])", R"(42[1,{}])", R"(42/admin,["b",{}])"}) {
    CHECK(!socketIo.decode(frame, "bench:0"));
  }
}
