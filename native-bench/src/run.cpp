#include "run.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <variant>

#include "day-plan.h"
#include "process-stats.h"
#include "scenario.h"

namespace bench {

namespace {

/** Time between the creation of a schedule and its first send. */
constexpr Nanoseconds kLead = 20 * kMillisecond;
/** Longer than any run. */
constexpr Nanoseconds kForever = 24 * 3'600 * kSecond;

std::uint64_t countDuring(std::uint64_t ratePerSecond, Nanoseconds time) {
  return ratePerSecond * static_cast<std::uint64_t>(time / kMillisecond) / 1'000;
}

}  // namespace

Run::Run(const Options& options)
    : options_(options),
      work_(makeScenario(options)->work()),
      first_(std::min<std::uint64_t>(options.connections, makeScenario(options)->firstConnections())),
      news_(loop_),
      live_(options),
      counts_(options.threads) {
  const WorkerSetting setting{options, news_, joined_, monotonicNow()};
  for (std::size_t thread = 0; thread < options.threads; ++thread) {
    workers_.push_back(std::make_unique<Worker>(setting, Share{thread, options.threads}));
  }
}

Figures Run::run() {
  open();
  if (!hasFailed()) settle();
  if (!hasFailed() && work_ != Work::none) measure();
  close();
  figures_.counts = counts();
  figures_.joined = figures_.counts.joined;
  if (!hasFailed() && isMissing()) fail("deliveries are missing");
  if (!hasFailed() && figures_.counts.slowMissing > 0) {
    fail("deliveries to slow connections that the server did not close are missing");
  }
  if (figures_.counts.doubled > 0) fail("deliveries arrived twice");
  if (figures_.counts.disordered > 0) fail("deliveries arrived after later ones of the same sender");
  return std::move(figures_);
}

Counts Run::counts() const {
  Counts all;
  for (const Counts& each : counts_) all.add(each);
  return all;
}

void Run::order(const Order& order, Window* window) {
  window_ = window;
  awaited_ = workers_.size();
  for (const auto& worker : workers_) worker->order(order);
}

void Run::await(Nanoseconds until) {
  while (awaited_ > 0 && monotonicNow() < until) {
    loop_.turn(until);
    for (News& news : news_.take()) {
      std::visit([this](auto& kind) { note(kind); }, news);
    }
  }
}

void Run::note(Obeyed& obeyed) {
  --awaited_;
  obeyedAt_ = std::max(obeyedAt_, obeyed.time);
  counts_[obeyed.thread] = obeyed.counts;
  if (window_ != nullptr) window_->add(obeyed.tally);
}

void Run::note(const HalfJoined&) {
  const auto memory = serverMemory();
  if (!memory || !figures_.memory) return;
  figures_.memory->atHalf = *memory;
  figures_.memory->connectionsSinceHalf =
      first_ - joined_.load(std::memory_order_relaxed);
}

void Run::note(const IntervalPassed& passed) {
  const auto line = live_.add(passed, phase_, joined_.load(std::memory_order_relaxed));
  if (!line) return;
  std::puts(line->c_str());
  std::fflush(stdout);
}

void Run::note(const Failed& failed) {
  if (!hasFailed()) {
    for (const auto& worker : workers_) worker->order(Stop{});
  }
  figures_.failures.push_back(failed.reason);
}

void Run::note(const Broken& broken) { throw std::runtime_error(broken.reason); }

Run::Mark Run::mark() const {
  Mark mark{monotonicNow(), 0, cpuOf(0).value_or(0), std::nullopt, std::nullopt};
  for (const auto& worker : workers_) mark.received += worker->received();
  if (options_.serverPid == 0) return mark;
  mark.serverCpu = cpuOf(options_.serverPid);
  mark.serverWait = waitOf(options_.serverPid);
  return mark;
}

void Run::finishWindow(Window& window, const Mark& start, Nanoseconds planned) {
  const Mark end = mark();
  window.elapsed = obeyedAt_ - planned;
  window.cpuElapsed = end.time - start.time;
  window.received = end.received - start.received;
  window.generatorCpu = end.generatorCpu - start.generatorCpu;
  if (start.serverCpu && end.serverCpu) window.serverCpu = *end.serverCpu - *start.serverCpu;
  if (start.serverWait && end.serverWait) window.serverWait = *end.serverWait - *start.serverWait;
  if (options_.serverPid != 0 && !window.serverCpu) fail("the server's process is gone");
}

std::optional<std::uint64_t> Run::serverMemory() {
  if (options_.serverPid == 0) return std::nullopt;
  const auto memory = memoryOf(options_.serverPid);
  if (!memory) fail("the server's process is gone");
  return memory;
}

void Run::open() {
  Window& window = figures_.connects;
  window.ratePlanned = work_ == Work::none ? options_.rate : options_.connectRate;
  if (const auto memory = serverMemory()) figures_.memory.emplace().beforeConnects = *memory;
  const Mark start = mark();
  const Schedule schedule(start.time + kLead, window.ratePlanned);
  order(Open{schedule, schedule.plannedAt(first_) + options_.deadline}, &window);
  await(start.time + kForever);
  finishWindow(window, start, start.time + kLead);
  if (!hasFailed() && joined_.load(std::memory_order_relaxed) < first_) {
    fail("not all connections had joined by the deadline");
  }
}

void Run::settle() {
  phase_ = LivePhase::settle;
  const Nanoseconds end = monotonicNow() + options_.settle;
  order(Settle{end}, nullptr);
  await(end + kForever);
  const auto memory = serverMemory();
  if (memory && figures_.memory) figures_.memory->afterConnects = *memory;
}

void Run::measure() {
  if (work_ == Work::held) return hold();
  if (work_ == Work::returns) return reconnect();
  if (work_ == Work::day) return playDay();
  if (options_.searchP99 > 0) return search();
  Window& window = figures_.load.emplace();
  load(options_.rate, window);
  if (!hasFailed()) collect(window, options_.deadline);
}

void Run::hold() {
  Load load;
  load.windowStart = monotonicNow() + kLead;
  load.windowEnd = load.windowStart + options_.duration;
  follow(load, figures_.load.emplace());
}

void Run::load(std::uint64_t rate, Window& window) {
  window.ratePlanned = rate;
  Load load;
  load.schedule = Schedule(monotonicNow() + kLead, rate).inTicks(options_.tick);
  load.firstSend = sends_;
  load.firstMeasured = sends_ + countDuring(rate, options_.warmup);
  load.endSend = load.firstMeasured + countDuring(rate, options_.duration);
  load.windowStart = load.plannedAt(load.firstMeasured);
  load.windowEnd = load.plannedAt(load.endSend);
  sends_ = load.endSend;
  follow(load, window);
}

void Run::follow(const Load& load, Window& window) {
  phase_ = LivePhase::warmup;
  order(load, &window);
  await(load.windowStart);
  phase_ = LivePhase::measure;
  const Mark start = mark();
  await(load.windowEnd + kForever);
  finishWindow(window, start, load.windowStart);
}

void Run::collect(Window& window, Nanoseconds longest) {
  phase_ = LivePhase::collect;
  const Nanoseconds deadline = monotonicNow() + longest;
  order(Collect{deadline}, &window);
  await(deadline + kForever);
}

void Run::reconnect() {
  phase_ = LivePhase::measure;
  Window& window = figures_.load.emplace();
  window.ratePlanned = options_.rate;
  const Mark start = mark();
  const Nanoseconds cutAt = start.time + kLead;
  order(Cut{cutAt}, nullptr);
  await(cutAt + kForever);
  Load load;
  load.schedule = Schedule(std::max(obeyedAt_, cutAt) + kLead, options_.rate);
  load.endSend = options_.connections;
  load.windowStart = load.plannedAt(0);
  load.windowEnd = load.plannedAt(load.endSend);
  order(load, &window);
  await(load.windowEnd + kForever);
  const Nanoseconds sentBy = obeyedAt_;
  if (!hasFailed()) collect(window, options_.deadline);
  // The CPU time covers everything, from the server's handling of the cut to the work after the
  // last send.
  finishWindow(window, start, load.windowStart);
  window.elapsed = sentBy - load.windowStart;
  if (!isMissing()) figures_.untilAllBack = window.lastReceived - cutAt;
}

void Run::playDay() {
  const DayPlan plan(options_.day);
  Window& whole = figures_.load.emplace();
  std::uint64_t planned = 0;
  // Resized only once, because orders hold the addresses of the windows.
  figures_.periods.resize(plan.parts().size());
  for (std::size_t index = 0; index < plan.parts().size() && !hasFailed(); ++index) {
    const Period& period = options_.day.periods[index];
    const DayPlan::Part& part = plan.parts()[index];
    PeriodFigures& figures = figures_.periods[index];
    figures.connections = period.connections;
    const std::uint64_t sends = part.end() - part.first;
    figures.ratePlanned = static_cast<double>(sends) * kSecond / static_cast<double>(period.duration);
    figures.window.ratePlanned = static_cast<std::uint64_t>(figures.ratePlanned);
    planned += sends;
    Load load;
    load.schedule = Schedule(monotonicNow() + kLead, std::max<std::uint64_t>(part.even(), 1), period.duration);
    load.burst = part.burst;
    load.firstSend = load.firstMeasured = part.first;
    load.endSend = part.end();
    load.windowStart = load.schedule.plannedAt(0);
    load.windowEnd = load.windowStart + period.duration;
    follow(load, figures.window);
    const bool isLast = index + 1 == plan.parts().size();
    if (isLast && !hasFailed()) collect(figures.window, options_.deadline);
  }
  for (const PeriodFigures& figures : figures_.periods) whole.add(figures.window);
  whole.ratePlanned = static_cast<std::uint64_t>(static_cast<double>(planned) * kSecond /
                                                 static_cast<double>(options_.day.duration()));
}

void Run::search() {
  Search& search = figures_.search.emplace(options_.searchP99, options_.rate);
  while (const auto rate = search.next()) {
    Window window;
    load(*rate, window);
    // A server that fell behind may need the same time again to catch up.
    const Nanoseconds length = options_.warmup + options_.duration;
    if (!hasFailed()) collect(window, length + options_.deadline);
    if (!hasFailed() && isMissing()) fail("deliveries are missing");
    if (hasFailed()) {
      search.abandon({*rate, window.rateReached(), {}, Culprit::server, figures_.failures.front()});
    } else {
      search.add(judge(window, options_.searchP99, options_.maxLate));
    }
    if (!figures_.load || search.rate() == *rate) figures_.load = std::move(window);
  }
}

void Run::close() {
  phase_ = LivePhase::close;
  order(Close{}, nullptr);
  await(monotonicNow() + kForever);
}

}  // namespace bench
