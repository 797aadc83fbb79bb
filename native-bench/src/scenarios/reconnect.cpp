// Scenario `reconnect`: all connections join, are all reset at once, and return on a schedule with
// the rate `--rate`.
//
// Phoenix's clients would all reconnect after 10 ms, because their steps have no jitter. How that
// burst reaches a server depends on its load balancer and listen queue. A fixed rate instead shows
// how many connections per second the server can accept again.
//
// Send `s` is the return of connection `s`, which must join again.
#include "../scenario.h"

namespace bench {

namespace {

class Reconnect final : public Scenario {
 public:
  explicit Reconnect(Share share) : share_(share) {}

  Work work() const override { return Work::returns; }
  std::uint64_t topicOf(std::size_t connection) const override { return connection; }
  std::size_t senderOf(std::uint64_t send) const override { return static_cast<std::size_t>(send); }
  std::uint64_t owedFor(std::uint64_t send) override { return share_.has(senderOf(send)) ? 1 : 0; }
  void send(Connection& sender, std::uint64_t) override { sender.open(); }
  std::optional<Delivery> joined(const Connection& connection) override {
    return Delivery{.send = connection.number()};
  }
  std::optional<Delivery> check(Connection&, const Message&) override { return std::nullopt; }

 private:
  const Share share_;
};

}  // namespace

std::unique_ptr<Scenario> makeReconnect(const Options&, Share share) {
  return std::make_unique<Reconnect>(share);
}

}  // namespace bench
