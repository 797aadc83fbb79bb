#include "../src/schedule.h"

#include "check.h"

using namespace bench;

TEST("sends are evenly spaced from the start") {
  const Schedule schedule(1'000, 1'000);
  CHECK(schedule.plannedAt(0) == 1'000);
  CHECK(schedule.plannedAt(1) == 1'000 + kMillisecond);
  CHECK(schedule.plannedAt(1'000) == 1'000 + kSecond);
}

TEST("planned times neither drift nor lose order if a period is not a whole number") {
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

TEST("a schedule may have a period other than a second") {
  const Schedule schedule(1'000, 20'000, 3'600 * kSecond);
  CHECK(schedule.plannedAt(1) == 1'000 + 180 * kMillisecond);
  CHECK(schedule.plannedAt(19'999) == 1'000 + 3'600 * kSecond - 180 * kMillisecond);
  CHECK(schedule.plannedAt(40'000) == 1'000 + 7'200 * kSecond);
}

TEST("with ticks, each send leaves at the beginning of its tick, and the total stays the same") {
  const Schedule even(1'000, 1'000);
  const Schedule ticks = even.inTicks(50 * kMillisecond);
  for (std::uint64_t index = 0; index < 50; ++index) CHECK(ticks.plannedAt(index) == 1'000);
  CHECK(ticks.plannedAt(50) == 1'000 + 50 * kMillisecond);
  CHECK(ticks.plannedAt(999) == 1'000 + 950 * kMillisecond);
  CHECK(ticks.plannedAt(1'000) == even.plannedAt(1'000));
  CHECK(even.inTicks(0).plannedAt(17) == even.plannedAt(17));
}

TEST("ticks longer and shorter than the time between two sends keep the order") {
  for (const Nanoseconds tick : {kMillisecond, 7 * kMillisecond, kSecond}) {
    const Schedule schedule = Schedule(12'345, 60).inTicks(tick);
    for (std::uint64_t index = 0; index < 600; ++index) {
      CHECK(schedule.plannedAt(index) <= schedule.plannedAt(index + 1));
      CHECK((schedule.plannedAt(index) - 12'345) % tick == 0);
    }
  }
}
