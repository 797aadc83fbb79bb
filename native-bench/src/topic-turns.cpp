#include "topic-turns.h"

#include <algorithm>
#include <random>
#include <utility>

#include "zipf.h"

namespace bench {

namespace {

/** With skew: number of places per topic in a cycle, and minimum number of places in a cycle. */
constexpr std::uint64_t kPlacesPerTopic = 64;
constexpr std::uint64_t kMinPlaces = 4'096;

}  // namespace

TopicTurns::TopicTurns(std::size_t topics, double skew) {
  const std::uint64_t length = skew == 0 ? topics : std::max(topics * kPlacesPerTopic, kMinPlaces);
  places_ = dealByZipf(length, topics, skew);
  for (std::size_t topic = 0; topic < topics; ++topic) {
    cycle_.insert(cycle_.end(), places_[topic], Place{static_cast<std::uint32_t>(topic), 0});
  }
  if (skew != 0) {
    // std::shuffle may differ between standard libraries; this order does not.
    std::mt19937_64 random(1);
    for (std::size_t last = cycle_.size(); last > 1; --last) {
      std::swap(cycle_[last - 1], cycle_[random() % last]);
    }
  }
  std::vector<std::uint32_t> before(topics, 0);
  for (Place& place : cycle_) place.before = before[place.topic]++;
}

TopicTurn TopicTurns::of(std::uint64_t send) const {
  const Place& place = cycle_[send % cycle_.size()];
  return {place.topic, send / cycle_.size() * places_[place.topic] + place.before};
}

}  // namespace bench
