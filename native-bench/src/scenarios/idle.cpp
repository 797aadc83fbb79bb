// Scenario `idle`: connections are joined and held. Heartbeats go to and fro, spread evenly, and
// nothing else: what a connection costs that is merely there.
#include "../scenario.h"

namespace bench {

namespace {

class Idle final : public Scenario {
 public:
  Work work() const override { return Work::held; }
  std::uint64_t topicOf(std::size_t connection) const override { return connection; }
  std::size_t senderOf(std::uint64_t) const override { return 0; }
  std::uint64_t owedFor(std::uint64_t) override { return 0; }
  void send(Connection&, std::uint64_t) override {}
  std::optional<Delivery> check(Connection&, const Message&) override {
    return std::nullopt;
  }
};

}  // namespace

std::unique_ptr<Scenario> makeIdle(const Options&, Share) { return std::make_unique<Idle>(); }

}  // namespace bench
