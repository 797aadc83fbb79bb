// One thread of the generator: an event loop, its share of the connections, and what they count.
//
// It does what the coordinator (run.h) orders, one order after the other, and tells it what came
// of it. In between, and meanwhile, it answers pings and sends heartbeats. Nothing of it is shared
// but the two mailboxes and the count of the joined; a message touches neither.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "connection.h"
#include "event-loop.h"
#include "mailbox.h"
#include "options.h"
#include "phase.h"
#include "scenario.h"
#include "schedule.h"

namespace bench {

/** What every thread of a run is given. */
struct WorkerSetting {
  const Options& options;
  Mailbox<News>& news;
  /**
   * Connections that are joined, of all threads. Each thread adds (relaxed) and the coordinator
   * reads (relaxed): the number is all that is wanted, nothing else is published by it.
   */
  std::atomic<std::uint64_t>& joined;
  /** When the first interval of --live begins. */
  Nanoseconds begin = 0;
};

class Worker final : private ConnectionListener {
 public:
  /** Starts the thread; it waits for orders. */
  Worker(const WorkerSetting& setting, Share share);
  /** Ends the thread, wherever it is. */
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /** Any thread; `Obeyed` follows, but after `Stop`. */
  void order(const Order& order) { orders_.put(order); }

  /** Joins and deliveries read so far; any thread. */
  std::uint64_t received() const { return received_.load(std::memory_order_relaxed); }

 private:
  void onJoined(Connection& connection, Nanoseconds now) override;
  void onMessage(Connection& connection, const Message& message, Nanoseconds now) override;
  void onHeartbeatReply() override;
  void onCutOff(Connection& connection) override;
  void onFailure(Connection& connection, const std::string& reason) override;

  void run();
  void obey(const Open& open);
  void obey(const Settle& settle);
  void obey(const Load& load);
  void obey(const Cut& cut);
  void obey(const Collect& collect);
  void obey(const Close&);
  void obey(const Stop&);

  /** Handles events, heartbeats, intervals and orders until `until` at most. */
  void turn(Nanoseconds until);
  void sendHeartbeats(Nanoseconds now);
  void readSlowly(Nanoseconds now);
  void passIntervals(Nanoseconds now);
  /** Lets the slow read freely, or by readSlowly() alone. */
  void freeSlow(bool isFree);
  std::uint64_t owedToSlow() const;
  void openDue(const Open& open);
  void sendDue(Nanoseconds now);
  void startWindow(Nanoseconds now);
  void finishWindow();
  void noteJoined(const Connection& connection);
  void count(const Connection& connection, const Delivery& delivery, Nanoseconds now);
  Nanoseconds plannedAt(std::uint64_t send) const;
  void countEarly();
  void countReceived();
  void fail(const std::string& reason);

  const WorkerSetting setting_;
  const Share share_;
  EventLoop loop_;
  Mailbox<Order> orders_;
  std::optional<Order> nextOrder_;
  bool isStopped_ = false;
  bool hasClosed_ = false;

  SharedBuffers buffers_;
  const ConnectionSetting connectionSetting_;
  const std::unique_ptr<Scenario> scenario_;
  /** By number / threads. */
  std::vector<std::unique_ptr<Connection>> connections_;

  Open open_{Schedule(0, 1), 0};
  bool isOpening_ = true;
  /** Connections that open before the load: of all threads, and how many are its own. */
  const std::size_t first_;
  std::size_t ownFirst_ = 0;
  std::size_t opened_ = 0;
  std::size_t joined_ = 0;
  /** As connections_: whether it has ever joined. */
  std::vector<bool> wasJoined_;

  std::optional<Schedule> heartbeatSchedule_;
  std::uint64_t heartbeatsSent_ = 0;

  /** Those of its connections; they take turns to read. */
  std::vector<Connection*> slow_;
  /** Nothing while they read freely. */
  std::optional<Schedule> slowSchedule_;
  std::uint64_t slowReads_ = 0;

  Load load_;
  /** Those before it, for what is late. */
  std::vector<Load> pastLoads_;
  /**
   * Deliveries of sends that this thread does not know yet: another thread has read the next order
   * before it, and sent. They are counted when the order is read here too.
   */
  struct Early {
    Connection* connection;
    Delivery delivery;
    Nanoseconds at;
  };
  std::vector<Early> early_;
  /** Next number of the plan; all below are sent, or are other threads'. */
  std::uint64_t cursor_ = 0;

  /**
   * Written by this thread alone (relaxed), read by the coordinator (relaxed) when it reads the
   * server's CPU: the number is all that is wanted, nothing else is published by it.
   */
  std::atomic<std::uint64_t> received_ = 0;

  Counts counts_;
  /** Of the order that is obeyed, within its window. */
  Tally tally_;
  /** CPU of this thread and time when the window began; nothing where it is not open. */
  struct Mark {
    Nanoseconds time;
    Nanoseconds cpu;
  };
  std::optional<Mark> windowStart_;

  /** Of the interval of --live that is running. */
  Tally interval_;
  std::uint64_t intervals_ = 0;
  Mark intervalStart_;

  /** Last: it uses all of the above. */
  std::thread thread_;
};

}  // namespace bench
