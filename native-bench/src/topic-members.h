// Assigns connections to topics, and determines the slow and deaf ones.
//
//   number     0 1 2 3 4   5 6 7 8   9 10 11
//   topic      0           1         2          with skew, the first ones have more readers
//   hearing    r r r s d   r r s d   r  s  d    first the readers, then the slow, then the deaf
//
// Members of a topic have consecutive numbers. Because connections are assigned to shards in turn,
// the members of each topic, including its slow and deaf ones, are then spread over all shards.
// (With `number % topics`, 100 topics on two shards would each lie on a single shard, and no
// broadcast would cross between shards.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "connection.h"
#include "options.h"

namespace bench {

class TopicMembers {
 public:
  explicit TopicMembers(const Options& options);

  std::size_t topicOf(std::size_t connection) const { return topics_[connection]; }
  Hearing hearingOf(std::size_t connection) const;
  /** Returns the number of members of a topic that are neither slow nor deaf. */
  std::uint64_t readersOf(std::size_t topic) const { return readers_[topic]; }
  /** Returns the connection of reader number `reader` of a topic. */
  std::size_t readerOf(std::size_t topic, std::uint64_t reader) const {
    return first_[topic] + reader;
  }

 private:
  /** Topic of each connection. */
  std::vector<std::uint32_t> topics_;
  /** First member of each topic. */
  std::vector<std::size_t> first_;
  std::vector<std::uint64_t> readers_;
  /** Number of slow members of each topic. */
  std::uint64_t slow_;
};

}  // namespace bench
