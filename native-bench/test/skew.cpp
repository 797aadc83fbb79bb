// Skewed topics: Zipf's law, the order of sends, and the members.
#include <algorithm>
#include <cstdint>
#include <map>
#include <numeric>
#include <vector>

#include "../src/scenario.h"
#include "../src/topic-members.h"
#include "../src/topic-turns.h"
#include "../src/zipf.h"
#include "check.h"

using namespace bench;

namespace {

Options skewed(double skew) {
  Options options;
  options.scenario = "fanout";
  options.connections = 60;
  options.topics = 5;
  options.skew = skew;
  return options;
}

}  // namespace

TEST("divides by Zipf's law: nothing is left over, the largest part is first, none is empty") {
  CHECK((dealByZipf(12, 3, 0) == std::vector<std::uint64_t>{4, 4, 4}));
  // 1 each, and 110 divided as 60 : 30 : 20.
  CHECK((dealByZipf(113, 3, 1) == std::vector<std::uint64_t>{61, 31, 21}));
  for (const double exponent : {0.0, 0.5, 1.0, 1.3, 4.0}) {
    for (const std::size_t parts : {1UL, 7UL, 1'000UL}) {
      for (const std::uint64_t total : {1'000UL, 1'003UL, 20'000UL}) {
        const auto dealt = dealByZipf(total, parts, exponent);
        CHECK(dealt.size() == parts && dealt.back() >= 1);
        CHECK(std::accumulate(dealt.begin(), dealt.end(), std::uint64_t{0}) == total);
        CHECK(std::is_sorted(dealt.rbegin(), dealt.rend()));
      }
    }
  }
}

TEST("without skew, topics take turns in order") {
  const TopicTurns turns(3, 0);
  for (std::uint64_t send = 0; send < 30; ++send) {
    CHECK(turns.of(send).topic == send % 3 && turns.of(send).turn == send / 3);
  }
}

TEST("with skew, the turns of each topic count up from 0 without a gap, across cycles too") {
  const TopicTurns turns(5, 1);
  std::map<std::size_t, std::uint64_t> next;
  for (std::uint64_t send = 0; send < 20'000; ++send) {
    const auto [topic, turn] = turns.of(send);
    CHECK(turn == next[topic]++);
  }
  // The cycle has 4096 places; the harmonic weights of five topics are 60 : 30 : 20 : 15 : 12 (of 137).
  const double first = static_cast<double>(next[0]) / 20'000;
  const double last = static_cast<double>(next[4]) / 20'000;
  CHECK(first > 0.42 && first < 0.46 && last > 0.07 && last < 0.10);
}

TEST("with skew, topics are shuffled in the same order in every instance") {
  const TopicTurns one(5, 1);
  const TopicTurns other(5, 1);
  std::size_t changes = 0;
  for (std::uint64_t send = 0; send < 4'000; ++send) {
    CHECK(one.of(send).topic == other.of(send).topic);
    if (one.of(send).topic != one.of(send + 1).topic) ++changes;
  }
  CHECK(changes > 2'000);
}

TEST("popular topics have more readers, but as many slow and deaf members as others") {
  Options options = skewed(1);
  options.slow = 5;
  options.deaf = 10;
  const TopicMembers members(options);
  std::vector<std::size_t> slow(5, 0);
  std::vector<std::size_t> deaf(5, 0);
  std::vector<std::size_t> readers(5, 0);
  for (std::size_t number = 0; number < 60; ++number) {
    const std::size_t topic = members.topicOf(number);
    CHECK(number == 0 || topic == members.topicOf(number - 1) ||
          topic == members.topicOf(number - 1) + 1);
    const Hearing hearing = members.hearingOf(number);
    if (hearing == Hearing::good) {
      CHECK(members.readerOf(topic, readers[topic]) == number);
      ++readers[topic];
    } else {
      ++(hearing == Hearing::slow ? slow : deaf)[topic];
    }
  }
  CHECK((slow == std::vector<std::size_t>{1, 1, 1, 1, 1}));
  CHECK((deaf == std::vector<std::size_t>{2, 2, 2, 2, 2}));
  for (std::size_t topic = 0; topic < 5; ++topic) CHECK(readers[topic] == members.readersOf(topic));
  CHECK(readers[0] > readers[1] && readers[1] > readers[4] && readers[4] >= 1);
}

TEST("with skew, a send owes one delivery per reader of its topic, and comes from one of them") {
  const Options options = skewed(1.2);
  const TopicMembers members(options);
  const TopicTurns turns(options.topics, options.skew);
  const auto scenario = makeScenario(options);
  std::map<std::uint64_t, std::size_t> kinds;
  for (std::uint64_t send = 0; send < 500; ++send) {
    const std::size_t topic = turns.of(send).topic;
    const std::uint64_t owed = scenario->owedFor(send);
    CHECK(owed == members.readersOf(topic));
    CHECK(members.topicOf(scenario->senderOf(send)) == topic);
    ++kinds[owed];
  }
  CHECK(kinds.size() >= 3);
}
