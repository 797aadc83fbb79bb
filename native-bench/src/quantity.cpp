#include "quantity.h"

#include <charconv>
#include <cmath>

namespace bench {

std::optional<std::pair<std::uint64_t, std::string_view>> numberAndSuffix(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value > 1'000'000'000) return std::nullopt;
  return std::pair{value, text.substr(static_cast<std::size_t>(end - text.data()))};
}

std::optional<std::uint64_t> parseCount(std::string_view text) {
  const auto split = numberAndSuffix(text);
  if (!split) return std::nullopt;
  if (split->second.empty()) return split->first;
  if (split->second == "k") return split->first * 1'000;
  if (split->second == "m") return split->first * 1'000'000;
  return std::nullopt;
}

std::optional<double> parseNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  const bool isWhole = error == std::errc{} && end == text.data() + text.size();
  return isWhole && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::optional<Nanoseconds> parseDuration(std::string_view text) {
  const auto split = numberAndSuffix(text);
  if (!split || split->first > 1'000'000) return std::nullopt;
  const auto value = static_cast<Nanoseconds>(split->first);
  if (split->second == "us") return value * kMicrosecond;
  if (split->second == "ms") return value * kMillisecond;
  if (split->second == "s") return value * kSecond;
  if (split->second == "m") return value * 60 * kSecond;
  return std::nullopt;
}

}  // namespace bench
