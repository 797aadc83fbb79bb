#include "../src/schedule.h"

#include "check.h"

using namespace bench;

TEST("sends are evenly spaced from the start") {
  const Schedule schedule(1'000, 1'000);
  CHECK(schedule.plannedAt(0) == 1'000);
  CHECK(schedule.plannedAt(1) == 1'000 + kMillisecond);
  CHECK(schedule.plannedAt(1'000) == 1'000 + kSecond);
}

TEST("planned times neither drift nor lose order where a period is no whole number") {
  for (const std::uint64_t rate : {3UL, 7UL, 60UL, 9'973UL, 10'000UL, 999'983UL}) {
    const Schedule schedule(12'345, rate);
    for (std::uint64_t index = 0; index < 3 * rate && index < 30'000; ++index) {
      CHECK(schedule.plannedAt(index) < schedule.plannedAt(index + 1));
    }
    CHECK(schedule.plannedAt(7 * rate) == 12'345 + 7 * kSecond);
  }
}

TEST("a day at ten million a second neither overflows nor drifts") {
  const Schedule schedule(0, 10'000'000);
  const std::uint64_t index = 86'400ULL * 10'000'000;
  CHECK(schedule.plannedAt(index) == 86'400 * kSecond);
}

TEST("a schedule may have another period than a second") {
  const Schedule schedule(1'000, 20'000, 3'600 * kSecond);
  CHECK(schedule.plannedAt(1) == 1'000 + 180 * kMillisecond);
  CHECK(schedule.plannedAt(19'999) == 1'000 + 3'600 * kSecond - 180 * kMillisecond);
  CHECK(schedule.plannedAt(40'000) == 1'000 + 7'200 * kSecond);
}
