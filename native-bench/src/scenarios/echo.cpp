// Scenario `echo`: connections take turns to push `e`; each push is replied to with its payload.
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
  explicit Echo(const Options& options)
      : payload_(options.payloadBytes), answered_(options.connections) {}

  std::string topicOf(std::size_t connection) const override {
    return "bench:" + std::to_string(connection);
  }

  void send(Connections& connections, std::uint64_t send) override {
    Connection& connection = *connections[send % connections.size()];
    connection.push(kFirstPushRef + send, "e", payload_.encode(send));
  }

  std::uint64_t deliveriesPerSend() const override { return 1; }

  std::optional<Delivery> check(const Connection& connection, const Message& message) override {
    const auto reply = connection.protocol().decodeReply(message);
    if (!reply || reply->status != "ok" || message.joinRef != kJoinRef) return std::nullopt;
    const auto send = payload_.decode(reply->response);
    if (!send || *send % answered_.size() != connection.number()) return std::nullopt;
    if (jsonUnsigned(message.ref) != kFirstPushRef + *send) return std::nullopt;
    const std::uint64_t turn = *send / answered_.size();
    Sequence& answered = answered_[connection.number()];
    const bool isDisordered = answered.hasArrived(turn + 1);
    return Delivery{*send, !answered.arrive(turn), isDisordered};
  }

 private:
  const Payload payload_;
  /** By connection: which of its pushes were replied to. */
  std::vector<Sequence> answered_;
};

}  // namespace

std::unique_ptr<Scenario> makeEcho(const Options& options) {
  return std::make_unique<Echo>(options);
}

}  // namespace bench
