#include "connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include "handshake.h"
#include "sha1.h"

namespace bench {

namespace {

/** Longest answer to the handshake. */
constexpr std::size_t kMaxUpgradeBytes = 16 * 1024;
/** Payload of our close frame, and of the one that answers it: 1000 (RFC 6455 §7.4.1). */
constexpr std::string_view kNormalClosure{"\x03\xE8", 2};

/** Masking keeps proxies from being fooled (RFC 6455 §10.3); on loopback any key will do. */
std::uint32_t nextMaskKey() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return static_cast<std::uint32_t>(generator());
}

/** A base64 of 16 bytes that differ from connection to connection. */
std::string makeKey() {
  std::string bytes;
  while (bytes.size() < 16) {
    const std::uint32_t word = nextMaskKey();
    bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  return base64(bytes);
}

std::string errorText(const char* call, int error) {
  return std::string(call) + ": " + std::strerror(error);
}

}  // namespace

Connection::Connection(const ConnectionSetting& setting, std::size_t number, std::string topic,
                       Hearing hearing)
    : setting_(setting), number_(number), topic_(std::move(topic)), hearing_(hearing) {}

Connection::~Connection() { closeDescriptor(); }

void Connection::closeDescriptor() {
  if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
  state_ = ConnectionState::closed;
}

void Connection::fail(const std::string& reason) {
  const bool wasAskedFor = state_ == ConnectionState::closing;
  const bool wasJoined = wasAskedFor || state_ == ConnectionState::joined;
  if (state_ == ConnectionState::closed) return;
  closeDescriptor();
  if (isDeaf() && wasJoined) return setting_.listener.onDeafClosed();
  if (!wasAskedFor) setting_.listener.onFailure(*this, reason);
}

void Connection::open() {
  state_ = ConnectionState::connecting;
  descriptor_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) return fail(errorText("socket", errno));
  const int on = 1;
  setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // The window that the handshake announces depends on it.
  if (isDeaf()) {
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &kDeafReceiveBytes, sizeof kDeafReceiveBytes);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(setting_.target.port);
  address.sin_addr.s_addr = htonl(setting_.target.address);
  if (connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS) {
    return fail(errorText("connect", errno));
  }
  setting_.loop.add(descriptor_, EPOLLIN | EPOLLOUT, *this);
}

void Connection::finishConnecting() {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return fail(errorText("connect", error));
  state_ = ConnectionState::upgrading;
  setting_.loop.change(descriptor_, EPOLLIN, *this);
  key_ = makeKey();
  sendBytes(makeUpgradeRequest(setting_.target.host, setting_.target.path, key_));
}

void Connection::onEvents(std::uint32_t events) {
  if (state_ == ConnectionState::connecting) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) finishConnecting();
    return;
  }
  if (isDeaf() && state_ == ConnectionState::joined) return fail("the server closed");
  if ((events & EPOLLOUT) != 0) flush();
  if (descriptor_ >= 0 && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) receive();
}

void Connection::receive() {
  std::string& input = setting_.buffers.input;
  for (;;) {
    const ssize_t count = recv(descriptor_, input.data(), input.size(), 0);
    // An answer to our close frame, if a poor one: the server may have no room for its own.
    if (count == 0 && state_ == ConnectionState::closing) return closeDescriptor();
    if (count == 0) return fail("the server closed without a close frame");
    if (count < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      return fail(errorText("recv", errno));
    }
    const auto received = static_cast<std::size_t>(count);
    std::string_view bytes(input.data(), received);
    std::string joinedBytes;
    if (!partial_.empty()) {
      joinedBytes = std::exchange(partial_, {}).append(bytes);
      bytes = joinedBytes;
    }
    const std::size_t consumed = consume(bytes, monotonicNow());
    if (descriptor_ < 0) return;
    if (consumed < bytes.size()) partial_ = bytes.substr(consumed);
    if (received < input.size()) return;  // a short read: the kernel has no more
  }
}

std::size_t Connection::consume(std::string_view input, Nanoseconds now) {
  std::size_t consumed = 0;
  while (descriptor_ >= 0 && consumed < input.size()) {
    const std::string_view rest = input.substr(consumed);
    const std::size_t step = state_ == ConnectionState::upgrading ? consumeUpgrade(rest)
                                                                  : consumeFrame(rest, now);
    if (step == 0) break;
    consumed += step;
  }
  return consumed;
}

std::size_t Connection::consumeUpgrade(std::string_view input) {
  const std::size_t end = input.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (input.size() > kMaxUpgradeBytes) fail("the handshake's answer does not end");
    return 0;
  }
  if (const auto trouble = checkUpgradeResponse(input.substr(0, end + 2), key_)) {
    fail(*trouble);
    return 0;
  }
  key_ = {};
  state_ = ConnectionState::joining;
  const std::string opening = setting_.protocol.encodeOpening(topic_);
  if (!opening.empty()) sendFrame(Opcode::text, opening);
  return end + 4;
}

std::size_t Connection::consumeFrame(std::string_view input, Nanoseconds now) {
  FrameHeader header;
  const HeaderStatus status = decodeHeader(input, header);
  if (status == HeaderStatus::incomplete) return 0;
  if (status == HeaderStatus::invalid || header.isMasked ||
      header.payloadBytes > kMaxMessageBytes) {
    fail("the server sent a frame that is invalid, masked or too long");
    return 0;
  }
  const std::size_t length = header.headerBytes + static_cast<std::size_t>(header.payloadBytes);
  if (input.size() < length) return 0;
  if (!header.isFinal || header.opcode == Opcode::continuation) {
    fail("the server sent a message in fragments, which this program does not read");
    return 0;
  }
  handleFrame(header.opcode, input.substr(header.headerBytes, length - header.headerBytes), now);
  return length;
}

