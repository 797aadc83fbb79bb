// Scenario `connect`: opens and joins each connection once, on schedule, and sends nothing.
#include "../scenario.h"

namespace bench {

namespace {

class Connect final : public Scenario {
 public:
  std::string topicOf(std::size_t connection) const override {
    return "bench:" + std::to_string(connection);
  }
  void send(Connections&, std::uint64_t) override {}
  std::uint64_t deliveriesPerSend() const override { return 0; }
  std::optional<Delivery> check(const Connection&, const Message&) override {
    return std::nullopt;
  }
};

}  // namespace

std::unique_ptr<Scenario> makeConnect(const Options&) { return std::make_unique<Connect>(); }

}  // namespace bench
