#include "hgrm.h"

#include <array>
#include <cstdio>

namespace bench {

namespace {

constexpr double kLinesPerHalving = 5;

double milliseconds(double nanoseconds) { return nanoseconds / kMillisecond; }

template <typename... Parts>
std::string format(const char* form, Parts... parts) {
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), form, parts...);
  return text.data();
}

}  // namespace

std::string makeHgrm(const Histogram& times) {
  std::string text = format("%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
                            "1/(1-Percentile)");
  double rest = 1;  // 1 - percentile
  double step = rest / 2 / kLinesPerHalving;
  for (int line = 1; times.count() > 0; ++line) {
    const Ranked ranked = times.ranked(1 - rest);
    text += format("%12.3f %2.12f %10llu %14.2f\n", milliseconds(static_cast<double>(ranked.value)),
                   1 - rest, static_cast<unsigned long long>(ranked.count), 1 / rest);
    if (ranked.count == times.count()) break;
    rest -= step;
    if (line % static_cast<int>(kLinesPerHalving) == 0) step /= 2;
  }
  const double max = milliseconds(static_cast<double>(times.max()));
  const auto count = static_cast<unsigned long long>(times.count());
  if (count > 0) text += format("%12.3f %2.12f %10llu\n", max, 1.0, count);
  text += format("#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", milliseconds(times.mean()),
                 milliseconds(times.deviation()));
  text += format("#[Max     = %12.3f, Total count    = %12llu]\n", max, count);
  return text + format("#[Buckets = %12u, SubBuckets     = %12u]\n", Histogram::kPowers,
                       1U << Histogram::kPrecisionBits);
}

}  // namespace bench
