// Scenario `reconnect`: all connections are joined; then all are cut at one moment, by resets, and
// return on schedule, at `--rate`.
//
// Phoenix's client would come back after 10 ms, all at once, as its steps have no jitter: that is a
// rate of all connections within a moment, and what a load balancer or a listen queue makes of it is
// another matter. A rate of one's own says how many a second the server can take back.
//
// Send `s` is the return of connection `s`; it has to be joined again.
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
