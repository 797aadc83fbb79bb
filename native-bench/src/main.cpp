// native-bench: an open-loop load generator for Phoenix Channels, and its likes, over WebSocket.
#include <cstdio>
#include <exception>
#include <string_view>
#include <vector>

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
  const bench::Figures figures = bench::Run(options).run();
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
