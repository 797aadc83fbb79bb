// A minimal test framework: named cases that register themselves, and a check.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace bench::test {

struct Case {
  std::string name;
  std::function<void()> body;
};

/** All cases of the program, in order of registration. */
std::vector<Case>& cases();

struct Registration {
  Registration(const char* name, std::function<void()> body);
};

/** Records a failed check of the running case. */
void noteFailure(const char* expression, const char* file, int line);

}  // namespace bench::test

#define BENCH_JOIN_2(a, b) a##b
#define BENCH_JOIN(a, b) BENCH_JOIN_2(a, b)
/** Defines a case: `TEST("does this") { ... }`. */
#define TEST(name)                                                                       \
  static void BENCH_JOIN(body, __LINE__)();                                              \
  static const bench::test::Registration BENCH_JOIN(case, __LINE__)(name,                \
                                                                    BENCH_JOIN(body, __LINE__)); \
  static void BENCH_JOIN(body, __LINE__)()
/** Checks an expression. The case continues after a failure, so that one run shows all failures. */
#define CHECK(expression) \
  if (!(expression)) bench::test::noteFailure(#expression, __FILE__, __LINE__)
