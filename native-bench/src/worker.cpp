#include "worker.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "process-stats.h"

namespace bench {

namespace {

/** Maximum number of consecutive sends before the loop reads what has arrived. */
constexpr std::uint64_t kMaxSendsPerTurn = 32;
/**
 * Maximum number of steps of the plan to examine per turn; most of them belong to other threads.
 */
constexpr std::uint64_t kMaxStepsPerTurn = 4096;
/** Time between two reads of a slow connection. */
constexpr Nanoseconds kSlowPeriod = 100 * kMillisecond;
/** Maximum time to wait for the server's part of the closes. */
constexpr Nanoseconds kCloseDeadline = 2 * kSecond;
/** Maximum sleep of an idle thread. */
constexpr Nanoseconds kLongest = 3'600 * kSecond;

}  // namespace

Worker::Worker(const WorkerSetting& setting, Share share)
    : setting_(setting),
      share_(share),
      orders_(loop_),
      connectionSetting_{loop_, *this, buffers_, setting.options.target, *setting.options.protocol},
      scenario_(makeScenario(setting.options, share)),
      first_(std::min(static_cast<std::size_t>(setting.options.connections),
                      scenario_->firstConnections())),
      intervalStart_{setting.begin, 0} {
  for (std::size_t number = share.thread; number < setting.options.connections;
       number += share.threads) {
    connections_.push_back(std::make_unique<Connection>(
        connectionSetting_, number,
        setting.options.topicPrefix + std::to_string(scenario_->topicOf(number)),
        scenario_->hearingOf(number)));
    if (number < first_) ++ownFirst_;
  }
  wasJoined_.resize(connections_.size());
  for (const auto& connection : connections_) {
    if (connection->hearing() == Hearing::slow) slow_.push_back(connection.get());
  }
  thread_ = std::thread([this] { run(); });
}

Worker::~Worker() {
  orders_.put(Stop{});
  orders_.put(Close{});
  thread_.join();
}

void Worker::run() {
  try {
    while (!hasClosed_) {
      while (!nextOrder_) turn(monotonicNow() + kLongest);
      const Order order = *std::exchange(nextOrder_, std::nullopt);
      std::visit([this](const auto& kind) { obey(kind); }, order);
      setting_.news.put(
          Obeyed{std::exchange(tally_, {}), counts_, share_.thread, monotonicNow()});
    }
  } catch (const std::exception& error) {
    setting_.news.put(Broken{error.what()});
  }
}

void Worker::turn(Nanoseconds until) {
  const Nanoseconds now = monotonicNow();
  if (heartbeatSchedule_) {
    sendHeartbeats(now);
    until = std::min(until, heartbeatSchedule_->plannedAt(heartbeatsSent_));
  }
  if (slowSchedule_) {
    readSlowly(now);
    until = std::min(until, slowSchedule_->plannedAt(slowReads_));
  }
  if (setting_.options.live > 0) {
    passIntervals(now);
    until = std::min(until, intervalStart_.time + setting_.options.live);
  }
  loop_.turn(until);
  for (const Order& order : orders_.take()) {
    if (std::holds_alternative<Stop>(order)) {
      isStopped_ = true;
    } else {
      nextOrder_ = order;
    }
  }
}

void Worker::sendHeartbeats(Nanoseconds now) {
  // Heartbeats are spread evenly: one connection after another, each once per interval.
  for (std::uint64_t count = 0; count < kMaxSendsPerTurn; ++count) {
    if (heartbeatSchedule_->plannedAt(heartbeatsSent_) > now) return;
    Connection& connection = *connections_[heartbeatsSent_++ % connections_.size()];
    const bool isJoined = connection.state() == ConnectionState::joined;
    if (isJoined && connection.hearing() != Hearing::deaf) connection.heartbeat();
  }
}

void Worker::readSlowly(Nanoseconds now) {
  const auto bytes = static_cast<std::size_t>(
      setting_.options.slowRate * static_cast<std::uint64_t>(kSlowPeriod) / kSecond);
  for (std::uint64_t count = 0; count < kMaxSendsPerTurn; ++count) {
    if (slowSchedule_->plannedAt(slowReads_) > now) return;
    Connection& connection = *slow_[slowReads_++ % slow_.size()];
    if (connection.state() == ConnectionState::joined) connection.readSome(bytes);
  }
}

void Worker::freeSlow(bool isFree) {
  if (slow_.empty()) return;
  slowReads_ = 0;
  slowSchedule_.reset();
  if (!isFree) slowSchedule_.emplace(monotonicNow(), slow_.size(), kSlowPeriod);
  for (Connection* connection : slow_) {
    if (connection->state() == ConnectionState::joined) connection->readFreely(isFree);
  }
}

std::uint64_t Worker::owedToSlow() const {
  std::uint64_t owed = 0;
  for (const Connection* connection : slow_) {
    const bool isJoined = connection->state() == ConnectionState::joined;
    if (isJoined) owed += scenario_->outstandingFor(*connection);
  }
  return owed;
}

void Worker::passIntervals(Nanoseconds now) {
  const Nanoseconds every = setting_.options.live;
  while (intervalStart_.time + every <= now) {
    const Nanoseconds cpu = threadCpu();
    interval_.cpu = cpu - intervalStart_.cpu;
    interval_.elapsed = now - intervalStart_.time;
    // If several intervals have passed, the first has all the counts and the others are empty.
    setting_.news.put(IntervalPassed{intervals_++, std::exchange(interval_, {})});
    intervalStart_ = {intervalStart_.time + every, cpu};
  }
}

void Worker::startWindow(Nanoseconds now) { windowStart_ = Mark{now, threadCpu()}; }

void Worker::finishWindow() {
  if (!windowStart_) return;
  tally_.cpu = threadCpu() - windowStart_->cpu;
  tally_.elapsed = monotonicNow() - windowStart_->time;
  windowStart_.reset();
}

void Worker::obey(const Open& open) {
  open_ = open;
  startWindow(monotonicNow());
  while (joined_ < ownFirst_ && !isStopped_ && monotonicNow() <= open.deadline) {
    openDue(open);
    const bool isMore = opened_ < ownFirst_;
    turn(isMore ? open.schedule.plannedAt(connections_[opened_]->number()) : open.deadline);
  }
  isOpening_ = false;
  finishWindow();
}

void Worker::openDue(const Open& open) {
  for (std::uint64_t count = 0; count < kMaxSendsPerTurn; ++count) {
    if (opened_ == ownFirst_) return;
    Connection& connection = *connections_[opened_];
    const Nanoseconds late = monotonicNow() - open.schedule.plannedAt(connection.number());
    if (late < 0) return;
    ++opened_;
    ++tally_.sent;
    ++tally_.due;
    ++interval_.sent;
    tally_.lateness.record(late);
    interval_.lateness.record(late);
    connection.open();
  }
}

void Worker::obey(const Settle& settle) {
  heartbeatSchedule_.emplace(monotonicNow(), connections_.size(), setting_.options.heartbeat);
  freeSlow(false);
  while (!isStopped_ && monotonicNow() < settle.end) turn(settle.end);
}

void Worker::obey(const Load& load) {
  pastLoads_.push_back(std::exchange(load_, load));
  countEarly();
  cursor_ = load.firstSend;
  freeSlow(false);
  while (!isStopped_) {
    const Nanoseconds now = monotonicNow();
    if (!windowStart_ && now >= load.windowStart) startWindow(now);
    if (cursor_ == load.endSend && now >= load.windowEnd) break;
    sendDue(now);
    const Nanoseconds next = cursor_ < load.endSend ? load.plannedAt(cursor_) : load.windowEnd;
    turn(windowStart_ ? next : std::min(next, load.windowStart));
  }
  finishWindow();
}

void Worker::sendDue(Nanoseconds now) {
  std::uint64_t sends = 0;
  // Skips the sends of other threads ahead of time, to find the next send of this thread to wait
  // for.
  for (std::uint64_t step = 0; step < kMaxStepsPerTurn && cursor_ < load_.endSend; ++step) {
    const std::uint64_t send = cursor_;
    const std::size_t sender = scenario_->senderOf(send);
    const bool isOwn = share_.has(sender);
    if (isOwn) {
      if (sends == kMaxSendsPerTurn || isStopped_) return;
      const Nanoseconds planned = load_.plannedAt(send);
      if (planned > now && planned > (now = monotonicNow())) return;
    }
    ++cursor_;
    const std::uint64_t owed = scenario_->owedFor(send);
    const bool isMeasured = send >= load_.firstMeasured;
    counts_.expected += owed;
    if (isMeasured) tally_.due += owed;
    if (!isOwn) continue;
    const Nanoseconds late = (now = monotonicNow()) - load_.plannedAt(send);
    ++sends;
    ++interval_.sent;
    interval_.lateness.record(late);
    if (isMeasured) {
      ++tally_.sent;
      tally_.lateness.record(late);
    }
    Connection& connection = *connections_[sender / share_.threads];
    const bool wasJoined = connection.state() == ConnectionState::joined;
    scenario_->send(connection, send);
    if (wasJoined && connection.state() != ConnectionState::joined) {
      setting_.joined.fetch_sub(1, std::memory_order_relaxed);
    }
  }
}

void Worker::obey(const Cut& cut) {
  while (!isStopped_ && monotonicNow() < cut.at) turn(cut.at);
  for (auto& connection : connections_) {
    if (connection->state() != ConnectionState::joined) continue;
    connection->cut();
    setting_.joined.fetch_sub(1, std::memory_order_relaxed);
  }
}

void Worker::obey(const Collect& collect) {
  freeSlow(true);
  while (!isStopped_ && counts_.missing() + owedToSlow() > 0 &&
         monotonicNow() < collect.deadline) {
    turn(collect.deadline);
  }
  counts_.slowMissing = owedToSlow();
}

void Worker::obey(const Close&) {
  hasClosed_ = true;
  countEarly();
  heartbeatSchedule_.reset();
  slowSchedule_.reset();
  for (auto& connection : connections_) connection->leave();
  const Nanoseconds deadline = monotonicNow() + kCloseDeadline;
  for (auto& connection : connections_) {
    while (connection->state() == ConnectionState::closing && monotonicNow() < deadline) {
      loop_.turn(deadline);
    }
  }
}

void Worker::obey(const Stop&) {}

void Worker::onJoined(Connection& connection, Nanoseconds now) {
  noteJoined(connection);
  if (!isOpening_) {
    const auto delivery = scenario_->joined(connection);
    if (!delivery) return onFailure(connection, "joined, although no send had opened it");
    return count(connection, *delivery, now);
  }
  const Nanoseconds latency = now - open_.schedule.plannedAt(connection.number());
  ++joined_;
  countReceived();
  tally_.latency.record(latency);
  interval_.latency.record(latency);
}

void Worker::noteJoined(const Connection& connection) {
  const std::uint64_t all = setting_.joined.fetch_add(1, std::memory_order_relaxed) + 1;
  if (isOpening_ && all == first_ / 2) setting_.news.put(HalfJoined{});
  const std::size_t place = connection.number() / share_.threads;
  if (!wasJoined_[place]) ++counts_.joined;
  wasJoined_[place] = true;
}

void Worker::onMessage(Connection& connection, const Message& message, Nanoseconds now) {
  const auto delivery = scenario_->check(connection, message);
  const bool isEarly = delivery && delivery->send >= load_.endSend;
  if (isEarly) return early_.push_back({&connection, *delivery, now});
  if (!delivery || !load_.hasLeft(delivery->send, now)) {
    return onFailure(connection, "received an unexpected message: " + std::string(message.event) +
                                     " " + std::string(message.payload));
  }
  count(connection, *delivery, now);
}

void Worker::countEarly() {
  for (const auto& [connection, delivery, at] : std::exchange(early_, {})) {
    if (load_.hasLeft(delivery.send, at)) {
      count(*connection, delivery, at);
    } else {
      onFailure(*connection, "received send " + std::to_string(delivery.send) + " before it was sent");
    }
  }
}

void Worker::count(const Connection& connection, const Delivery& delivery, Nanoseconds now) {
  if (delivery.due == Due::chore) return;
  if (delivery.isDoubled) {
    ++counts_.doubled;
    return;
  }
  if (delivery.isDisordered) ++counts_.disordered;
  if (connection.hearing() == Hearing::slow) {
    ++counts_.slowDelivered;
    return;
  }
  // An unowed delivery becomes due on arrival, so that it is neither missing nor in excess.
  ++(delivery.due == Due::owed ? counts_.delivered : tally_.due);
  countReceived();
  const Nanoseconds latency = now - plannedAt(delivery.send);
  interval_.latency.record(latency);
  const bool isWarmUp = delivery.send >= load_.firstSend && delivery.send < load_.firstMeasured;
  if (isWarmUp) return;
  tally_.latency.record(latency);
  tally_.lastReceived = now;
}

Nanoseconds Worker::plannedAt(std::uint64_t send) const {
  if (send >= load_.firstSend) return load_.plannedAt(send);
  const auto next = std::upper_bound(
      pastLoads_.begin(), pastLoads_.end(), send,
      [](std::uint64_t number, const Load& load) { return number < load.firstSend; });
  return std::prev(next)->plannedAt(send);
}

void Worker::countReceived() {
  ++interval_.received;
  // This thread is the only writer, so no read-modify-write is needed.
  received_.store(received_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void Worker::onHeartbeatReply() { ++counts_.heartbeats; }

void Worker::onCutOff(Connection& connection) {
  ++(connection.hearing() == Hearing::slow ? counts_.slowClosed : counts_.deafClosed);
}

void Worker::onFailure(Connection& connection, const std::string& reason) {
  fail("connection " + std::to_string(connection.number()) + " (" + connection.topic() +
       "): " + reason);
}

void Worker::fail(const std::string& reason) {
  isStopped_ = true;
  setting_.news.put(Failed{reason});
}

}  // namespace bench
