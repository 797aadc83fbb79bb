// The part of a run that depends on the scenario: the topics of the connections, the sends, and the
// expected deliveries.
//
// Sends are numbered from 0 over the whole run. The number `s` determines the sender and the
// expected deliveries. Each thread therefore has its own scenario object, goes through all numbers
// in order, and can compute its sends and the deliveries owed to its connections without
// communication.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>

#include "connection.h"
#include "options.h"

namespace bench {

/** The way in which a message counts. */
enum class Due {
  /** The delivery is owed by a send. */
  owed,
  /** A valid delivery whose recipients cannot be known in advance: timed, but never missing. */
  unowed,
  /** The message results from something that is not measured. */
  chore,
};

/** A message that the scenario expects. */
struct Delivery {
  /** Number of the send that caused the delivery. */
  std::uint64_t send = 0;
  bool isDoubled = false;
  /** The next delivery of the same sender had arrived before it. */
  bool isDisordered = false;
  Due due = Due::owed;
};

/** The connections of one thread: those with number % threads == thread. */
struct Share {
  std::size_t thread = 0;
  std::size_t threads = 1;

  bool has(std::size_t connection) const { return connection % threads == thread; }
};

/** The work of a scenario once all connections have joined. */
enum class Work {
  /** Nothing: the joins themselves are measured. */
  none,
  /** Holds the connections for the length of the window. */
  held,
  sends,
  /** Resets all connections at once; the sends are their returns. */
  returns,
  /** The sends follow a day, one period after another. */
  day,
};

class Scenario {
 public:
  virtual ~Scenario() = default;

  virtual Work work() const { return Work::sends; }
  /** Number of connections that open before the load; these have the lowest numbers. */
  virtual std::size_t firstConnections() const { return std::numeric_limits<std::size_t>::max(); }
  /** Number of the topic that a connection joins. */
  virtual std::uint64_t topicOf(std::size_t connection) const = 0;
  /** The way in which a connection reads. A deaf connection is owed nothing. */
  virtual Hearing hearingOf(std::size_t) const { return Hearing::good; }
  /**
   * The connection that performs send number `send`, which may be any action that the scenario
   * counts as a send.
   */
  virtual std::size_t senderOf(std::uint64_t send) const = 0;
  /**
   * Number of deliveries that a send owes to connections of this thread other than slow and deaf
   * ones. Called once for each send, in order.
   */
  virtual std::uint64_t owedFor(std::uint64_t send) = 0;
  /** Performs send number `send`, whose sender is a connection of this thread. */
  virtual void send(Connection& sender, std::uint64_t send) = 0;
  /**
   * Checks a message; returns nothing if the scenario does not expect it. The sender's thread may
   * be ahead, so a message may arrive before this thread has reached its number.
   */
  virtual std::optional<Delivery> check(Connection& connection, const Message& message) = 0;
  /**
   * Called when a connection has joined after the first connections; returns nothing if no send
   * opened it.
   */
  virtual std::optional<Delivery> joined(const Connection&) { return std::nullopt; }
  /** Number of deliveries that a slow connection is still owed by all sends so far. */
  virtual std::uint64_t outstandingFor(const Connection&) const { return 0; }
};

std::unique_ptr<Scenario> makeConnect(const Options& options, Share share);
std::unique_ptr<Scenario> makeIdle(const Options& options, Share share);
std::unique_ptr<Scenario> makeEcho(const Options& options, Share share);
std::unique_ptr<Scenario> makeFanout(const Options& options, Share share);
std::unique_ptr<Scenario> makeJoins(const Options& options, Share share);
std::unique_ptr<Scenario> makeReconnect(const Options& options, Share share);
std::unique_ptr<Scenario> makeMixed(const Options& options, Share share);

/** Creates the scenario named by the options. */
std::unique_ptr<Scenario> makeScenario(const Options& options, Share share = {});

}  // namespace bench
