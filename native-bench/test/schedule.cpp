#include "../src/schedule.h"

#include "check.h"

using namespace bench;

TEST("sends are evenly spaced from the start") {
  const Schedule schedule(1'000, 1'000);
  CHECK(schedule.plannedAt(0) == 1'000);
  CHECK(schedule.plannedAt(1) == 1'000 + kMillisecond);
  CHECK(schedule.plannedAt(1'000) == 1'000 + kSecond);
}

TEST("nothing is due before the start, the first send at it") {
  const Schedule schedule(50, 10);
  CHECK(schedule.dueBy(49) == 0);
  CHECK(schedule.dueBy(50) == 1);
}

TEST("a send becomes due exactly at its planned time, also where a period is no whole number") {
  for (const std::uint64_t rate : {1UL, 3UL, 7UL, 60UL, 9'973UL, 10'000UL, 999'983UL}) {
    const Schedule schedule(12'345, rate);
    for (std::uint64_t index = 0; index < 3 * rate && index < 30'000; ++index) {
      const Nanoseconds planned = schedule.plannedAt(index);
      CHECK(schedule.dueBy(planned) == index + 1);
      CHECK(schedule.dueBy(planned - 1) == index);
    }
  }
}

TEST("a day at ten million a second neither overflows nor drifts") {
  const Schedule schedule(0, 10'000'000);
  const std::uint64_t index = 86'400ULL * 10'000'000;
  CHECK(schedule.plannedAt(index) == 86'400 * kSecond);
  CHECK(schedule.dueBy(86'400 * kSecond) == index + 1);
}
