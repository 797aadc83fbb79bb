// Scenario `joins`: a join storm. Connections take turns to join another topic, and leave it as soon
// as the join is confirmed.
//
// Send `s` is the join of connection `s % connections` in its turn `s / connections`. Connections
// cycle through `topics` topics from different starting points, so that each turn joins all of them.
// The leave's reply and phx_close must each arrive at most once; they do not count as deliveries.
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
    // Numbered after the connections' own topics.
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
