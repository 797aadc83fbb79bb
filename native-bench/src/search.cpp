#include "search.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "report.h"

namespace bench {

namespace {

/** The end of the range of --rate. */
constexpr std::uint64_t kHighestRate = 10'000'000;
/** The search ends when the good and the bad rate differ by less than a twentieth. */
constexpr std::uint64_t kPrecision = 20;
constexpr std::size_t kMaxSteps = 32;

double milliseconds(Nanoseconds time) { return static_cast<double>(time) / kMillisecond; }

std::string format(const char* form, double first, double second) {
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), form, first, second);
  return text.data();
}

}  // namespace

SearchStep judge(const Window& window, Nanoseconds bound, Nanoseconds maxLate) {
  SearchStep step{window.ratePlanned, window.rateReached(), std::nullopt, Culprit::generator, ""};
  if (const auto bottleneck = bottleneckOf(window, maxLate)) {
    step.why = *bottleneck;
    return step;
  }
  step.p99 = window.latency.quantile(0.99);
  if (*step.p99 < bound && !isServerBehind(window)) {
    step.culprit = Culprit::none;
  } else if (window.worstLateness >= bound) {
    step.why = format("the generator was the bottleneck: p99 of its own lateness was %.1f ms (bound %.1f ms)",
                      milliseconds(window.worstLateness), milliseconds(bound));
  } else {
    step.culprit = Culprit::server;
    step.why = *step.p99 < bound
                   ? format("the server fell behind: %.0f %% of the due messages arrived in the window (limit %.0f %%)",
                            100 * window.receivedShare(), 100 * kMinReceivedShare)
                   : format("the server's p99 was %.1f ms (bound %.1f ms)", milliseconds(*step.p99),
                            milliseconds(bound));
  }
  return step;
}

void Search::add(const SearchStep& step) {
  steps_.push_back(step);
  if (!step.isGood() && !isSecondTry_ && steps_.size() < kMaxSteps) {
    isSecondTry_ = true;
    return;
  }
  isSecondTry_ = false;
  if (step.isGood()) {
    good_ = step.rate;
  } else {
    bad_ = step.rate;
    culprit_ = step.culprit;
  }
  next_ = bad_ == 0 ? std::min(good_ * 2, kHighestRate) : good_ + (bad_ - good_) / 2;
  const bool isNear = bad_ != 0 && bad_ - good_ <= bad_ / kPrecision;
  if (isNear || *next_ == good_ || steps_.size() == kMaxSteps) next_.reset();
}

void Search::abandon(const SearchStep& step) {
  steps_.push_back(step);
  culprit_ = step.culprit;
  next_.reset();
}

bool Search::isLowerBound() const { return culprit_ != Culprit::server; }

}  // namespace bench
