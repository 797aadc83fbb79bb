#include "histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace bench {

namespace {
constexpr std::uint64_t kPerPower = std::uint64_t{1} << Histogram::kPrecisionBits;
constexpr std::uint64_t kLargest = (std::uint64_t{1} << Histogram::kRangeBits) - 1;
constexpr std::size_t kCounters = Histogram::kPowers * kPerPower;
}  // namespace

Histogram::Histogram() : counters_(kCounters, 0) {}

std::size_t Histogram::counterOf(std::uint64_t value) {
  const std::uint64_t held = std::min(value, kLargest);
  if (held < kPerPower) return held;
  const unsigned shift = static_cast<unsigned>(std::bit_width(held)) - kPrecisionBits - 1;
  return shift * kPerPower + (held >> shift);
}

std::uint64_t Histogram::upperEdge(std::size_t counter) {
  if (counter < kPerPower) return counter;
  const std::size_t shift = counter / kPerPower - 1;
  const std::uint64_t top = counter % kPerPower + kPerPower;
  return ((top + 1) << shift) - 1;
}

void Histogram::record(Nanoseconds value) {
  const auto held = static_cast<std::uint64_t>(std::max<Nanoseconds>(value, 0));
  ++counters_[counterOf(held)];
  ++count_;
  sum_ += static_cast<double>(held);
  max_ = std::max(max_, held);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t counter = 0; counter < counters_.size(); ++counter) {
    counters_[counter] += other.counters_[counter];
  }
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

Ranked Histogram::ranked(double fraction) const {
  if (count_ == 0) return {};
  const double wanted = std::ceil(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(count_));
  const std::uint64_t rank = std::max<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1);
  std::uint64_t seen = 0;
  for (std::size_t counter = 0; counter + 1 < counters_.size(); ++counter) {
    seen += counters_[counter];
    if (seen >= rank) return {static_cast<Nanoseconds>(std::min(upperEdge(counter), max_)), seen};
  }
  return {max(), count_};  // the last counter has no upper edge; it holds all larger values
}

double Histogram::deviation() const {
  if (count_ == 0) return 0;
  double squares = 0;
  for (std::size_t counter = 0; counter < counters_.size(); ++counter) {
    if (counters_[counter] == 0) continue;
    const std::uint64_t below = counter == 0 ? 0 : upperEdge(counter - 1) + 1;
    const double middle = static_cast<double>(below + upperEdge(counter)) / 2;
    squares += static_cast<double>(counters_[counter]) * (middle - mean()) * (middle - mean());
  }
  return std::sqrt(squares / static_cast<double>(count_));
}

}  // namespace bench
