// Scenario `echo`: connections take turns to push `e`; the server replies with the payload.
//
// Send `s` leaves on connection `s % connections`, with ref `2 + s`. The reply must come on the
// same connection, with that ref, status ok and the same payload.
#include <vector>

#include "../payload.h"
#include "../scenario.h"
#include "../sequence.h"

namespace bench {

namespace {

class Echo final : public Scenario {
 public:
  Echo(const Options& options, Share share)
      : share_(share), payload_(options.payloadBytes), answered_(options.connections) {}

  std::uint64_t topicOf(std::size_t connection) const override { return connection; }

  std::size_t senderOf(std::uint64_t send) const override { return send % answered_.size(); }

  std::uint64_t owedFor(std::uint64_t send) override { return share_.has(senderOf(send)) ? 1 : 0; }

  void send(Connection& sender, std::uint64_t send) override {
    sender.push(kFirstPushRef + send, "e", payload_.encode(send));
  }

  std::optional<Delivery> check(Connection& connection, const Message& message) override {
    const auto reply = connection.protocol().decodeReply(message);
    if (!reply || reply->status != "ok" || message.joinRef != kJoinRef) return std::nullopt;
    const auto send = payload_.decode(reply->response);
    if (!send || senderOf(*send) != connection.number()) return std::nullopt;
    if (jsonUnsigned(message.ref) != kFirstPushRef + *send) return std::nullopt;
    const std::uint64_t turn = *send / answered_.size();
    Sequence& answered = answered_[connection.number()];
    const bool isDisordered = answered.hasArrived(turn + 1);
    return Delivery{*send, !answered.arrive(turn), isDisordered};
  }

 private:
  const Share share_;
  const Payload payload_;
  /** Pushes of each connection that have been replied to. */
  std::vector<Sequence> answered_;
};

}  // namespace

std::unique_ptr<Scenario> makeEcho(const Options& options, Share share) {
  return std::make_unique<Echo>(options, share);
}

}  // namespace bench
