// native-bench: an open-loop load generator for Phoenix Channels and similar protocols.
#include <cstdio>
#include <exception>
#include <fstream>
#include <string_view>
#include <vector>

#include "hgrm.h"
#include "options.h"
#include "report.h"
#include "run.h"

namespace {

constexpr int kGood = 0;
constexpr int kFailed = 1;
constexpr int kBadOption = 2;

int runWith(const bench::Options& options) {
  if (options.isHelp) {
    std::fputs(bench::helpText(options.scenario).c_str(), stdout);
    return kGood;
  }
  // Opened before the run, which takes minutes, so that a bad path fails early.
  std::ofstream hgrm;
  if (!options.hgrm.empty()) {
    hgrm.open(options.hgrm);
    if (!hgrm) throw bench::OptionError("hgrm must be a writable file, got " + options.hgrm);
  }
  const bench::Figures figures = bench::Run(options).run();
  if (hgrm.is_open() && !bench::bottleneckOf(figures.primary(), options.maxLate)) {
    hgrm << bench::makeHgrm(figures.primary().latency);
  }
  std::fputs(bench::makeReport(options, figures).c_str(), options.isJson ? stderr : stdout);
  if (options.isJson) std::puts(bench::makeJson(options, figures).c_str());
  return figures.failures.empty() ? kGood : kFailed;
}

}  // namespace

int main(int count, char** words) {
  try {
    return runWith(bench::parseOptions(std::vector<std::string_view>(words + 1, words + count)));
  } catch (const bench::OptionError& error) {
    std::fprintf(stderr, "native-bench: %s\n", error.what());
    return kBadOption;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "native-bench: %s\n", error.what());
    return kFailed;
  }
}
