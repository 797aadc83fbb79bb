// One run, from the first connection to the last: opens, warms up, measures, waits, closes.
//
//   open      connections on a schedule of their own; the figures of `connects`
//   settle    a rest, then the server's memory is read
//   warm up   sends on schedule, counted but not measured
//   measure   sends on the same schedule; CPU is read at both ends
//   collect   no sends; waits until every delivery has come, or the deadline
//   close     close frames; what had been queued before them is still counted, and which of
//             the deaf connections the server had closed
//
// The first failure of any connection ends the run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "connection.h"
#include "event-loop.h"
#include "figures.h"
#include "options.h"
#include "scenario.h"
#include "schedule.h"

namespace bench {

class Run final : private ConnectionListener {
 public:
  explicit Run(const Options& options);

  /** Runs it all; used once. */
  Figures run();

 private:
  /** CPU at the beginning of a window. */
  struct Mark {
    Nanoseconds time = 0;
    Nanoseconds generatorCpu = 0;
    std::optional<Nanoseconds> serverCpu;
    std::optional<Nanoseconds> serverWait;
  };

  void onJoined(Connection& connection, Nanoseconds now) override;
  void onMessage(Connection& connection, const Message& message, Nanoseconds now) override;
  void onHeartbeatReply() override;
  void onDeafClosed() override;
  void onFailure(Connection& connection, const std::string& reason) override;

  void open();
  void settle();
  void load();
  void sendDue(const Schedule& schedule, std::uint64_t total);
  void collect();
  void close();

  bool hasFailed() const { return !figures_.failures.empty(); }
  void fail(const std::string& reason) { figures_.failures.push_back(reason); }
  /** Handles events and heartbeats until `until` at most. */
  void turn(Nanoseconds until);
  Mark mark() const;
  void finishWindow(Window& window, const Mark& start);
  std::optional<std::uint64_t> serverMemory();

  const Options& options_;
  EventLoop loop_;
  SharedBuffers buffers_;
  const ConnectionSetting setting_;
  std::unique_ptr<Scenario> scenario_;
  Connections connections_;
  Figures figures_;

  std::optional<Schedule> connectSchedule_;
  std::optional<Schedule> heartbeatSchedule_;
  std::uint64_t heartbeatsSent_ = 0;

  std::optional<Schedule> sendSchedule_;
  /** Sends done so far, and the first of the measured window. */
  std::uint64_t sent_ = 0;
  std::uint64_t firstMeasured_ = 0;
  /** Set while the window is open. */
  std::optional<Mark> windowStart_;
};

}  // namespace bench
