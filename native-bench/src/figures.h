// What a run found: the figures that the report is made of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "clock.h"
#include "histogram.h"

namespace bench {

/** One measured stretch of time. CPU times are those spent within it. */
struct Window {
  std::uint64_t ratePlanned = 0;
  std::uint64_t sent = 0;
  /** Messages that the sends of the window must lead to. */
  std::uint64_t due = 0;
  /** Messages received within the window, whenever they were sent. */
  std::uint64_t received = 0;
  Nanoseconds elapsed = 0;
  Nanoseconds generatorCpu = 0;
  /** Nothing without --server-pid. */
  std::optional<Nanoseconds> serverCpu;
  /** How long the server's threads were ready to run and had no core; nothing where unknown. */
  std::optional<Nanoseconds> serverWait;
  /** How much later than planned each send of the window left. */
  Histogram lateness;
  /** From the planned time of each send of the window to each of its deliveries. */
  Histogram latency;

  double seconds() const { return static_cast<double>(elapsed) / static_cast<double>(kSecond); }
  /** Share of the due messages that came within the window; less than 1 where the server lags. */
  double receivedShare() const {
    return due == 0 ? 1 : static_cast<double>(received) / static_cast<double>(due);
  }
  double rateReached() const { return elapsed == 0 ? 0 : static_cast<double>(sent) / seconds(); }
  /** Share of one core that the generator used; its one thread cannot use more than 1. */
  double generatorShare() const {
    return elapsed == 0 ? 0 : static_cast<double>(generatorCpu) / static_cast<double>(elapsed);
  }
};

/** The server's memory (RssAnon + RssShmem), in bytes. */
struct ServerMemory {
  std::uint64_t beforeConnects = 0;
  /** When half of the connections were joined: what a server needs to get going is in it. */
  std::uint64_t atHalf = 0;
  std::uint64_t afterConnects = 0;
  /** Connections joined between the last two readings. */
  std::uint64_t connectionsSinceHalf = 0;

  /** Bytes of one more joined connection: the growth over the second half. */
  double perConnection() const {
    if (connectionsSinceHalf == 0) return 0;
    return (static_cast<double>(afterConnects) - static_cast<double>(atHalf)) /
           static_cast<double>(connectionsSinceHalf);
  }
};

/** All figures of a run. */
struct Figures {
  Window connects;
  /** Nothing in the scenario `connect`, whose figures are those of `connects`. */
  std::optional<Window> load;
  std::optional<ServerMemory> memory;
  std::uint64_t joined = 0;
  /** Deliveries that the sends of the whole run (warm-up included) must lead to. */
  std::uint64_t expected = 0;
  /** Deliveries that arrived, each counted once. */
  std::uint64_t delivered = 0;
  std::uint64_t doubled = 0;
  /** Deliveries that came after a later one of the same sender. */
  std::uint64_t disordered = 0;
  std::uint64_t heartbeats = 0;
  /** Deaf connections that the server closed by itself. */
  std::uint64_t deafClosed = 0;
  /** What went wrong, one line each; empty after a good run. */
  std::vector<std::string> failures;

  const Window& primary() const { return load ? *load : connects; }
  std::uint64_t missing() const { return expected - delivered; }
};

}  // namespace bench
