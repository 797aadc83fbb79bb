// The counts of a run, and how they are reported.
#include "../src/figures.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "../src/payload.h"
#include "../src/process-stats.h"
#include "../src/report.h"
#include "../src/sequence.h"
#include "check.h"

using namespace bench;

namespace {

/** Returns the counts of one thread for a good window of one second, each send answered once. */
Tally goodTally(std::uint64_t sends = 1'000) {
  Tally tally;
  tally.sent = tally.due = tally.received = sends;
  tally.cpu = kSecond / 2;
  tally.elapsed = kSecond;
  for (std::uint64_t index = 0; index < sends; ++index) {
    tally.lateness.record(100 * kMicrosecond);
    tally.latency.record(kMillisecond);
  }
  return tally;
}

Window windowOf(const Tally& tally) {
  Window window;
  window.ratePlanned = 1'000;
  window.elapsed = window.cpuElapsed = kSecond;
  window.generatorCpu = tally.cpu;
  window.serverCpu = 10 * kMillisecond;
  window.add(tally);
  return window;
}

Window goodWindow() { return windowOf(goodTally()); }

Options someOptions() {
  Options options;
  options.scenario = "echo";
  options.url = "ws://127.0.0.1/";
  options.maxLate = 5 * kMillisecond;
  return options;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST("a sequence knows which numbers have arrived, and which arrive twice") {
  Sequence sequence;
  CHECK(sequence.arrive(0) && sequence.arrive(2) && sequence.arrive(3));
  CHECK(!sequence.hasArrived(1) && sequence.hasArrived(2) && !sequence.hasArrived(4));
  CHECK(!sequence.arrive(2) && !sequence.arrive(0));
  CHECK(sequence.arrive(1) && sequence.arrive(4));
  CHECK(!sequence.arrive(1) && !sequence.arrive(3) && !sequence.arrive(4));
}

TEST("a payload is recognized by its number and its full text") {
  const Payload payload(3);
  CHECK(payload.encode(5) == R"({"n":5,"text":"xxx"})");
  CHECK(payload.decode(R"({ "text": "xxx", "n": 5 })") == 5U);
  CHECK(!payload.decode(R"({"n":5,"text":"xx"})"));
  CHECK(!payload.decode(R"({"n":"5","text":"xxx"})"));
  CHECK(!payload.decode("{}"));
}

TEST("latencies are refused when the generator was the bottleneck") {
  constexpr Nanoseconds kMaxLate = 5 * kMillisecond;
  CHECK(!bottleneckOf(goodWindow(), kMaxLate));

  Tally busy = goodTally();
  busy.cpu = kSecond * 91 / 100;
  CHECK(contains(bottleneckOf(windowOf(busy), kMaxLate).value_or(""), "used 91 % of a core"));

  Tally late = goodTally();
  for (int index = 0; index < 20; ++index) late.lateness.record(8 * kMillisecond);
  CHECK(contains(bottleneckOf(windowOf(late), kMaxLate).value_or(""),
                 "p99 of its own lateness was 8.0 ms"));

  Window slow = goodWindow();
  slow.sent = 980;
  CHECK(contains(bottleneckOf(slow, kMaxLate).value_or(""), "98.0 % of the planned rate"));
}

TEST("one thread that was the bottleneck is not hidden by the others") {
  constexpr Nanoseconds kMaxLate = 5 * kMillisecond;
  Window window = windowOf(goodTally(900));
  window.ratePlanned = 905;
  Tally late = goodTally(0);
  late.sent = late.due = late.received = 5;
  for (int index = 0; index < 5; ++index) late.lateness.record(20 * kMillisecond);
  window.add(late);
  CHECK(window.lateness.quantile(0.99) < kMillisecond);
  CHECK(contains(bottleneckOf(window, kMaxLate).value_or(""), "lateness was 20.0 ms"));

  window = windowOf(goodTally());
  Tally busy = goodTally(0);
  busy.cpu = kSecond * 95 / 100;
  window.add(busy);
  CHECK(contains(bottleneckOf(window, kMaxLate).value_or(""), "used 95 % of a core"));
}

TEST("a window is the sum of its threads, with the CPU share of the busiest") {
  Window window;
  Tally idle = goodTally(3);
  idle.cpu = kSecond / 10;
  window.add(goodTally(2));
  window.add(idle);
  CHECK(window.sent == 5 && window.due == 5 && window.received == 5);
  CHECK(window.latency.count() == 5 && window.lateness.count() == 5);
  CHECK(window.busiestShare == 0.5);
}

TEST("neither report shows a latency that was refused") {
  Figures figures;
  figures.load = goodWindow();
  CHECK(contains(makeReport(someOptions(), figures), "latency    p50 100"));
  CHECK(contains(makeJson(someOptions(), figures), R"("latencyUs":{"p50":100)"));
  figures.load->busiestShare = 1;
  CHECK(contains(makeReport(someOptions(), figures), "latency    not shown: the generator"));
  CHECK(contains(makeJson(someOptions(), figures), R"("latencyUs":null)"));
}

TEST("reports CPU per message received, and a server that fell behind") {
  Figures figures;
  figures.load = goodWindow();
  CHECK(contains(makeJson(someOptions(), figures), R"("serverCpuUsPerMessage":10.0000)"));
  CHECK(contains(makeJson(someOptions(), figures), R"("isServerBehind":false)"));
  figures.load->received = 940;
  CHECK(contains(makeReport(someOptions(), figures), "94 % of the due messages"));
  CHECK(contains(makeJson(someOptions(), figures), R"("isServerBehind":true)"));
}

TEST("reports a server that had to wait for a core") {
  Figures figures;
  figures.load = goodWindow();
  figures.load->serverWait = 90 * kMillisecond;
  CHECK(contains(makeJson(someOptions(), figures), R"("isServerStarved":false)"));
  CHECK(!contains(makeReport(someOptions(), figures), "starved"));
  figures.load->serverWait = 120 * kMillisecond;
  CHECK(contains(makeJson(someOptions(), figures), R"("isServerStarved":true)"));
  CHECK(contains(makeReport(someOptions(), figures), "no core for 12 % of the window"));
  CHECK(waitOf(static_cast<std::uint64_t>(getpid())).value_or(-1) >= 0);
  CHECK(!waitOf(4'194'304));
}

TEST("the JSON is one line, whatever characters a failure contains") {
  Figures figures;
  figures.failures.push_back("a \"b\"\nc");
  const std::string json = makeJson(someOptions(), figures);
  CHECK(json.find('\n') == std::string::npos);
  CHECK(contains(json, R"("failures":["a \"b\"\u000ac"])"));
}

TEST("the memory per additional connection is the growth over the second half") {
  const ServerMemory memory{1'000'000, 5'000'000, 6'000'000, 500};
  CHECK(memory.perConnection() == 2'000);
}

TEST("reads anonymous and shared memory from /proc/PID/status") {
  CHECK(memoryIn("Name:\tx\nVmRSS:\t9 kB\nRssAnon:\t     7 kB\nRssFile:\t 5 kB\nRssShmem:\t 2 kB\n") ==
        9U * 1024);
  CHECK(!memoryIn("Name:\tx\nRssAnon:\t7 kB\n"));
  CHECK(memoryOf(static_cast<std::uint64_t>(getpid())).value_or(0) > 100'000);
}

TEST("the CPU clock agrees with /proc/PID/stat") {
  const auto pid = static_cast<std::uint64_t>(getpid());
  const Nanoseconds begin = cpuOf(pid).value_or(0);
  while (*cpuOf(pid) - begin < 30 * kMillisecond) {
  }
  std::ifstream file("/proc/self/stat");
  const std::string stat{std::istreambuf_iterator<char>(file), {}};
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  fields >> user >> system;
  const Nanoseconds counted =
      static_cast<Nanoseconds>(user + system) * (kSecond / sysconf(_SC_CLK_TCK));
  const Nanoseconds difference = *cpuOf(pid) - counted;
  CHECK(difference > -25 * kMillisecond && difference < 25 * kMillisecond);
  CHECK(!cpuOf(4'194'304));
}
