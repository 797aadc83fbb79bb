// Scenarios `connect` and `idle`: each connection joins its own topic and sends nothing else.
// `connect` measures the joins. `idle` then holds the connections, with evenly spread heartbeats,
// and measures the cost of an idle connection.
#include "../scenario.h"

namespace bench {

namespace {

class Quiet final : public Scenario {
 public:
  explicit Quiet(Work work) : work_(work) {}

  Work work() const override { return work_; }
  std::uint64_t topicOf(std::size_t connection) const override { return connection; }
  std::size_t senderOf(std::uint64_t) const override { return 0; }
  std::uint64_t owedFor(std::uint64_t) override { return 0; }
  void send(Connection&, std::uint64_t) override {}
  std::optional<Delivery> check(Connection&, const Message&) override { return std::nullopt; }

 private:
  const Work work_;
};

}  // namespace

std::unique_ptr<Scenario> makeConnect(const Options&, Share) {
  return std::make_unique<Quiet>(Work::none);
}

std::unique_ptr<Scenario> makeIdle(const Options&, Share) {
  return std::make_unique<Quiet>(Work::held);
}

}  // namespace bench
