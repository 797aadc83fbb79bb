// Scenario `joins`: a storm of joins. Connections take turns to join one more topic, and leave it
// when its join is replied to, so that it can go on.
//
// Send `s` is the join of connection `s % connections`, in its turn `s / connections`. It goes
// through `topics` topics, from a number of its own on, so that in each turn all of them are joined.
// The leave's reply and phx_close must come once at most; they are no deliveries.
#include <string>

#include "../more-topics.h"
#include "../scenario.h"

namespace bench {

namespace {

class Joins final : public Scenario {
 public:
  Joins(const Options& options, Share share)
      : share_(share),
        connections_(options.connections),
        topics_(options.topics),
        prefix_(options.topicPrefix) {}

  std::uint64_t topicOf(std::size_t connection) const override { return connection; }
  std::size_t senderOf(std::uint64_t send) const override { return send % connections_; }
  std::uint64_t owedFor(std::uint64_t send) override { return share_.has(senderOf(send)) ? 1 : 0; }

  void send(Connection& sender, std::uint64_t send) override {
    // Behind the topics that are the connections' own.
    const std::uint64_t topic = connections_ + (sender.number() + send / connections_) % topics_;
    more_.join(sender, send, prefix_ + std::to_string(topic));
  }

  std::optional<Delivery> check(Connection& connection, const Message& message) override {
    return more_.check(connection, message);
  }

 private:
  const Share share_;
  const std::uint64_t connections_;
  const std::uint64_t topics_;
  const std::string prefix_;
  MoreTopics more_;
};

}  // namespace

std::unique_ptr<Scenario> makeJoins(const Options& options, Share share) {
  return std::make_unique<Joins>(options, share);
}

}  // namespace bench
