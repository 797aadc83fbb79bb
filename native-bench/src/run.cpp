#include "run.h"

#include <algorithm>

#include "process-stats.h"

namespace bench {

namespace {

/** Time between making a schedule and its first send. */
constexpr Nanoseconds kLead = 20 * kMillisecond;
/** Sends in a row before the loop looks at what has arrived. */
constexpr std::uint64_t kMaxSendsPerTurn = 32;
/** Longest wait for the server's side of all closes. */
constexpr Nanoseconds kCloseDeadline = 2 * kSecond;

std::uint64_t countDuring(std::uint64_t ratePerSecond, Nanoseconds time) {
  return ratePerSecond * static_cast<std::uint64_t>(time / kMillisecond) / 1'000;
}

}  // namespace

Run::Run(const Options& options)
    : options_(options),
      setting_{loop_, *this, buffers_, options.target, *options.protocol},
      scenario_(makeScenario(options)) {
  for (std::size_t number = 0; number < options.connections; ++number) {
    connections_.push_back(std::make_unique<Connection>(
        setting_, number, scenario_->topicOf(number), scenario_->hearingOf(number)));
  }
}

Figures Run::run() {
  open();
  if (!hasFailed()) settle();
  if (!hasFailed() && scenario_->deliveriesPerSend() > 0) {
    load();
    if (!hasFailed()) collect();
  }
  close();
  figures_.expected = sent_ * scenario_->deliveriesPerSend();
  if (!hasFailed() && figures_.missing() > 0) fail("deliveries are missing");
  if (figures_.doubled > 0) fail("deliveries came twice");
  if (figures_.disordered > 0) fail("deliveries came after later ones of the same sender");
  return std::move(figures_);
}

Run::Mark Run::mark() const {
  Mark mark{monotonicNow(), cpuOf(0).value_or(0), std::nullopt, std::nullopt};
  if (options_.serverPid == 0) return mark;
  mark.serverCpu = cpuOf(options_.serverPid);
  mark.serverWait = waitOf(options_.serverPid);
  return mark;
}

void Run::finishWindow(Window& window, const Mark& start) {
  const Mark end = mark();
  window.elapsed = end.time - start.time;
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

void Run::turn(Nanoseconds until) {
  if (!heartbeatSchedule_) return loop_.turn(until);
  // Spread evenly: connection after connection, each once in the interval.
  const std::uint64_t due = heartbeatSchedule_->dueBy(monotonicNow());
  for (std::uint64_t count = 0; heartbeatsSent_ < due && count < kMaxSendsPerTurn; ++count) {
    Connection& connection = *connections_[heartbeatsSent_++ % connections_.size()];
    const bool isJoined = connection.state() == ConnectionState::joined;
    if (isJoined && !connection.isDeaf()) connection.heartbeat();
  }
  loop_.turn(std::min(until, heartbeatSchedule_->plannedAt(heartbeatsSent_)));
}

void Run::open() {
  Window& window = figures_.connects;
  const bool isMeasured = scenario_->deliveriesPerSend() == 0;
  window.ratePlanned = isMeasured ? options_.rate : options_.connectRate;
  if (const auto memory = serverMemory()) figures_.memory.emplace().beforeConnects = *memory;
  const Mark start = mark();
  connectSchedule_.emplace(start.time + kLead, window.ratePlanned);
  const std::uint64_t count = connections_.size();
  const Nanoseconds deadline = connectSchedule_->plannedAt(count) + options_.deadline;
  while (figures_.joined < count && !hasFailed()) {
    const Nanoseconds now = monotonicNow();
    if (now > deadline) return fail("connections had not joined by the deadline");
    const std::uint64_t due = std::min(connectSchedule_->dueBy(now), count);
    for (std::uint64_t turn = 0; window.sent < due && turn < kMaxSendsPerTurn; ++turn) {
      const std::uint64_t number = window.sent++;
      window.lateness.record(monotonicNow() - connectSchedule_->plannedAt(number));
      connections_[number]->open();
    }
    turn(window.sent < count ? connectSchedule_->plannedAt(window.sent) : deadline);
  }
  finishWindow(window, start);
  window.due = window.sent;
  window.elapsed -= kLead;
}

void Run::settle() {
  const Nanoseconds now = monotonicNow();
  // At least one heartbeat a second in all keeps the rate a whole number.
  const auto intervals = static_cast<std::uint64_t>(options_.heartbeat / kMillisecond);
  heartbeatSchedule_.emplace(now, std::max<std::uint64_t>(connections_.size() * 1'000 / intervals, 1));
  while (!hasFailed() && monotonicNow() < now + options_.settle) turn(now + options_.settle);
  const auto memory = serverMemory();
  if (memory && figures_.memory) figures_.memory->afterConnects = *memory;
}

void Run::load() {
  Window& window = figures_.load.emplace();
  window.ratePlanned = options_.rate;
  firstMeasured_ = countDuring(options_.rate, options_.warmup);
  const std::uint64_t total = firstMeasured_ + countDuring(options_.rate, options_.duration);
  sendSchedule_.emplace(monotonicNow() + kLead, options_.rate);
  const Nanoseconds end = sendSchedule_->plannedAt(total);
  while (!hasFailed() && (sent_ < total || monotonicNow() < end)) {
    sendDue(*sendSchedule_, total);
    turn(sendSchedule_->plannedAt(sent_));
  }
  if (windowStart_) finishWindow(window, *windowStart_);
  windowStart_.reset();
}

void Run::sendDue(const Schedule& schedule, std::uint64_t total) {
  const std::uint64_t due = std::min(schedule.dueBy(monotonicNow()), total);
  for (std::uint64_t count = 0; sent_ < due && count < kMaxSendsPerTurn && !hasFailed(); ++count) {
    if (sent_ == firstMeasured_) windowStart_ = mark();
    if (windowStart_) {
      figures_.load->lateness.record(monotonicNow() - schedule.plannedAt(sent_));
      ++figures_.load->sent;
      figures_.load->due += scenario_->deliveriesPerSend();
    }
    scenario_->send(connections_, sent_++);
  }
}

void Run::collect() {
  const std::uint64_t expected = sent_ * scenario_->deliveriesPerSend();
  const Nanoseconds deadline = monotonicNow() + options_.deadline;
  while (!hasFailed() && figures_.delivered < expected && monotonicNow() < deadline) turn(deadline);
}

void Run::close() {
  heartbeatSchedule_.reset();
  for (auto& connection : connections_) connection->leave();
  const Nanoseconds deadline = monotonicNow() + kCloseDeadline;
  for (auto& connection : connections_) {
    while (connection->state() == ConnectionState::closing && monotonicNow() < deadline) {
      loop_.turn(deadline);
    }
  }
}

void Run::onJoined(Connection& connection, Nanoseconds now) {
  Window& window = figures_.connects;
  ++window.received;
  window.latency.record(now - connectSchedule_->plannedAt(connection.number()));
  if (++figures_.joined != connections_.size() / 2 || !figures_.memory) return;
  if (const auto memory = serverMemory()) figures_.memory->atHalf = *memory;
  figures_.memory->connectionsSinceHalf = connections_.size() - figures_.joined;
}

void Run::onMessage(Connection& connection, const Message& message, Nanoseconds now) {
  const auto delivery = scenario_->check(connection, message);
  if (!delivery || delivery->send >= sent_) {
    return onFailure(connection, "got what nobody asked for: " + std::string(message.event) + " " +
                                     std::string(message.payload));
  }
  if (delivery->isDoubled) {
    ++figures_.doubled;
    return;
  }
  ++figures_.delivered;
  if (delivery->isDisordered) ++figures_.disordered;
  if (windowStart_) ++figures_.load->received;
  if (delivery->send >= firstMeasured_) {
    figures_.load->latency.record(now - sendSchedule_->plannedAt(delivery->send));
  }
}

void Run::onHeartbeatReply() { ++figures_.heartbeats; }

void Run::onDeafClosed() { ++figures_.deafClosed; }

void Run::onFailure(Connection& connection, const std::string& reason) {
  fail("connection " + std::to_string(connection.number()) + " (" + connection.topic() +
       "): " + reason);
}

}  // namespace bench
