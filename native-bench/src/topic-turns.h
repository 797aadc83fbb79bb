// Which topic each send goes to.
//
// Sends go round in cycles, all alike. Without skew a cycle is each topic once, in order. With skew it
// is long, and each topic has as many places in it as Zipf's law gives it, in an order that is mixed
// once and is the same in every run and thread. So the law holds in each cycle, not only in the long
// run; and how often a topic has had its turn before any send is a sum, not a count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

/** A send's topic, and how many sends to that topic were before it. */
struct TopicTurn {
  std::size_t topic = 0;
  std::uint64_t turn = 0;
};

class TopicTurns {
 public:
  /** @param skew Zipf's exponent; 0: in turn */
  TopicTurns(std::size_t topics, double skew);

  TopicTurn of(std::uint64_t send) const;

 private:
  /** By place in the cycle: topic, and its places before that one. */
  struct Place {
    std::uint32_t topic;
    std::uint32_t before;
  };

  std::vector<Place> cycle_;
  /** By topic: its places in the cycle. */
  std::vector<std::uint64_t> places_;
};

}  // namespace bench
