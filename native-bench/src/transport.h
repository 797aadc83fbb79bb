// The interface between a connection and the transport of its frames: WebSocket or long-poll.
//
// A transport carries text frames both ways, in order. It is used once: a connection that opens again
// makes a new one.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "clock.h"
#include "stream.h"

namespace bench {

/** Receives the events of a transport. */
class TransportListener {
 public:
  /** Called when frames may be sent. */
  virtual void onOpen() = 0;
  /** Called for a text frame, which is valid during the call only. */
  virtual void onText(std::string_view text, Nanoseconds now) = 0;
  /**
   * Called when it has closed other than by drop(). The reason is empty if it closed because of
   * close() and without an error.
   */
  virtual void onClosed(const std::string& reason) = 0;

 protected:
  ~TransportListener() = default;
};

/** How a transport is dropped: like a program that ends, or like a lost network connection. */
enum class Drop { end, reset };

class Transport {
 public:
  virtual ~Transport() = default;

  /** Starts to open; `onOpen` or `onClosed` follows. */
  virtual void open() = 0;
  /** Sends a text frame. May call `onClosed` before it returns. It must be open. */
  virtual void send(std::string_view text) = 0;
  /** Reports whether clients send heartbeats over it. */
  virtual bool hasHeartbeats() const = 0;
  /** Stops reading by itself, until readAgain() or close(). */
  virtual void stopReading() = 0;
  /** Reads at most `most` bytes, while it does not read by itself. */
  virtual void readSome(std::size_t most) = 0;
  virtual void readAgain() = 0;
  /** Closes in the transport's orderly way; `onClosed` follows. It must be open. */
  virtual void close() = 0;
  /** Closes at once. */
  virtual void drop(Drop how) = 0;
};

/** Longest message in bytes that a server may send; the transport closes on a longer one. */
inline constexpr std::uint64_t kMaxMessageBytes = 16 * 1024 * 1024;

std::unique_ptr<Transport> makeWebSocketTransport(const StreamSetting& setting,
                                                  TransportListener& listener);
std::unique_ptr<Transport> makeLongPollTransport(const StreamSetting& setting,
                                                 TransportListener& listener);

/** Makes the transport that the target names. */
std::unique_ptr<Transport> makeTransport(const StreamSetting& setting, TransportListener& listener);

}  // namespace bench