void Connection::handleFrame(Opcode opcode, std::string_view payload, Nanoseconds now) {
  switch (opcode) {
    case Opcode::text:
      return handleText(payload, now);
    case Opcode::ping:
      return sendFrame(Opcode::pong, payload);
    case Opcode::close:
      return handleClose(payload);
    case Opcode::binary:
      return fail("the server sent a binary frame, which no scenario asks for");
    case Opcode::pong:
    case Opcode::continuation:
      return;
  }
}

void Connection::handleText(std::string_view text, Nanoseconds now) {
  const Protocol& protocol = setting_.protocol;
  // Read with its join's reply, or after leave().
  if (isDeaf() && state_ != ConnectionState::joining) return;
  if (const auto answer = protocol.answerTo(text, topic_)) return sendFrame(Opcode::text, *answer);
  const std::optional<Message> message = protocol.decode(text, topic_);
  if (!message) {
    return fail("the server sent a text that is no message of " + std::string(protocol.name()) +
                ": " + std::string(text));
  }
  if (message->topic == kHeartbeatTopic) return handleHeartbeatReply(*message);
  if (message->topic != topic_) return fail("got a message for " + std::string(message->topic));
  if (state_ == ConnectionState::joining) return handleJoinReply(*message, now);
  if (message->event == "phx_error" || message->event == "phx_close") {
    return fail("the channel ended with " + std::string(message->event));
  }
  setting_.listener.onMessage(*this, *message, now);
}

void Connection::handleJoinReply(const Message& message, Nanoseconds now) {
  const std::optional<Reply> reply = setting_.protocol.decodeReply(message);
  if (!reply || message.joinRef != kJoinRef || message.ref != std::to_string(kJoinMessageRef)) {
    return fail("the join was answered with " + std::string(message.event));
  }
  if (reply->status != "ok") return fail("the join was refused: " + std::string(message.payload));
  state_ = ConnectionState::joined;
  if (isDeaf()) stopReading();
  setting_.listener.onJoined(*this, now);
}

void Connection::stopReading() {
  // A reset is told of in any case (EPOLLERR, EPOLLHUP), an end that is not behind other bytes so.
  setting_.loop.change(descriptor_, EPOLLRDHUP, *this);
}

void Connection::heartbeat() {
  if (awaitsHeartbeat_) return fail("a heartbeat had no reply before the next was due");
  const std::string frame = setting_.protocol.encodeHeartbeat(heartbeats_ + 1);
  if (frame.empty()) return;
  awaitsHeartbeat_ = true;
  ++heartbeats_;
  sendFrame(Opcode::text, frame);
}

void Connection::handleHeartbeatReply(const Message& message) {
  const std::optional<Reply> reply = setting_.protocol.decodeReply(message);
  const bool isExpected = awaitsHeartbeat_ && message.ref == std::to_string(heartbeats_);
  if (!reply || reply->status != "ok" || !isExpected) {
    return fail("a heartbeat was answered with " + std::string(message.payload));
  }
  awaitsHeartbeat_ = false;
  setting_.listener.onHeartbeatReply();
}

void Connection::handleClose(std::string_view payload) {
  if (state_ == ConnectionState::closing && payload == kNormalClosure) return closeDescriptor();
  std::string code = "no code";
  if (payload.size() >= 2) {
    const auto high = static_cast<std::uint8_t>(payload[0]);
    const auto low = static_cast<std::uint8_t>(payload[1]);
    code = "code " + std::to_string(high << 8 | low);
  }
  fail("the server closed with " + code);
}

void Connection::push(std::uint64_t ref, std::string_view event, std::string_view payload) {
  sendFrame(Opcode::text, setting_.protocol.encodePush(ref, topic_, event, payload));
}

void Connection::leave() {
  if (state_ != ConnectionState::joined) return closeDescriptor();
  state_ = ConnectionState::closing;
  if (isDeaf()) setting_.loop.change(descriptor_, EPOLLIN, *this);
  sendFrame(Opcode::close, kNormalClosure);
}

void Connection::sendFrame(Opcode opcode, std::string_view payload) {
  std::string& frame = setting_.buffers.output;
  frame.clear();
  appendFrame(frame, opcode, payload, nextMaskKey());
  sendBytes(frame);
}

void Connection::sendBytes(std::string_view bytes) {
  if (!outbox_.empty()) {
    outbox_ += bytes;
    return;
  }
  ssize_t sent = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR) return fail(errorText("send", errno));
    sent = 0;
  }
  if (static_cast<std::size_t>(sent) == bytes.size()) return;
  outbox_ = bytes.substr(static_cast<std::size_t>(sent));
  setting_.loop.change(descriptor_, EPOLLIN | EPOLLOUT, *this);
}

void Connection::flush() {
  const std::string waiting = std::exchange(outbox_, {});
  sendBytes(waiting);
  if (descriptor_ >= 0 && outbox_.empty()) setting_.loop.change(descriptor_, EPOLLIN, *this);
}

}  // namespace bench
