// Scenario `fanout`: members of a topic take turns to broadcast `b` to all its members.
//
// `topic-members.h` assigns members to topics, `topic-turns.h` assigns sends to topics. Broadcast
// number `turn` of a topic is sent by its reader `turn % readers`. Each reader must receive every
// broadcast of its topic once, and the broadcasts of one sender in order; there is no order between
// senders.
//
// The same holds for slow connections, but their deliveries are checked only when everything has
// been sent. Deaf connections are owed nothing.
#include <vector>

#include "../payload.h"
#include "../scenario.h"
#include "../sequence.h"
#include "../topic-members.h"
#include "../topic-turns.h"

namespace bench {

namespace {

class Fanout final : public Scenario {
 public:
  Fanout(const Options& options, Share share)
      : members_(options),
        turns_(options.topics, options.skew),
        payload_(options.payloadBytes),
        received_(options.connections),
        readersHere_(options.topics, 0),
        walked_(options.topics, 0) {
    for (std::size_t number = share.thread; number < options.connections; number += share.threads) {
      if (hearingOf(number) == Hearing::good) ++readersHere_[topicOf(number)];
    }
  }

  std::uint64_t topicOf(std::size_t connection) const override {
    return members_.topicOf(connection);
  }

  Hearing hearingOf(std::size_t connection) const override {
    return members_.hearingOf(connection);
  }

  std::size_t senderOf(std::uint64_t send) const override {
    const auto [topic, turn] = turns_.of(send);
    return members_.readerOf(topic, turn % members_.readersOf(topic));
  }

  std::uint64_t owedFor(std::uint64_t send) override {
    const std::size_t topic = turns_.of(send).topic;
    ++walked_[topic];
    return readersHere_[topic];
  }

  void send(Connection& sender, std::uint64_t send) override {
    sender.push(kFirstPushRef + send, "b", payload_.encode(send));
  }

  std::optional<Delivery> check(Connection& connection, const Message& message) override {
    if (message.event != "b") return std::nullopt;
    const auto send = payload_.decode(message.payload);
    if (!send) return std::nullopt;
    const auto [topic, turn] = turns_.of(*send);
    if (topic != topicOf(connection.number())) return std::nullopt;
    Sequence& received = received_[connection.number()];
    const bool isDisordered = received.hasArrived(turn + members_.readersOf(topic));
    return Delivery{*send, !received.arrive(turn), isDisordered};
  }

  std::uint64_t outstandingFor(const Connection& connection) const override {
    return walked_[topicOf(connection.number())] - received_[connection.number()].count();
  }

 private:
  const TopicMembers members_;
  const TopicTurns turns_;
  const Payload payload_;
  /** Broadcasts of its topic that each connection has received. */
  std::vector<Sequence> received_;
  /** Number of each topic's readers among the connections of this thread. */
  std::vector<std::uint64_t> readersHere_;
  /** Number of each topic's sends that this thread has gone through. */
  std::vector<std::uint64_t> walked_;
};

}  // namespace

std::unique_ptr<Scenario> makeFanout(const Options& options, Share share) {
  return std::make_unique<Fanout>(options, share);
}

}  // namespace bench
