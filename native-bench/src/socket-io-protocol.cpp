#include "socket-io-protocol.h"

#include <algorithm>
#include <array>

#include "json.h"

namespace bench {

namespace {

// The first digit is Engine.IO's packet type; in a message (4), the second one is Socket.IO's.
constexpr std::string_view kEngineOpen = "0";
constexpr std::string_view kEnginePing = "2";
constexpr std::string_view kEnginePong = "3";
constexpr std::string_view kConnect = "40";
constexpr std::string_view kEvent = "42";
constexpr std::string_view kAcknowledgement = "43";

/** Event name for acknowledgements in reports, because acknowledgements have no event name. */
constexpr std::string_view kAcknowledgementName = "ack";

std::string encodeEvent(std::string_view number, std::string_view event, std::string_view payload) {
  std::string frame(kEvent);
  frame.append(number).append("[").append(jsonQuote(event)).append(",");
  return frame.append(payload).append("]");
}

/** Decodes `7[{"n":5}]`, which follows the type of an acknowledgement. */
std::optional<Message> decodeAcknowledgement(std::string_view rest) {
  const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  const std::string_view arguments = rest.substr(digits);
  if (digits == 0 || !arguments.starts_with('[') || !arguments.ends_with(']')) return std::nullopt;
  return Message{kJoinRef, rest.substr(0, digits), {}, kAcknowledgementName, arguments};
}

/** Decodes `["b",{"n":5}]`, which follows the type of an event without acknowledgement. */
std::optional<Message> decodeEvent(std::string_view rest) {
  std::array<std::string_view, 2> raw;
  if (!jsonElements(rest, raw)) return std::nullopt;
  const auto event = jsonStringBody(raw[0]);
  if (!event) return std::nullopt;
  return Message{{}, {}, {}, *event, raw[1]};
}

class SocketIoProtocol final : public Protocol {
 public:
  std::string_view name() const override { return "socket.io"; }
  std::string_view query() const override { return "EIO=4&transport=websocket"; }
  std::string encodeOpening(std::string_view) const override { return {}; }

  std::string encodePush(std::uint64_t ref, std::string_view, std::string_view event,
                         std::string_view payload) const override {
    // Broadcasts are not acknowledged.
    return encodeEvent(event == "b" ? "" : std::to_string(ref), event, payload);
  }

  std::string encodeJoin(std::uint64_t, std::string_view) const override { return {}; }
  std::string encodeLeave(std::uint64_t, std::uint64_t, std::string_view) const override {
    return {};
  }
  std::string encodeHeartbeat(std::uint64_t) const override { return {}; }

  std::optional<std::string> answerTo(std::string_view frame,
                                      std::string_view topic) const override {
    if (frame.starts_with(kEngineOpen)) return std::string(kConnect);
    if (frame.starts_with(kEnginePing)) return std::string(kEnginePong);
    if (frame.starts_with(kConnect)) {
      return encodeEvent(std::to_string(kJoinMessageRef), kJoinEvent, jsonQuote(topic));
    }
    return std::nullopt;
  }

  std::optional<Message> decode(std::string_view frame, std::string_view topic) const override {
    const std::string_view type = frame.substr(0, kEvent.size());
    const std::string_view rest = frame.substr(type.size());
    std::optional<Message> message;
    if (type == kAcknowledgement) message = decodeAcknowledgement(rest);
    if (type == kEvent) message = decodeEvent(rest);
    if (message) message->topic = topic;
    return message;
  }

  std::optional<Reply> decodeReply(const Message& message) const override {
    if (message.ref.empty()) return std::nullopt;
    std::array<std::string_view, 1> raw;
    // An acknowledgement may have no arguments.
    if (!jsonElements(message.payload, raw)) return Reply{"ok", {}};
    return Reply{"ok", raw[0]};
  }
};

}  // namespace

const Protocol& socketIoProtocol() {
  static const SocketIoProtocol protocol;
  return protocol;
}

}  // namespace bench
