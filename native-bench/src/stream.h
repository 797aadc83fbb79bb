// One TCP connection to the server: connects, sends, reads; knows nothing of what is said over it.
//
//   closed --open()--> connecting --connected--> open --end or trouble--> closed
//                           |                     |
//                           +--trouble--> closed  +--close(), reset()--> closed
//
// Where the kernel has no room, bytes wait here without bound: what a run sends is its plan.
// May be opened again when it is closed, also from within `onBytes` and `onEnd`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "clock.h"
#include "event-loop.h"
#include "options.h"

namespace bench {

/** What is told of a stream. */
class StreamListener {
 public:
  virtual void onConnected() = 0;
  /**
   * Bytes have come; before them those that the last call had left.
   *
   * @returns how many of them are done with; the rest comes again with what follows
   */
  virtual std::size_t onBytes(std::string_view bytes, Nanoseconds now) = 0;
  /** It is closed; not told of by close() and reset(). An empty reason: the server ended it. */
  virtual void onEnd(const std::string& reason) = 0;

 protected:
  ~StreamListener() = default;
};

/** Buffers that the connections of one loop share; each is used within one call only. */
struct SharedBuffers {
  std::string input = std::string(64 * 1024, '\0');
  std::string output;
};

/** What every stream of a loop is given. */
struct StreamSetting {
  EventLoop& loop;
  SharedBuffers& buffers;
  const Target& target;
  /** Size of the kernel's receive buffer in bytes; 0: as the kernel likes. */
  int receiveBytes = 0;
};

class Stream final : private EventHandler {
 public:
  Stream(const StreamSetting& setting, StreamListener& listener);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /** Begins to connect; `onConnected` or `onEnd` follows. It must be closed. */
  void open();
  /** Sends bytes, or keeps them until the kernel has room. It must be open. */
  void send(std::string_view bytes);
  /**
   * Reads nothing any more of itself. An end that is not behind unread bytes, and a reset, are still told
   * of, by `onEnd` with a reason.
   */
  void stopReading();
  /** While it does not read: reads bytes that have come, so many at most. */
  void readSome(std::size_t most);
  void readAgain();
  /** Closes: what waits in the kernel is still sent, and an end behind it. */
  void close();
  /** Closes at once by a reset, as a client that has vanished seems to the server. */
  void reset();

  bool isClosed() const { return descriptor_ < 0; }
  /** Whether it is connected. */
  bool isOpen() const { return descriptor_ >= 0 && !isConnecting_; }

 private:
  void onEvents(std::uint32_t events) override;
  void finishConnecting();
  /** @returns whether there may be more to read */
  bool receive(std::size_t most);
  void flush();
  void watch();
  void end(const std::string& reason);

  const StreamSetting setting_;
  StreamListener& listener_;
  int descriptor_ = -1;
  bool isConnecting_ = false;
  bool isReading_ = true;
  /** How often it was opened: tells a reader that its descriptor is of yesterday. */
  std::uint32_t opens_ = 0;
  /** Bytes that the listener has left. */
  std::string partial_;
  /** Bytes that the kernel had no room for. */
  std::string outbox_;
};

}  // namespace bench
