// One thread of the generator: an event loop, its share of the connections, and their counts.
//
// It carries out the orders of the coordinator (run.h) one after the other and reports the results.
// It answers pings and sends heartbeats at all times. It shares only the two mailboxes and the
// count of joined connections with other threads; sending or receiving a message touches neither.
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

/** State shared by the threads of a run. */
struct WorkerSetting {
  const Options& options;
  Mailbox<News>& news;
  /**
   * Number of joined connections of all threads. Each thread adds (relaxed) and the coordinator
   * reads (relaxed), because only the number is needed and it publishes no other data.
   */
  std::atomic<std::uint64_t>& joined;
  /** Start of the first interval of --live. */
  Nanoseconds begin = 0;
};

class Worker final : private ConnectionListener {
 public:
  /** Starts the thread, which waits for orders. */
  Worker(const WorkerSetting& setting, Share share);
  /** Ends the thread, even if it is busy. */
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /** Gives an order; may be called on any thread. `Obeyed` follows, except after `Stop`. */
  void order(const Order& order) { orders_.put(order); }

  /** Number of joins and deliveries read so far; may be called on any thread. */
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

  /** Handles events, heartbeats, intervals and orders, at most until `until`. */
  void turn(Nanoseconds until);
  void sendHeartbeats(Nanoseconds now);
  void readSlowly(Nanoseconds now);
  void passIntervals(Nanoseconds now);
  /** Lets slow connections read freely, or only through readSlowly(). */
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
  /** Indexed by number / threads. */
  std::vector<std::unique_ptr<Connection>> connections_;

  Open open_{Schedule(0, 1), 0};
  bool isOpening_ = true;
  /** Number of connections that open before the load, of all threads and of this thread. */
  const std::size_t first_;
  std::size_t ownFirst_ = 0;
  std::size_t opened_ = 0;
  std::size_t joined_ = 0;
  /** Indexed like connections_: whether the connection has ever joined. */
  std::vector<bool> wasJoined_;

  std::optional<Schedule> heartbeatSchedule_;
  std::uint64_t heartbeatsSent_ = 0;

  /** The slow connections of this thread, which take turns to read. */
  std::vector<Connection*> slow_;
  /** Times of the slow reads; absent while slow connections read freely. */
  std::optional<Schedule> slowSchedule_;
  std::uint64_t slowReads_ = 0;

  Load load_;
  /** Earlier loads, for deliveries that arrive late. */
  std::vector<Load> pastLoads_;
  /**
   * Deliveries of sends that this thread does not know yet, because another thread has read the next
   * order first. They are counted when this thread reads that order.
   */
  struct Early {
    Connection* connection;
    Delivery delivery;
    Nanoseconds at;
  };
  std::vector<Early> early_;
  /** Next number of the plan; all lower ones have been sent or belong to other threads. */
  std::uint64_t cursor_ = 0;

  /**
   * Written by this thread only (relaxed), and read by the coordinator (relaxed) when it reads the
   * server's CPU. Only the number is needed, and it publishes no other data.
   */
  std::atomic<std::uint64_t> received_ = 0;

  Counts counts_;
  /** Counts of the current order within its window. */
  Tally tally_;
  /** Time, and CPU time of this thread, at the start of the window; absent outside a window. */
  struct Mark {
    Nanoseconds time;
    Nanoseconds cpu;
  };
  std::optional<Mark> windowStart_;

  /** Counts of the current --live interval. */
  Tally interval_;
  std::uint64_t intervals_ = 0;
  Mark intervalStart_;

  /** Declared last because it uses all members above. */
  std::thread thread_;
};

}  // namespace bench
