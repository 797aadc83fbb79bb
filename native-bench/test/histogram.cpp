#include "../src/histogram.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "check.h"

using namespace bench;

TEST("an empty histogram returns zeros") {
  const Histogram histogram;
  CHECK(histogram.count() == 0 && histogram.max() == 0);
  CHECK(histogram.quantile(0.5) == 0 && histogram.mean() == 0);
}

TEST("a value below 128 is exact") {
  for (Nanoseconds value = 0; value < 128; ++value) {
    Histogram histogram;
    histogram.record(value);
    histogram.record(1'000'000);  // so that max does not hide the counter's edge
    CHECK(histogram.quantile(0.5) == value);
  }
}

TEST("any other value is reported at most 1/128 too high and never too low") {
  for (Nanoseconds value = 128; value < Nanoseconds{1} << 41; value += value / 97 + 1) {
    Histogram histogram;
    histogram.record(value);
    histogram.record(Nanoseconds{1} << 41);
    const Nanoseconds reported = histogram.quantile(0.5);
    CHECK(reported >= value);
    CHECK(reported - value <= value / 128);
  }
}

TEST("neighbouring values at a power of two are kept apart") {
  for (const unsigned bits : {7U, 8U, 20U, 41U}) {
    const Nanoseconds power = Nanoseconds{1} << bits;
    Histogram histogram;
    histogram.record(power - 1);
    histogram.record(power);
    CHECK(histogram.quantile(0.5) == power - 1);
    CHECK(histogram.quantile(1) == power);
  }
}

TEST("quantiles agree with a sorted list within the error bound") {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> spread(11, 2);
  std::vector<Nanoseconds> values;
  Histogram histogram;
  for (int index = 0; index < 20'000; ++index) {
    values.push_back(static_cast<Nanoseconds>(spread(random)));
    histogram.record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double fraction : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = std::max(std::ceil(fraction * static_cast<double>(values.size())), 1.0);
    const Nanoseconds exact = values[static_cast<std::size_t>(rank) - 1];
    const Nanoseconds reported = histogram.quantile(fraction);
    CHECK(reported >= exact && reported - exact <= exact / 128);
  }
  CHECK(histogram.max() == values.back());
}

TEST("a value beyond the range is counted, and max stays exact") {
  Histogram histogram;
  histogram.record(Nanoseconds{1} << 50);
  histogram.record(-5);
  CHECK(histogram.count() == 2);
  CHECK(histogram.max() == Nanoseconds{1} << 50);
  CHECK(histogram.quantile(1) == Nanoseconds{1} << 50);
  CHECK(histogram.quantile(0.5) == 0);
}

TEST("a merged histogram equals one that counted all values itself") {
  Histogram left;
  Histogram right;
  Histogram both;
  for (Nanoseconds value = 1; value < kSecond; value = value * 3 + 1) {
    left.record(value);
    right.record(value * 2);
    both.record(value);
    both.record(value * 2);
  }
  left.merge(right);
  CHECK(left.count() == both.count() && left.max() == both.max() && left.mean() == both.mean());
  for (const double fraction : {0.1, 0.5, 0.9, 1.0}) {
    CHECK(left.quantile(fraction) == both.quantile(fraction));
  }
}
