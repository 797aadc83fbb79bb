// Runs all cases, and prints the failed checks and a count. Exits with 1 if any check failed.
#include <cstdio>
#include <exception>
#include <utility>

#include "check.h"

namespace bench::test {

namespace {
int failures = 0;
}

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

Registration::Registration(const char* name, std::function<void()> body) {
  cases().push_back({name, std::move(body)});
}

void noteFailure(const char* expression, const char* file, int line) {
  ++failures;
  std::printf("%s:%d: not true: %s\n", file, line, expression);
}

}  // namespace bench::test

int main() {
  using namespace bench::test;
  int failedCases = 0;
  for (const Case& each : cases()) {
    const int before = failures;
    try {
      each.body();
    } catch (const std::exception& error) {
      noteFailure(error.what(), each.name.c_str(), 0);
    }
    if (failures == before) continue;
    ++failedCases;
    std::printf("FAILED: %s\n", each.name.c_str());
  }
  std::printf("native-bench: %zu tests, %d failed\n", cases().size(), failedCases);
  return failedCases == 0 && !cases().empty() ? 0 : 1;
}
