// The least of a test framework: named cases that register themselves, and a check.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace bench::test {

struct Case {
  std::string name;
  std::function<void()> body;
};

/** All cases of the program, in the order of their registration. */
std::vector<Case>& cases();

struct Registration {
  Registration(const char* name, std::function<void()> body);
};

/** Notes a failed check of the running case. */
void noteFailure(const char* expression, const char* file, int line);

}  // namespace bench::test

#define BENCH_JOIN_2(a, b) a##b
#define BENCH_JOIN(a, b) BENCH_JOIN_2(a, b)
/** `TEST("does this") { ... }` */
#define TEST(name)                                                                       \
  static void BENCH_JOIN(body, __LINE__)();                                              \
  static const bench::test::Registration BENCH_JOIN(case, __LINE__)(name,                \
                                                                    BENCH_JOIN(body, __LINE__)); \
  static void BENCH_JOIN(body, __LINE__)()
/** Goes on after a failure, so that one run shows them all. */
#define CHECK(expression) \
  if (!(expression)) bench::test::noteFailure(#expression, __FILE__, __LINE__)
