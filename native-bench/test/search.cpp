// The search for the highest rate.
#include "../src/search.h"

#include <string>
#include <vector>

#include "../src/report.h"
#include "check.h"

using namespace bench;

namespace {

constexpr Nanoseconds kBound = 10 * kMillisecond;
constexpr Nanoseconds kMaxLate = 5 * kMillisecond;

SearchStep step(std::uint64_t rate, Culprit culprit) {
  return {rate, static_cast<double>(rate), std::nullopt, culprit, ""};
}

/** Searches while every rate above `limit` is bad, and returns the rates tried. */
std::vector<std::uint64_t> ratesTried(Search& search, std::uint64_t limit, Culprit culprit) {
  std::vector<std::uint64_t> rates;
  while (const auto rate = search.next()) {
    rates.push_back(*rate);
    search.add(step(*rate, *rate > limit ? culprit : Culprit::none));
  }
  return rates;
}

Window windowOf(Nanoseconds latency, Nanoseconds lateness) {
  Tally tally;
  tally.sent = tally.due = 1'000;
  tally.elapsed = kSecond;
  for (int index = 0; index < 1'000; ++index) {
    tally.lateness.record(lateness);
    tally.latency.record(latency);
  }
  Window window;
  window.ratePlanned = 1'000;
  window.elapsed = window.cpuElapsed = kSecond;
  window.add(tally);
  window.received = 1'000;
  return window;
}

}  // namespace

TEST("a search doubles while it is good, then halves the distance; a bad step is tried twice") {
  Search search(kBound, 1'000);
  const std::vector<std::uint64_t> tried{1'000, 2'000, 4'000, 8'000, 8'000, 6'000, 6'000, 5'000,
                                         5'500, 5'500, 5'250};
  CHECK(ratesTried(search, 5'300, Culprit::server) == tried);
  CHECK(search.rate() == 5'250 && !search.isLowerBound());
}

TEST("a bad step that is good on the second try is not a limit") {
  Search search(kBound, 1'000);
  search.add(step(1'000, Culprit::server));
  CHECK(search.next() == 1'000U);
  search.add(step(1'000, Culprit::none));
  CHECK(search.next() == 2'000U && search.rate() == 1'000);
}

TEST("a search that begins too high goes down, and finds nothing if no rate is good") {
  Search search(kBound, 8'000);
  const auto tried = ratesTried(search, 900, Culprit::server);
  CHECK(tried[2] == 4'000 && tried[4] == 2'000);
  CHECK(search.rate() > 800 && search.rate() <= 900);

  Search hopeless(kBound, 1'000);
  ratesTried(hopeless, 0, Culprit::server);
  CHECK(hopeless.rate() == 0 && !hopeless.next());
}

TEST("a search that ended because of the generator or its range has found a lower bound") {
  Search search(kBound, 1'000);
  ratesTried(search, 5'300, Culprit::generator);
  CHECK(search.rate() == 5'250 && search.isLowerBound());
  Search endless(kBound, 1'000);
  ratesTried(endless, 100'000'000, Culprit::server);
  CHECK(endless.rate() == 10'000'000 && endless.isLowerBound());
}

TEST("a search ends with the step that broke the run") {
  Search search(kBound, 1'000);
  search.add(step(1'000, Culprit::none));
  search.abandon(step(2'000, Culprit::server));
  CHECK(!search.next() && search.rate() == 1'000 && search.steps().size() == 2);
}

TEST("a step is good below the bound and bad at it") {
  const SearchStep good = judge(windowOf(kBound - kMillisecond, 0), kBound, kMaxLate);
  CHECK(good.isGood() && good.rate == 1'000 && good.p99 == kBound - kMillisecond && good.why.empty());
  const SearchStep bad = judge(windowOf(kBound, 0), kBound, kMaxLate);
  CHECK(bad.culprit == Culprit::server && bad.why == "the server's p99 was 10.0 ms (bound 10.0 ms)");
}

TEST("a bad step says whether the server or the generator made it bad") {
  Window behind = windowOf(kMillisecond, 0);
  behind.received = 900;
  CHECK(judge(behind, kBound, kMaxLate).culprit == Culprit::server);

  const SearchStep late = judge(windowOf(kMillisecond, 6 * kMillisecond), kBound, kMaxLate);
  CHECK(late.culprit == Culprit::generator && !late.p99);
  // The lateness is too low for latencies to be rejected, but high enough to reach the bound.
  const SearchStep bound = judge(windowOf(3 * kMillisecond, 2 * kMillisecond), 2 * kMillisecond, kMaxLate);
  CHECK(bound.culprit == Culprit::generator);
  CHECK(bound.why.find("its own lateness was 2.0 ms (bound 2.0 ms)") != std::string::npos);
}

TEST("both reports show the result of a search, and whether it is a lower bound") {
  Options options;
  options.scenario = "echo";
  Figures figures;
  figures.search.emplace(kBound, 1'000);
  SearchStep good = step(1'000, Culprit::none);
  good.p99 = kMillisecond;
  figures.search->add(good);
  SearchStep bad = step(2'000, Culprit::generator);
  bad.why = "late";
  figures.search->abandon(bad);
  const std::string report = makeReport(options, figures);
  CHECK(report.find("1000/s: good, p99 1000 us") != std::string::npos);
  CHECK(report.find("2000/s: late") != std::string::npos);
  CHECK(report.find("below 10000 us: 1000/s, a lower bound: the generator ended the search") !=
        std::string::npos);
  CHECK(makeJson(options, figures)
            .find(R"("search":{"rate":1000,"boundUs":10000.0000,"isLowerBound":true,"steps":[)"
                  R"({"rate":1000,"rateReached":1000.0000,"p99Us":1000.0000,"isGood":true,"why":""},)"
                  R"({"rate":2000,"rateReached":2000.0000,"p99Us":null,"isGood":false,"why":"late"}]})") !=
        std::string::npos);
}
