// One run, from the first connection to the last: the coordinator of all threads.
//
//   open      connections on a schedule of their own; the figures of `connects`
//   settle    a rest, then the server's memory is read
//   warm up   sends on schedule, counted but not measured
//   measure   sends on the same schedule; CPU is read at both ends
//   collect   no sends; waits until every delivery has come, or the deadline
//             (a search has these three once for each rate that it tries, idle has a window only)
//   close     close frames; what had been queued before them is still counted, and which of
//             the deaf connections the server had closed
//
// Each phase is an order to all workers (phase.h), and is over when all have obeyed. The coordinator
// has a thread of its own, the main one, which sleeps meanwhile: reading /proc delays no send. The
// first failure of any connection ends the run.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "event-loop.h"
#include "figures.h"
#include "live.h"
#include "mailbox.h"
#include "options.h"
#include "phase.h"
#include "worker.h"

namespace bench {

class Run final {
 public:
  explicit Run(const Options& options);

  /** Runs it all; used once. @throws std::runtime_error where a thread cannot go on */
  Figures run();

 private:
  /** What is read at both ends of a window. */
  struct Mark {
    Nanoseconds time = 0;
    /** Joins and deliveries, by all threads. */
    std::uint64_t received = 0;
    Nanoseconds generatorCpu = 0;
    std::optional<Nanoseconds> serverCpu;
    std::optional<Nanoseconds> serverWait;
  };

  void open();
  void settle();
  void measure();
  void hold();
  void reconnect();
  void playDay();
  void search();
  void load(std::uint64_t rate, Window& window);
  void follow(const Load& load, Window& window);
  /** @param longest that is waited */
  void collect(Window& window, Nanoseconds longest);
  void close();

  void note(Obeyed& obeyed);
  void note(const HalfJoined&);
  void note(const IntervalPassed& passed);
  void note(const Failed& failed);
  void note(const Broken& broken);

  bool hasFailed() const { return !figures_.failures.empty(); }
  void fail(const std::string& reason) { note(Failed{reason}); }
  bool isMissing() const { return counts().missing() > 0; }
  /** Gives all threads an order; what they count is added to `window`. */
  void order(const Order& order, Window* window);
  /** Handles news until all threads have obeyed, or `until`. */
  void await(Nanoseconds until);
  Mark mark() const;
  /** @param planned when the window was to begin */
  void finishWindow(Window& window, const Mark& start, Nanoseconds planned);
  std::optional<std::uint64_t> serverMemory();
  Counts counts() const;

  const Options& options_;
  const Work work_;
  /** Connections that open before the load. */
  const std::uint64_t first_;
  EventLoop loop_;
  Mailbox<News> news_;
  std::atomic<std::uint64_t> joined_ = 0;
  Figures figures_;
  Live live_;
  LivePhase phase_ = LivePhase::open;

  /** Threads that have not obeyed the last order yet. */
  std::size_t awaited_ = 0;
  /** When the last thread had. */
  Nanoseconds obeyedAt_ = 0;
  /** What the last order is part of; none where it is not measured. */
  Window* window_ = nullptr;
  /** By thread: of the run so far. */
  std::vector<Counts> counts_;
  /** Sends of all loads so far; the next one's numbers go on from here. */
  std::uint64_t sends_ = 0;

  /** Last: their threads use the above. */
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace bench
