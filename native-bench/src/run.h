// One run, from opening the connections to closing them: the coordinator of all threads.
//
//   open      opens connections on a schedule of their own; these are the figures of `connects`
//   settle    pauses, then reads the server's memory
//   warm up   sends on schedule; counted but not measured
//   measure   sends on the same schedule; CPU is read at both ends
//   collect   sends nothing; waits until everything has been delivered, or for the deadline
//             (a search repeats these three for each rate that it tries; idle only measures)
//   close     sends close frames; still counts what was queued before them, and finds out which
//             deaf connections the server had closed
//
// Each phase is an order to all workers (phase.h) and ends when all have obeyed. The coordinator runs
// on the main thread, which sleeps meanwhile, so reading /proc does not delay a send. The first
// failure of any connection ends the run.
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

  /** Runs all phases. Called once. @throws std::runtime_error if a thread cannot continue */
  Figures run();

 private:
  /** The readings at one end of a window. */
  struct Mark {
    Nanoseconds time = 0;
    /** Joins and deliveries of all threads. */
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
  /** @param longest the maximum time to wait */
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
  /** Gives an order to all threads and adds their counts to `window`. */
  void order(const Order& order, Window* window);
  /** Handles news until all threads have obeyed, or until `until`. */
  void await(Nanoseconds until);
  Mark mark() const;
  /** @param planned the planned start of the window */
  void finishWindow(Window& window, const Mark& start, Nanoseconds planned);
  std::optional<std::uint64_t> serverMemory();
  Counts counts() const;

  const Options& options_;
  const Work work_;
  /** Number of connections that open before the load. */
  const std::uint64_t first_;
  EventLoop loop_;
  Mailbox<News> news_;
  std::atomic<std::uint64_t> joined_ = 0;
  Figures figures_;
  Live live_;
  LivePhase phase_ = LivePhase::open;

  /** Number of threads that have not carried out the last order yet. */
  std::size_t awaited_ = 0;
  /** Time at which the last thread carried out the order. */
  Nanoseconds obeyedAt_ = 0;
  /** The window that the last order belongs to; null if it is not measured. */
  Window* window_ = nullptr;
  /** Counts of the run so far, by thread. */
  std::vector<Counts> counts_;
  /** Number of sends of all loads so far; the numbers of the next load start here. */
  std::uint64_t sends_ = 0;

  /** Declared last because their threads use the members above. */
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace bench
