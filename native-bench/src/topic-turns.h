// Assigns sends to topics.
//
// Sends go round in identical cycles. Without skew, a cycle has each topic once, in order. With skew,
// a cycle is long and has as many places for a topic as Zipf's law assigns to it, in an order that is
// shuffled once and is the same in every run and thread. The law therefore holds within each cycle,
// and the number of a topic's sends before a given send can be computed without counting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

/** The topic of a send, and how many sends to that topic come before it. */
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
  /** A place in the cycle: its topic, and the number of that topic's places before it. */
  struct Place {
    std::uint32_t topic;
    std::uint32_t before;
  };

  std::vector<Place> cycle_;
  /** By topic: number of its places in the cycle. */
  std::vector<std::uint64_t> places_;
};

}  // namespace bench
