#include "zipf.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace bench {

std::vector<std::uint64_t> dealByZipf(std::uint64_t total, std::size_t parts, double exponent) {
  std::vector<double> weights;
  double sum = 0;
  for (std::size_t part = 1; part <= parts; ++part) {
    weights.push_back(std::pow(static_cast<double>(part), -exponent));
    sum += weights.back();
  }
  const std::uint64_t rest = total - parts;
  std::vector<std::uint64_t> dealt;
  std::uint64_t given = 0;
  double exact = 0;
  for (const double weight : weights) {
    // Rounds the running sum rather than each part, so that the parts add up to `total`.
    exact += weight / sum * static_cast<double>(rest);
    const auto due = std::min(static_cast<std::uint64_t>(exact + 0.5), rest);
    dealt.push_back(1 + due - given);
    given = due;
  }
  dealt.back() += rest - given;
  std::sort(dealt.begin(), dealt.end(), std::greater<>());
  return dealt;
}

}  // namespace bench
