// Assigns sends to topics.
//
// Sends follow identical cycles. Without skew, a cycle contains each topic once, in order. With
// skew, a cycle is long and contains each topic as often as Zipf's law requires, in an order that
// is shuffled once and is the same in every run and thread. The law therefore holds within each
// cycle, and the number of a topic's sends before a given send can be computed without counting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

/** The topic of a send, and the number of earlier sends to that topic. */
struct TopicTurn {
  std::size_t topic = 0;
  std::uint64_t turn = 0;
};

class TopicTurns {
 public:
  /** @param skew Zipf's exponent; 0 if topics take turns */
  TopicTurns(std::size_t topics, double skew);

  TopicTurn of(std::uint64_t send) const;

 private:
  /** A place in the cycle: its topic, and the number of earlier places of that topic. */
  struct Place {
    std::uint32_t topic;
    std::uint32_t before;
  };

  std::vector<Place> cycle_;
  /** Number of places of each topic in the cycle. */
  std::vector<std::uint64_t> places_;
};

}  // namespace bench
