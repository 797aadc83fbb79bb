// The seam between a connection and what carries its frames: WebSocket or long-poll.
//
// A transport carries text frames both ways, in order. It serves once: a connection that opens
// again makes itself another.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "clock.h"
#include "stream.h"

namespace bench {

/** What is told of a transport. */
class TransportListener {
 public:
  /** Frames may be sent from now on. */
  virtual void onOpen() = 0;
  /** A text frame has come; valid during the call only. */
  virtual void onText(std::string_view text, Nanoseconds now) = 0;
  /**
   * It is closed; not told of by drop(). An empty reason: close() had asked for it, and nothing
   * else was wrong.
   */
  virtual void onClosed(const std::string& reason) = 0;

 protected:
  ~TransportListener() = default;
};

/** How a transport is dropped: as by a program that ends, or as by a line that was cut. */
enum class Drop { end, reset };

class Transport {
 public:
  virtual ~Transport() = default;

  /** Begins to open; `onOpen` or `onClosed` follows. */
  virtual void open() = 0;
  /** Sends a text frame, which may end in `onClosed` at once. It must be open. */
  virtual void send(std::string_view text) = 0;
  /** Whether clients send heartbeats over it. */
  virtual bool hasHeartbeats() const = 0;
  /** Reads nothing any more of itself, until readAgain() or close(). */
  virtual void stopReading() = 0;
  /** While it does not: reads bytes that have come, so many at most. */
  virtual void readSome(std::size_t most) = 0;
  virtual void readAgain() = 0;
  /** Says good-bye as the transport does it; `onClosed` follows. It must be open. */
  virtual void close() = 0;
  /** Is closed at once. */
  virtual void drop(Drop how) = 0;
};

/** Longest message that a server may send, in bytes; beyond it the transport closes. */
inline constexpr std::uint64_t kMaxMessageBytes = 16 * 1024 * 1024;

std::unique_ptr<Transport> makeWebSocketTransport(const StreamSetting& setting,
                                                  TransportListener& listener);
std::unique_ptr<Transport> makeLongPollTransport(const StreamSetting& setting,
                                                 TransportListener& listener);

/** The transport that the target names. */
std::unique_ptr<Transport> makeTransport(const StreamSetting& setting, TransportListener& listener);

}  // namespace bench
