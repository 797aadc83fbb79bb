#include "phoenix-protocol.h"

#include <array>

#include "json.h"

namespace bench {

namespace {

/** Decodes a ref, which is a string or null; returns nothing for any other value. */
std::optional<std::string_view> refOf(std::string_view raw) {
  if (raw == "null") return std::string_view{};
  return jsonStringBody(raw);
}

std::string encodeFrame(std::string_view joinRef, std::uint64_t ref, std::string_view topic,
                        std::string_view event, std::string_view payload) {
  std::string frame = "[\"";
  frame.append(joinRef).append("\",\"").append(std::to_string(ref)).append("\",");
  frame.append(jsonQuote(topic)).append(",").append(jsonQuote(event)).append(",");
  return frame.append(payload).append("]");
}

}  // namespace

std::string encodeJoin(std::string_view topic) {
  return encodePush(kJoinMessageRef, topic, "phx_join", "{}");
}

std::string encodePush(std::uint64_t ref, std::string_view topic, std::string_view event,
                       std::string_view payload) {
  return encodeFrame(kJoinRef, ref, topic, event, payload);
}

std::string encodeHeartbeat(std::uint64_t ref) {
  std::string frame = "[null,\"";
  frame.append(std::to_string(ref)).append("\",").append(jsonQuote(kHeartbeatTopic));
  return frame.append(",\"heartbeat\",{}]");
}

std::optional<Message> decodeMessage(std::string_view frame) {
  std::array<std::string_view, 5> raw;
  if (!jsonElements(frame, raw)) return std::nullopt;
  const auto joinRef = refOf(raw[0]);
  const auto ref = refOf(raw[1]);
  const auto topic = jsonStringBody(raw[2]);
  const auto event = jsonStringBody(raw[3]);
  if (!joinRef || !ref || !topic || !event) return std::nullopt;
  return Message{*joinRef, *ref, *topic, *event, raw[4]};
}

std::optional<Reply> decodeReply(const Message& message) {
  if (message.event != "phx_reply") return std::nullopt;
  const auto status = jsonMember(message.payload, "status");
  const auto response = jsonMember(message.payload, "response");
  if (!status || !response) return std::nullopt;
  const auto text = jsonStringBody(*status);
  if (!text) return std::nullopt;
  return Reply{*text, *response};
}

namespace {

class PhoenixProtocol final : public Protocol {
 public:
  std::string_view name() const override { return "phoenix"; }
  std::string_view query() const override { return "vsn=2.0.0"; }
  std::string encodeOpening(std::string_view topic) const override {
    return bench::encodeJoin(topic);
  }
  std::string encodePush(std::uint64_t ref, std::string_view topic, std::string_view event,
                         std::string_view payload) const override {
    return bench::encodePush(ref, topic, event, payload);
  }
  std::string encodeJoin(std::uint64_t joinRef, std::string_view topic) const override {
    return encodeFrame(std::to_string(joinRef), joinRef, topic, "phx_join", "{}");
  }
  std::string encodeLeave(std::uint64_t joinRef, std::uint64_t ref,
                          std::string_view topic) const override {
    return encodeFrame(std::to_string(joinRef), ref, topic, "phx_leave", "{}");
  }
  std::string encodeHeartbeat(std::uint64_t ref) const override {
    return bench::encodeHeartbeat(ref);
  }
  std::optional<std::string> answerTo(std::string_view, std::string_view) const override {
    return std::nullopt;
  }
  std::optional<Message> decode(std::string_view frame, std::string_view) const override {
    return decodeMessage(frame);
  }
  std::optional<Reply> decodeReply(const Message& message) const override {
    return bench::decodeReply(message);
  }
};

}  // namespace

const Protocol& phoenixProtocol() {
  static const PhoenixProtocol protocol;
  return protocol;
}

}  // namespace bench
