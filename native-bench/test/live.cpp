// The lines of --live.
#include "../src/live.h"

#include "check.h"

using namespace bench;

namespace {

Options liveOptions() {
  Options options;
  options.threads = 2;
  options.live = 500 * kMillisecond;
  options.maxLate = 5 * kMillisecond;
  return options;
}

IntervalPassed passed(std::uint64_t interval, Nanoseconds latency, Nanoseconds lateness) {
  IntervalPassed news{interval, {}};
  news.tally.sent = 10;
  news.tally.received = 20;
  news.tally.latency.record(latency);
  news.tally.lateness.record(lateness);
  news.tally.cpu = latency;
  news.tally.elapsed = 500 * kMillisecond;
  return news;
}

}  // namespace

TEST("a live line appears when the last thread has passed its interval, and sums up all threads") {
  const Options options = liveOptions();
  Live live(options);
  CHECK(!live.add(passed(0, 100 * kMillisecond, kMillisecond), LivePhase::warmup, 7));
  // The first thread is one interval ahead.
  CHECK(!live.add(passed(1, kMillisecond, kMillisecond), LivePhase::warmup, 7));
  CHECK(live.add(passed(0, 50 * kMillisecond, 2 * kMillisecond), LivePhase::warmup, 7) ==
        R"({"live":{"phase":"warmup","seconds":0.5000,"joined":7,"sent":20,"received":40,)"
        R"("latencyUs":{"p50":50069.5030,"p90":100000.0000,"p99":100000.0000,"max":100000.0000},)"
        R"("latenessP99Us":2000.0000,"generatorCpuShare":0.2000}})");
  const auto second = live.add(passed(1, kMillisecond, kMillisecond), LivePhase::measure, 8);
  CHECK(second && second->starts_with(R"({"live":{"phase":"measure","seconds":1.0000,"joined":8,)"));
}

TEST("a live line has no latencies if a thread was the bottleneck or nothing arrived") {
  const Options options = liveOptions();
  Live live(options);
  live.add(passed(0, kMillisecond, kMillisecond), LivePhase::measure, 7);
  const auto late = live.add(passed(0, kMillisecond, 6 * kMillisecond), LivePhase::measure, 7);
  CHECK(late && late->find(R"("latencyUs":null)") != std::string::npos);
  live.add(IntervalPassed{1, {}}, LivePhase::measure, 7);
  const auto none = live.add(IntervalPassed{1, {}}, LivePhase::measure, 7);
  CHECK(none && none->find(R"("latencyUs":null)") != std::string::npos);
}
