// One TCP connection to the server, which sends and reads the bytes of any protocol.
//
//   closed --open()--> connecting --connected--> open --end or trouble--> closed
//                           |                     |
//                           +--trouble--> closed  +--close(), reset()--> closed
//
// Bytes for which the kernel has no room wait here without a bound, because the plan of the run
// limits their number. A closed stream may be opened again, also from within `onBytes` and `onEnd`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "clock.h"
#include "event-loop.h"
#include "options.h"

namespace bench {

/** Receives the events of a stream. */
class StreamListener {
 public:
  virtual void onConnected() = 0;
  /**
   * Called when bytes have arrived; bytes that the last call did not consume come first.
   *
   * @returns the number of consumed bytes; the rest is passed again with the bytes that follow
   */
  virtual std::size_t onBytes(std::string_view bytes, Nanoseconds now) = 0;
  /**
   * Called when the stream has closed other than by close() or reset(). The reason is empty if the
   * server ended it.
   */
  virtual void onEnd(const std::string& reason) = 0;

 protected:
  ~StreamListener() = default;
};

/** Buffers shared by the connections of a loop; their content is valid within one call only. */
struct SharedBuffers {
  std::string input = std::string(64 * 1024, '\0');
  std::string output;
};

/** State shared by the streams of a loop. */
struct StreamSetting {
  EventLoop& loop;
  SharedBuffers& buffers;
  const Target& target;
  /** Size of the kernel's receive buffer in bytes; 0 for the kernel's default. */
  int receiveBytes = 0;
};

class Stream final : private EventHandler {
 public:
  Stream(const StreamSetting& setting, StreamListener& listener);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /** Starts to connect; `onConnected` or `onEnd` follows. The stream must be closed. */
  void open();
  /** Sends bytes, or keeps them until the kernel has room. The stream must be open. */
  void send(std::string_view bytes);
  /**
   * Stops automatic reading. A reset, and an end that is not queued behind unread bytes, are still
   * reported by `onEnd` with a reason.
   */
  void stopReading();
  /** Reads at most `most` bytes while automatic reading is stopped. */
  void readSome(std::size_t most);
  void readAgain();
  /** Closes the stream; bytes that wait in the kernel are still sent, followed by an end. */
  void close();
  /** Closes the stream at once with a reset, like a client that has vanished. */
  void reset();

  bool isClosed() const { return descriptor_ < 0; }
  /** Reports whether the stream is connected. */
  bool isOpen() const { return descriptor_ >= 0 && !isConnecting_; }

 private:
  void onEvents(std::uint32_t events) override;
  void finishConnecting();
  /** @returns whether there may be more bytes to read */
  bool receive(std::size_t most);
  void flush();
  void watch();
  void end(const std::string& reason);

  const StreamSetting setting_;
  StreamListener& listener_;
  int descriptor_ = -1;
  bool isConnecting_ = false;
  bool isReading_ = true;
  /**
   * Number of times the stream was opened. A reader uses it to notice that the stream was opened
   * again meanwhile.
   */
  std::uint32_t opens_ = 0;
  /** Bytes that the listener has not consumed. */
  std::string partial_;
  /** Bytes for which the kernel had no room. */
  std::string outbox_;
};

}  // namespace bench
