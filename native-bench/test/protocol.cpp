#include "../src/handshake.h"
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

TEST("SHA-1 gives the digests of RFC 3174, at each padding") {
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

TEST("knows the accept of RFC 6455's example") {
  CHECK(acceptFor(kKey) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(!checkUpgradeResponse(kResponse, kKey));
}

TEST("says what is wrong with an answer to the handshake") {
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

TEST("refuses what is no V2 message") {
  for (const auto text : {"", "{}", "[]", R"(["1","2","t","e"])", R"([1,"2","t","e",{}])",
                          R"([null,null,3,"e",{}])", R"([null,null,"t",null,{}])"}) {
    CHECK(!decodeMessage(text));
  }
}
