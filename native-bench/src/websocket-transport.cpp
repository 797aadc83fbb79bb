// A WebSocket client (RFC 6455), with one text frame per message.
//
//   connecting --connected--> upgrading --101--> open --close()--> closing --> closed
//        |                        |               |
//        +------------------------+--- trouble ---+--> closed
//
// The expected answer to our close frame is a close frame with code 1000, or an end. Anything else
// means that the server had already closed, or is an error.
#include <random>

#include "handshake.h"
#include "sha1.h"
#include "transport.h"
#include "websocket-frame.h"

namespace bench {

namespace {

/** Maximum length of the response to the handshake. */
constexpr std::size_t kMaxUpgradeBytes = 16 * 1024;
/** Payload of our close frame and of the close frame that answers it: 1000 (RFC 6455 §7.4.1). */
constexpr std::string_view kNormalClosure{"\x03\xE8", 2};

/** Creates a mask key. Masking protects proxies (RFC 6455 §10.3); on loopback any key will do. */
std::uint32_t nextMaskKey() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return static_cast<std::uint32_t>(generator());
}

/** Creates the base64 of 16 random bytes. */
std::string makeKey() {
  std::string bytes;
  while (bytes.size() < 16) {
    const std::uint32_t word = nextMaskKey();
    bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  return base64(bytes);
}

class WebSocketTransport final : public Transport, private StreamListener {
 public:
  WebSocketTransport(const StreamSetting& setting, TransportListener& listener)
      : target_(setting.target),
        output_(setting.buffers.output),
        listener_(listener),
        stream_(setting, *this) {}

  void open() override { stream_.open(); }
  void send(std::string_view text) override { sendFrame(Opcode::text, text); }
  bool hasHeartbeats() const override { return true; }
  void stopReading() override { stream_.stopReading(); }
  void readSome(std::size_t most) override { stream_.readSome(most); }
  void readAgain() override { stream_.readAgain(); }

  void close() override {
    state_ = State::closing;
    // A deaf connection must read again to see the answer.
    stream_.readAgain();
    sendFrame(Opcode::close, kNormalClosure);
  }

  void drop(Drop how) override {
    if (how == Drop::reset) stream_.reset();
    stream_.close();
  }

 private:
  enum class State { upgrading, open, closing };

  void onConnected() override {
    key_ = makeKey();
    stream_.send(makeUpgradeRequest(target_.host, target_.path, key_));
  }

  void onEnd(const std::string& reason) override {
    // An end is also a valid answer to our close frame, because the server may have had no room for
    // its own close frame.
    if (!reason.empty()) return listener_.onClosed(reason);
    listener_.onClosed(state_ == State::closing ? "" : "the server closed without a close frame");
  }

  std::size_t onBytes(std::string_view bytes, Nanoseconds now) override {
    std::size_t consumed = 0;
    while (!stream_.isClosed() && consumed < bytes.size()) {
      const std::string_view rest = bytes.substr(consumed);
      const std::size_t step =
          state_ == State::upgrading ? consumeUpgrade(rest) : consumeFrame(rest, now);
      if (step == 0) break;
      consumed += step;
    }
    return consumed;
  }

  void end(const std::string& reason) {
    stream_.close();
    listener_.onClosed(reason);
  }

  std::size_t consumeUpgrade(std::string_view input) {
    const std::size_t head = input.find("\r\n\r\n");
    if (head == std::string_view::npos) {
      if (input.size() > kMaxUpgradeBytes) end("the handshake response is too long");
      return 0;
    }
    if (const auto trouble = checkUpgradeResponse(input.substr(0, head + 2), key_)) {
      end(*trouble);
      return 0;
    }
    key_ = {};
    state_ = State::open;
    listener_.onOpen();
    return head + 4;
  }

  std::size_t consumeFrame(std::string_view input, Nanoseconds now) {
    FrameHeader header;
    const HeaderStatus status = decodeHeader(input, header);
    if (status == HeaderStatus::incomplete) return 0;
    if (status == HeaderStatus::invalid || header.isMasked ||
        header.payloadBytes > kMaxMessageBytes) {
      end("the server sent a frame that is invalid, masked or too long");
      return 0;
    }
    const std::size_t length = header.headerBytes + static_cast<std::size_t>(header.payloadBytes);
    if (input.size() < length) return 0;
    if (!header.isFinal || header.opcode == Opcode::continuation) {
      end("the server sent a fragmented message, which this program does not support");
      return 0;
    }
    handleFrame(header.opcode, input.substr(header.headerBytes, length - header.headerBytes), now);
    return length;
  }

  void handleFrame(Opcode opcode, std::string_view payload, Nanoseconds now) {
    switch (opcode) {
      case Opcode::text:
        return listener_.onText(payload, now);
      case Opcode::ping:
        return sendFrame(Opcode::pong, payload);
      case Opcode::close:
        return handleClose(payload);
      case Opcode::binary:
        return end("the server sent a binary frame, which no scenario expects");
      case Opcode::pong:
      case Opcode::continuation:
        return;
    }
  }

  void handleClose(std::string_view payload) {
    if (state_ == State::closing && payload == kNormalClosure) return end({});
    std::string code = "no code";
    if (payload.size() >= 2) {
      const auto high = static_cast<std::uint8_t>(payload[0]);
      const auto low = static_cast<std::uint8_t>(payload[1]);
      code = "code " + std::to_string(high << 8 | low);
    }
    end("the server closed with " + code);
  }

  void sendFrame(Opcode opcode, std::string_view payload) {
    output_.clear();
    appendFrame(output_, opcode, payload, nextMaskKey());
    stream_.send(output_);
  }

  const Target& target_;
  std::string& output_;
  TransportListener& listener_;
  State state_ = State::upgrading;
  std::string key_;
  Stream stream_;
};

}  // namespace

std::unique_ptr<Transport> makeWebSocketTransport(const StreamSetting& setting,
                                                  TransportListener& listener) {
  return std::make_unique<WebSocketTransport>(setting, listener);
}

}  // namespace bench
