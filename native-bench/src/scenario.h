// What a scenario adds to the common run: who joins what, what is sent, what must come back.
//
// Sends are numbered from 0 over the whole run. Who sends number `s`, and who must get what of it,
// follows from `s` alone; so each thread has a scenario of its own, walks all numbers in order, and
// knows without asking the others what to send and what its connections are owed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>

#include "connection.h"
#include "options.h"

namespace bench {

/** What a message counts as. */
enum class Due {
  /** A send owed it. */
  owed,
  /** A good delivery, but nobody can say beforehand who gets it: read and timed, but never missing. */
  unowed,
  /** It came of something that is not measured. */
  chore,
};

/** A message that a scenario had asked for. */
struct Delivery {
  /** Number of the send that led to it. */
  std::uint64_t send = 0;
  bool isDoubled = false;
  /** The next delivery of the same sender had come before it. */
  bool isDisordered = false;
  Due due = Due::owed;
};

/** The connections of one thread: those whose number leaves `thread` when divided by `threads`. */
struct Share {
  std::size_t thread = 0;
  std::size_t threads = 1;

  bool has(std::size_t connection) const { return connection % threads == thread; }
};

/** What a scenario does once all connections are joined. */
enum class Work {
  /** Nothing: the joins themselves are what is measured. */
  none,
  /** Nothing either, for as long as the window is. */
  held,
  sends,
  /** All are cut at one moment; the sends are their returns. */
  returns,
  /** The sends are those of a day, period after period. */
  day,
};

class Scenario {
 public:
  virtual ~Scenario() = default;

  virtual Work work() const { return Work::sends; }
  /** Connections that open before the load: those whose number is below. */
  virtual std::size_t firstConnections() const { return std::numeric_limits<std::size_t>::max(); }
  /** Number of the topic that a connection joins. */
  virtual std::uint64_t topicOf(std::size_t connection) const = 0;
  /** How a connection reads what comes; nothing is owed to a deaf one. */
  virtual Hearing hearingOf(std::size_t) const { return Hearing::good; }
  /** The connection that send number `send` leaves on, or whatever is done instead of a send. */
  virtual std::size_t senderOf(std::uint64_t send) const = 0;
  /**
   * Deliveries that a send owes to the connections of this thread, but the slow and the deaf ones;
   * asked once for each send, in order.
   */
  virtual std::uint64_t owedFor(std::uint64_t send) = 0;
  /** Sends number `send`, whose sender is a connection of this thread. */
  virtual void send(Connection& sender, std::uint64_t send) = 0;
  /**
   * Checks a message; nothing where it is not what the scenario had asked for. It may come before
   * its number was walked here: the sender's thread may be ahead.
   */
  virtual std::optional<Delivery> check(Connection& connection, const Message& message) = 0;
  /** A connection has joined that was not among the first; nothing where no send had opened it. */
  virtual std::optional<Delivery> joined(const Connection&) { return std::nullopt; }
  /** Deliveries that all sends walked here owe to a slow connection, and that have not come. */
  virtual std::uint64_t outstandingFor(const Connection&) const { return 0; }
};

std::unique_ptr<Scenario> makeConnect(const Options& options, Share share);
std::unique_ptr<Scenario> makeIdle(const Options& options, Share share);
std::unique_ptr<Scenario> makeEcho(const Options& options, Share share);
std::unique_ptr<Scenario> makeFanout(const Options& options, Share share);
std::unique_ptr<Scenario> makeJoins(const Options& options, Share share);
std::unique_ptr<Scenario> makeReconnect(const Options& options, Share share);
std::unique_ptr<Scenario> makeMixed(const Options& options, Share share);

/** The scenario that the options name. */
std::unique_ptr<Scenario> makeScenario(const Options& options, Share share = {});

}  // namespace bench
