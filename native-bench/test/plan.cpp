// The plan of sends, walked by several threads.
#include <cstdint>
#include <vector>

#include "../src/phase.h"
#include "../src/scenario.h"
#include "check.h"

using namespace bench;

namespace {

Options optionsOf(const char* scenario, std::uint64_t connections) {
  Options options;
  options.scenario = scenario;
  options.connections = connections;
  options.topics = 4;
  return options;
}

/** Returns the deliveries that each of the first sends owes, summed over all threads. */
std::vector<std::uint64_t> owedBy(const Options& options, std::size_t threads, std::uint64_t sends) {
  std::vector<std::uint64_t> owed(sends, 0);
  for (std::size_t thread = 0; thread < threads; ++thread) {
    const auto scenario = makeScenario(options, Share{thread, threads});
    for (std::uint64_t send = 0; send < sends; ++send) owed[send] += scenario->owedFor(send);
  }
  return owed;
}

}  // namespace

TEST("threads agree on senders, and are together owed as much as a single thread") {
  Options deaf = optionsOf("fanout", 24);
  deaf.deaf = 4;
  Options skewed = deaf;
  skewed.skew = 1;
  for (const Options& options : {optionsOf("echo", 10), optionsOf("fanout", 24), deaf, skewed}) {
    const auto alone = owedBy(options, 1, 100);
    for (const std::size_t threads : {2UL, 3UL, 5UL}) {
      CHECK(owedBy(options, threads, 100) == alone);
      const auto one = makeScenario(options);
      const auto other = makeScenario(options, Share{1, threads});
      for (std::uint64_t send = 0; send < 100; ++send) {
        CHECK(one->senderOf(send) == other->senderOf(send));
        CHECK(one->hearingOf(one->senderOf(send)) == Hearing::good);
      }
    }
  }
}

TEST("a delivery is valid from the planned time of its send on, whichever thread sent it") {
  Load load;
  load.schedule = Schedule(kSecond, 10);
  load.firstSend = 100;
  load.endSend = 110;
  CHECK(load.plannedAt(101) == kSecond + 100 * kMillisecond);
  CHECK(!load.hasLeft(101, load.plannedAt(101) - 1));
  CHECK(load.hasLeft(101, load.plannedAt(101)));
  CHECK(!load.hasLeft(110, 10 * kSecond));
  CHECK(load.hasLeft(99, 0));
}
