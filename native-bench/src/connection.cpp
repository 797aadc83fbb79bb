#include "connection.h"

#include <utility>

namespace bench {

Connection::Connection(const ConnectionSetting& setting, std::size_t number, std::string topic,
                       Hearing hearing)
    : setting_(setting), number_(number), topic_(std::move(topic)), hearing_(hearing) {}

Connection::~Connection() = default;

void Connection::open() {
  state_ = ConnectionState::opening;
  awaitsHeartbeat_ = false;
  hasMoreTopics_ = false;
  heartbeats_ = 0;
  const int receiveBytes = hearing_ == Hearing::good ? 0 : kSmallReceiveBytes;
  transport_ = makeTransport({setting_.loop, setting_.buffers, setting_.target, receiveBytes}, *this);
  transport_->open();
}

void Connection::onOpen() {
  state_ = ConnectionState::joining;
  const std::string opening = setting_.protocol.encodeOpening(topic_);
  if (!opening.empty()) transport_->send(opening);
}

void Connection::onClosed(const std::string& reason) {
  const ConnectionState last = std::exchange(state_, ConnectionState::closed);
  if (reason.empty()) return;
  const bool wasAskedFor = last == ConnectionState::closing;
  if (hearing_ != Hearing::good && (wasAskedFor || last == ConnectionState::joined)) {
    return setting_.listener.onCutOff(*this);
  }
  if (!wasAskedFor) setting_.listener.onFailure(*this, reason);
}

void Connection::fail(const std::string& reason) {
  if (state_ == ConnectionState::closed) return;
  transport_->drop(Drop::end);
  onClosed(reason);
}

void Connection::drop(Drop how) {
  if (transport_) transport_->drop(how);
  state_ = ConnectionState::closed;
}

void Connection::onText(std::string_view text, Nanoseconds now) {
  const Protocol& protocol = setting_.protocol;
  // The message arrived together with the reply to the join, or after leave().
  if (hearing_ == Hearing::deaf && state_ != ConnectionState::joining) return;
  if (const auto answer = protocol.answerTo(text, topic_)) return transport_->send(*answer);
  const std::optional<Message> message = protocol.decode(text, topic_);
  if (!message) {
    return fail("the server sent text that is not a " + std::string(protocol.name()) +
                " message: " + std::string(text));
  }
  if (message->topic == kHeartbeatTopic) return handleHeartbeatReply(*message);
  if (message->topic == topic_) return handleOwn(*message, now);
  if (!hasMoreTopics_) return fail("received a message for " + std::string(message->topic));
  setting_.listener.onMessage(*this, *message, now);
}

void Connection::handleOwn(const Message& message, Nanoseconds now) {
  if (state_ == ConnectionState::joining) return handleJoinReply(message, now);
  if (message.event == "phx_error" || message.event == "phx_close") {
    return fail("the channel ended with " + std::string(message.event));
  }
  setting_.listener.onMessage(*this, message, now);
}

void Connection::handleJoinReply(const Message& message, Nanoseconds now) {
  const std::optional<Reply> reply = setting_.protocol.decodeReply(message);
  if (!reply || message.joinRef != kJoinRef || message.ref != std::to_string(kJoinMessageRef)) {
    return fail("the join was answered with " + std::string(message.event));
  }
  if (reply->status != "ok") return fail("the join was refused: " + std::string(message.payload));
  state_ = ConnectionState::joined;
  if (hearing_ != Hearing::good) transport_->stopReading();
  setting_.listener.onJoined(*this, now);
}

void Connection::readSome(std::size_t most) { transport_->readSome(most); }

void Connection::readFreely(bool isFree) {
  if (isFree) return transport_->readAgain();
  transport_->stopReading();
}

void Connection::heartbeat() {
  if (!transport_->hasHeartbeats()) return;
  if (awaitsHeartbeat_ && hearing_ == Hearing::slow) return;
  if (awaitsHeartbeat_) return fail("a heartbeat had no reply before the next was due");
  const std::string frame = setting_.protocol.encodeHeartbeat(heartbeats_ + 1);
  if (frame.empty()) return;
  awaitsHeartbeat_ = true;
  ++heartbeats_;
  transport_->send(frame);
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

void Connection::push(std::uint64_t ref, std::string_view event, std::string_view payload) {
  transport_->send(setting_.protocol.encodePush(ref, topic_, event, payload));
}

void Connection::joinAlso(std::uint64_t joinRef, std::string_view topic) {
  hasMoreTopics_ = true;
  transport_->send(setting_.protocol.encodeJoin(joinRef, topic));
}

void Connection::leaveAlso(std::uint64_t joinRef, std::uint64_t ref, std::string_view topic) {
  transport_->send(setting_.protocol.encodeLeave(joinRef, ref, topic));
}

void Connection::leave() {
  if (state_ != ConnectionState::joined) return drop(Drop::end);
  state_ = ConnectionState::closing;
  transport_->close();
}

void Connection::cut() { drop(Drop::reset); }

}  // namespace bench
