// What a scenario adds to the common run: who joins what, what is sent, what must come back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connection.h"
#include "options.h"

namespace bench {

/** A message that a scenario had asked for. */
struct Delivery {
  /** Number of the send that led to it. */
  std::uint64_t send = 0;
  bool isDoubled = false;
  /** The next delivery of the same sender had come before it. */
  bool isDisordered = false;
};

/** All connections of a run, by number. */
using Connections = std::vector<std::unique_ptr<Connection>>;

class Scenario {
 public:
  virtual ~Scenario() = default;

  /** Topic that a connection joins. */
  virtual std::string topicOf(std::size_t connection) const = 0;
  /** Whether a connection reads what comes; nothing is expected of a deaf one. */
  virtual Hearing hearingOf(std::size_t) const { return Hearing::good; }
  /** Sends number `send`, counted from 0. */
  virtual void send(Connections& connections, std::uint64_t send) = 0;
  /** Deliveries that each send must lead to; 0 where the scenario sends nothing. */
  virtual std::uint64_t deliveriesPerSend() const = 0;
  /** Checks a message; nothing where it is not what the scenario had asked for. */
  virtual std::optional<Delivery> check(const Connection& connection, const Message& message) = 0;
};

std::unique_ptr<Scenario> makeConnect(const Options& options);
std::unique_ptr<Scenario> makeEcho(const Options& options);
std::unique_ptr<Scenario> makeFanout(const Options& options);

/** The scenario that the options name. */
std::unique_ptr<Scenario> makeScenario(const Options& options);

}  // namespace bench
