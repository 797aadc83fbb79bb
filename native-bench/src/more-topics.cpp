#include "more-topics.h"

#include <utility>

#include "json.h"

namespace bench {

namespace {

constexpr std::uint64_t kFirstJoinRef = 1000;

std::uint64_t joinRefOf(std::uint64_t send) { return kFirstJoinRef + 2 * send; }

}  // namespace

void MoreTopics::join(Connection& connection, std::uint64_t send, std::string topic) {
  connection.joinAlso(joinRefOf(send), topic);
  visits_.insert_or_assign(send, Visit{connection.number(), std::move(topic)});
}

std::optional<Delivery> MoreTopics::check(Connection& connection, const Message& message) {
  const auto joinRef = jsonUnsigned(message.joinRef);
  if (!joinRef || *joinRef < kFirstJoinRef) return std::nullopt;
  const std::uint64_t send = (*joinRef - kFirstJoinRef) / 2;
  const auto found = visits_.find(send);
  if (found == visits_.end() || *joinRef != joinRefOf(send)) return std::nullopt;
  Visit& visit = found->second;
  if (visit.connection != connection.number() || visit.topic != message.topic) return std::nullopt;
  const std::uint64_t leaveRef = *joinRef + 1;
  const auto reply = connection.protocol().decodeReply(message);
  if (!visit.isJoined) {
    const bool isOk = reply && reply->status == "ok" && jsonUnsigned(message.ref) == *joinRef;
    if (!isOk) return std::nullopt;
    visit.isJoined = true;
    connection.leaveAlso(*joinRef, leaveRef, visit.topic);
    return Delivery{send};
  }
  const bool isReply = reply && reply->status == "ok" && jsonUnsigned(message.ref) == leaveRef;
  bool& mark = isReply ? visit.hasReply : visit.hasClosed;
  if ((!isReply && message.event != "phx_close") || std::exchange(mark, true)) return std::nullopt;
  if (visit.hasReply && visit.hasClosed) visits_.erase(found);
  return Delivery{.send = send, .due = Due::chore};
}

}  // namespace bench
