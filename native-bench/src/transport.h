// The interface between a connection and the transport of its frames: WebSocket or long-poll.
//
// A transport carries text frames both ways, in order. A transport is used only once; a connection
// that opens again creates a new transport.
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
  /** Called for a text frame, which is valid only during the call. */
  virtual void onText(std::string_view text, Nanoseconds now) = 0;
  /**
   * Called when the transport has closed other than by drop(). The reason is empty if it closed
   * because of close() and without an error.
   */
  virtual void onClosed(const std::string& reason) = 0;

 protected:
  ~TransportListener() = default;
};

/**
 * The way in which a transport is dropped: as when a program ends, or as when a network connection
 * is lost.
 */
enum class Drop { end, reset };

class Transport {
 public:
  virtual ~Transport() = default;

  /** Starts to open; `onOpen` or `onClosed` follows. */
  virtual void open() = 0;
  /** Sends a text frame. May call `onClosed` before it returns. The transport must be open. */
  virtual void send(std::string_view text) = 0;
  /** Reports whether clients send heartbeats over this transport. */
  virtual bool hasHeartbeats() const = 0;
  /** Stops automatic reading until readAgain() or close(). */
  virtual void stopReading() = 0;
  /** Reads at most `most` bytes while automatic reading is stopped. */
  virtual void readSome(std::size_t most) = 0;
  virtual void readAgain() = 0;
  /** Closes the transport in an orderly way; `onClosed` follows. The transport must be open. */
  virtual void close() = 0;
  /** Closes the transport at once. */
  virtual void drop(Drop how) = 0;
};

/** Maximum length in bytes of a message from the server; a longer message closes the transport. */
inline constexpr std::uint64_t kMaxMessageBytes = 16 * 1024 * 1024;

std::unique_ptr<Transport> makeWebSocketTransport(const StreamSetting& setting,
                                                  TransportListener& listener);
std::unique_ptr<Transport> makeLongPollTransport(const StreamSetting& setting,
                                                 TransportListener& listener);

/** Creates the transport named by the target. */
std::unique_ptr<Transport> makeTransport(const StreamSetting& setting, TransportListener& listener);

}  // namespace bench
