// Scenario `fanout`: members of a topic take turns to broadcast `b` to all its members.
//
// A topic's members are neighbours by number: connections are dealt to shards in turn, so the
// members of each topic lie on all shards. (With `number % topics`, 100 topics on two shards
// would put each topic on one shard alone, and nothing would ever cross.)
//
// The last members of each topic may be deaf: neighbours as well, so that they too lie on all
// shards. The others are its readers.
//
// Send `s` goes to topic `s % topics`, as that topic's broadcast `b = s / topics`, from its
// reader `b % readers`. Each reader must get every broadcast of its topic once, those of one
// sender in order; between two senders nothing is promised.
#include <vector>

#include "../payload.h"
#include "../scenario.h"
#include "../sequence.h"

namespace bench {

namespace {

class Fanout final : public Scenario {
 public:
  Fanout(const Options& options, Share share)
      : topics_(options.topics),
        members_(options.connections / options.topics),
        readers_(members_ - options.deaf / options.topics),
        payload_(options.payloadBytes),
        received_(options.connections),
        readersHere_(options.topics, 0) {
    for (std::size_t number = share.thread; number < options.connections; number += share.threads) {
      if (hearingOf(number) == Hearing::good) ++readersHere_[number / members_];
    }
  }

  std::uint64_t topicOf(std::size_t connection) const override { return connection / members_; }

  Hearing hearingOf(std::size_t connection) const override {
    return connection % members_ < readers_ ? Hearing::good : Hearing::deaf;
  }

  std::size_t senderOf(std::uint64_t send) const override {
    return send % topics_ * members_ + send / topics_ % readers_;
  }

  std::uint64_t owedFor(std::uint64_t send) override { return readersHere_[send % topics_]; }

  void send(Connection& sender, std::uint64_t send) override {
    sender.push(kFirstPushRef + send, "b", payload_.encode(send));
  }

  std::optional<Delivery> check(const Connection& connection, const Message& message) override {
    if (message.event != "b") return std::nullopt;
    const auto send = payload_.decode(message.payload);
    if (!send || *send % topics_ != connection.number() / members_) return std::nullopt;
    const std::uint64_t broadcast = *send / topics_;
    Sequence& received = received_[connection.number()];
    const bool isDisordered = received.hasArrived(broadcast + readers_);
    return Delivery{*send, !received.arrive(broadcast), isDisordered};
  }

 private:
  const std::uint64_t topics_;
  const std::uint64_t members_;
  /** Those of its members that read. */
  const std::uint64_t readers_;
  const Payload payload_;
  /** By connection: which of its topic's broadcasts it got. */
  std::vector<Sequence> received_;
  /** By topic: its readers among the connections of this thread. */
  std::vector<std::uint64_t> readersHere_;
};

}  // namespace

std::unique_ptr<Scenario> makeFanout(const Options& options, Share share) {
  return std::make_unique<Fanout>(options, share);
}

}  // namespace bench
