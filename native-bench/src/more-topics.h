// Topics that connections join besides their own and leave as soon as the join is confirmed.
//
//   (none) --join()--> joining --ok--> leaving --its reply and phx_close--> (none)
//
// The join of send `s` has join_ref 1000 + 2s, and its leave the next ref. Only topics with a
// pending join or leave are tracked. Joins do not wait for leaves: if it is a topic's turn again
// before the topic was left, the server closes the older join, and that message counts as
// unexpected.
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
  /** Joins a topic for a send, to which the reply is owed. */
  void join(Connection& connection, std::uint64_t send, std::string topic);

  /**
   * Checks a message of a joined topic, and leaves the topic if the message confirms its join.
   *
   * @returns an owed delivery for the reply to a join, a chore for messages that follow a leave, or
   *          nothing for a message that does not belong to a pending join or leave
   */
  std::optional<Delivery> check(Connection& connection, const Message& message);

  /** Number of topics that have not been left yet. */
  std::size_t underWay() const { return visits_.size(); }

 private:
  struct Visit {
    std::size_t connection;
    std::string topic;
    bool isJoined = false;
    bool hasReply = false;
    bool hasClosed = false;
  };

  /** The pending visits, by send. */
  std::unordered_map<std::uint64_t, Visit> visits_;
};

}  // namespace bench
