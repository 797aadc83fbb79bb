// Topics that connections join beside their own, each left again as soon as it is joined.
//
//   (none) --join()--> joining --ok--> leaving --its reply and phx_close--> (none)
//
// A join of send `s` has the join_ref 1000 + 2s, and its leave the ref behind it. Knows only those
// that are under way. Nothing waits for a leave: where a topic comes round again before it is left,
// the server closes the older join, which is then a message that nobody asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "connection.h"
#include "scenario.h"

namespace bench {

class MoreTopics {
 public:
  /** Joins a topic on behalf of a send; the reply is owed. */
  void join(Connection& connection, std::uint64_t send, std::string topic);

  /**
   * Checks a message of such a topic, and leaves the topic that it says is joined.
   *
   * @returns what is owed for the join's reply, a chore for what comes of leaving; nothing for a
   *          message that no join or leave under way has asked for
   */
  std::optional<Delivery> check(Connection& connection, const Message& message);

  /** Topics that are not left yet. */
  std::size_t underWay() const { return visits_.size(); }

 private:
  struct Visit {
    std::size_t connection;
    std::string topic;
    bool isJoined = false;
    bool hasReply = false;
    bool hasClosed = false;
  };

  /** By send. */
  std::unordered_map<std::uint64_t, Visit> visits_;
};

}  // namespace bench
