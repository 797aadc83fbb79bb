// Scenario `mixed`: plays a recorded day (day.h, day-plan.h). Visitors come and go, while residents,
// which are present all day, push, broadcast and join topics.
//
// Connection `c` joins topic `c % topics`. There are at most as many topics as residents, so each
// topic has at least one. Residents take turns to push and join. Broadcast `b` is number `b / topics`
// of topic `b % topics`, whose residents take turns to send.
//
// What must arrive:
//
//   a push        its reply, once, on the resident's connection
//   a join        its reply, once; the topic is then left again (more-topics.h)
//   an arrival    the reply to the join of the visitor's own topic, before it has to leave
//   a broadcast   once at each resident of its topic, those of one sender in order
//   visitors      Nobody can say in advance whether a visitor is present for a broadcast. But once it
//                 has received one from a sender, it must receive all that follow from that sender
//                 until it leaves, none of them twice. A gap counts as out of order.
#include <algorithm>
#include <string>
#include <vector>

#include "../day-plan.h"
#include "../more-topics.h"
#include "../payload.h"
#include "../scenario.h"
#include "../sequence.h"

namespace bench {

namespace {

class Mixed final : public Scenario {
 public:
  Mixed(const Options& options, Share share)
      : share_(share),
        plan_(options.day),
        end_(plan_.parts().back().end()),
        topics_(std::min<std::uint64_t>(options.topics, plan_.residents())),
        moreTopics_(options.topics),
        prefix_(options.topicPrefix),
        payload_(options.payloadBytes),
        replied_(plan_.residents()),
        received_(plan_.residents()),
        visits_(options.connections - plan_.residents()),
        residentsHere_(topics_, 0) {
    for (std::size_t number = share.thread; number < plan_.residents(); number += share.threads) {
      ++residentsHere_[topicOf(number)];
    }
  }

  Work work() const override { return Work::day; }
  std::size_t firstConnections() const override { return plan_.residents(); }
  std::uint64_t topicOf(std::size_t connection) const override { return connection % topics_; }

  std::size_t senderOf(std::uint64_t send) const override {
    const Step step = plan_.stepOf(send);
    switch (step.action) {
      case Action::come:
      case Action::go:
        return plan_.visitorOf(step.turn);
      case Action::push:
      case Action::join:
        return step.turn % plan_.residents();
      case Action::broadcast:
        break;
    }
    const std::uint64_t topic = step.turn % topics_;
    return topic + step.turn / topics_ % residentsOf(topic) * topics_;
  }

  std::uint64_t owedFor(std::uint64_t send) override {
    const Step step = plan_.stepOf(send);
    if (step.action == Action::go) return 0;
    if (step.action == Action::broadcast) return residentsHere_[step.turn % topics_];
    return share_.has(senderOf(send)) ? 1 : 0;
  }

  void send(Connection& sender, std::uint64_t send) override {
    const Step step = plan_.stepOf(send);
    switch (step.action) {
      case Action::come:
        visitOf(sender) = {send, std::vector<std::uint64_t>(residentsOf(topicOf(sender.number())), 0)};
        return sender.open();
      case Action::go:
        if (sender.state() == ConnectionState::joined) return sender.leave();
        return sender.fail("had to leave before it had joined: the visit was shorter than a join");
      case Action::push:
        return sender.push(kFirstPushRef + send, "e", payload_.encode(send));
      case Action::broadcast:
        return sender.push(kFirstPushRef + send, "b", payload_.encode(send));
      case Action::join:
        return more_.join(sender, send, prefix_ + std::to_string(moreTopicOf(step.turn)));
    }
  }

  std::optional<Delivery> joined(const Connection& connection) override {
    return Delivery{.send = visitOf(connection).send};
  }

  std::optional<Delivery> check(Connection& connection, const Message& message) override {
    if (message.topic != connection.topic()) return more_.check(connection, message);
    const bool isBroadcast = message.event == "b";
    const auto reply = connection.protocol().decodeReply(message);
    if (!isBroadcast && (!reply || reply->status != "ok" || message.joinRef != kJoinRef)) return {};
    const auto send = payload_.decode(isBroadcast ? message.payload : reply->response);
    if (!send || *send >= end_) return {};
    const Step step = plan_.stepOf(*send);
    if (step.action != (isBroadcast ? Action::broadcast : Action::push)) return {};
    if (isBroadcast) return checkBroadcast(connection.number(), *send, step.turn);
    if (jsonUnsigned(message.ref) != kFirstPushRef + *send) return {};
    return checkReply(connection.number(), *send, step.turn);
  }

 private:
  /** A visit: the send that opened it, and the next broadcast expected from each sender in its topic. */
  struct Visit {
    std::uint64_t send = 0;
    /** 0 until the first broadcast of that sender has arrived. */
    std::vector<std::uint64_t> next;
  };

  std::uint64_t residentsOf(std::uint64_t topic) const {
    return (plan_.residents() - topic + topics_ - 1) / topics_;
  }
  /** Numbered after the connections' own topics. */
  std::uint64_t moreTopicOf(std::uint64_t turn) const {
    return topics_ + (turn % plan_.residents() + turn / plan_.residents()) % moreTopics_;
  }
  bool isResident(std::size_t number) const { return number < plan_.residents(); }
  Visit& visitOf(const Connection& visitor) { return visits_[visitor.number() - plan_.residents()]; }

  std::optional<Delivery> checkReply(std::size_t number, std::uint64_t send, std::uint64_t turn) {
    if (turn % plan_.residents() != number) return {};
    const std::uint64_t own = turn / plan_.residents();
    Sequence& replied = replied_[number];
    const bool isDisordered = replied.hasArrived(own + 1);
    return Delivery{.send = send, .isDoubled = !replied.arrive(own), .isDisordered = isDisordered};
  }

  std::optional<Delivery> checkBroadcast(std::size_t number, std::uint64_t send, std::uint64_t turn) {
    const std::uint64_t topic = turn % topics_;
    if (topic != topicOf(number)) return {};
    const std::uint64_t own = turn / topics_;
    const std::uint64_t senders = residentsOf(topic);
    if (isResident(number)) {
      Sequence& received = received_[number];
      const bool isDisordered = received.hasArrived(own + senders);
      return Delivery{.send = send, .isDoubled = !received.arrive(own), .isDisordered = isDisordered};
    }
    std::uint64_t& next = visits_[number - plan_.residents()].next[own % senders];
    Delivery delivery{.send = send, .due = Due::unowed};
    delivery.isDoubled = own + senders == next;
    delivery.isDisordered = !delivery.isDoubled && next != 0 && own != next;
    if (own + senders > next) next = own + senders;
    return delivery;
  }

  const Share share_;
  const DayPlan plan_;
  const std::uint64_t end_;
  const std::uint64_t topics_;
  const std::uint64_t moreTopics_;
  const std::string prefix_;
  const Payload payload_;
  MoreTopics more_;
  /**
   * Pushes of each resident that have been replied to, and broadcasts of its topic that it has
   * received.
   */
  std::vector<Sequence> replied_;
  std::vector<Sequence> received_;
  /** The current visits, by visitor. */
  std::vector<Visit> visits_;
  /** Number of each topic's residents among the connections of this thread. */
  std::vector<std::uint64_t> residentsHere_;
};

}  // namespace

std::unique_ptr<Scenario> makeMixed(const Options& options, Share share) {
  return std::make_unique<Mixed>(options, share);
}

}  // namespace bench
