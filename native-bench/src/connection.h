// One connection: TCP, WebSocket and the join of one topic, in the words of a protocol.
//
//   connecting --connected--> upgrading --101--> joining --ok--> joined
//        |                        |                 |               |
//        +------------------------+---- trouble ----+---------------+--> closed
//                                                                   |
//                                  joined --leave()--> closing -----+--> closed
//
// Any other way into `closed` than from `closing` is a failure of the run, and says why.
//
// A deaf connection reads nothing between its join and leave(), and sends nothing either. The
// server may close it at any time. It hears of a reset at once; but an end waits behind the bytes
// that it does not read. So it reads again once leave() has sent a close frame: a socket that the
// server has closed answers that with a reset, one that it has not with a close frame of 1000 or
// an end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "clock.h"
#include "event-loop.h"
#include "options.h"
#include "protocol.h"
#include "websocket-frame.h"

namespace bench {

enum class ConnectionState { unopened, connecting, upgrading, joining, joined, closing, closed };

class Connection;

/** What is told of all connections of a run. */
class ConnectionListener {
 public:
  virtual void onJoined(Connection& connection, Nanoseconds now) = 0;
  /** A message of the joined topic; its views are valid during the call only. */
  virtual void onMessage(Connection& connection, const Message& message, Nanoseconds now) = 0;
  virtual void onHeartbeatReply() = 0;
  /** The server has closed a deaf connection, before it was asked to. */
  virtual void onDeafClosed() = 0;
  /** The connection is closed, and nobody here had asked for that. */
  virtual void onFailure(Connection& connection, const std::string& reason) = 0;

 protected:
  ~ConnectionListener() = default;
};

/** Buffers that the connections of one loop share; each is used within one call only. */
struct SharedBuffers {
  std::string input = std::string(64 * 1024, '\0');
  std::string output;
};

/** What every connection of a run is given. */
struct ConnectionSetting {
  EventLoop& loop;
  ConnectionListener& listener;
  SharedBuffers& buffers;
  const Target& target;
  const Protocol& protocol;
};

/** Longest message that a server may send, in bytes; beyond it the connection fails. */
inline constexpr std::uint64_t kMaxMessageBytes = 16 * 1024 * 1024;

/** Whether a connection reads all that comes, little by little, or nothing once it is joined. */
enum class Hearing { good, slow, deaf };

/** Receive buffer of a deaf connection: what the server may send into the void is little. */
inline constexpr int kDeafReceiveBytes = 16 * 1024;

class Connection final : public EventHandler {
 public:
  /** @param number its place among all connections of the run, from 0 */
  Connection(const ConnectionSetting& setting, std::size_t number, std::string topic,
             Hearing hearing);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /** Begins to connect; `onJoined` or `onFailure` follows. */
  void open();
  /** Pushes an event; `payload` is raw JSON. The connection must be joined. */
  void push(std::uint64_t ref, std::string_view event, std::string_view payload);
  /** Sends a heartbeat, if clients of the protocol do; fails where the last one had no reply. */
  void heartbeat();
  /**
   * Sends a close frame and waits for the server's end. Nothing is reported any more, but
   * `onDeafClosed` of a deaf connection.
   */
  void leave();

  void onEvents(std::uint32_t events) override;

  std::size_t number() const { return number_; }
  const std::string& topic() const { return topic_; }
  const Protocol& protocol() const { return setting_.protocol; }
  ConnectionState state() const { return state_; }
  bool isDeaf() const { return hearing_ == Hearing::deaf; }

 private:
  void fail(const std::string& reason);
  void closeDescriptor();
  void stopReading();
  void finishConnecting();
  void receive();
  std::size_t consume(std::string_view input, Nanoseconds now);
  std::size_t consumeUpgrade(std::string_view input);
  std::size_t consumeFrame(std::string_view input, Nanoseconds now);
  void handleFrame(Opcode opcode, std::string_view payload, Nanoseconds now);
  void handleText(std::string_view text, Nanoseconds now);
  void handleJoinReply(const Message& message, Nanoseconds now);
  void handleHeartbeatReply(const Message& message);
  void handleClose(std::string_view payload);
  void sendFrame(Opcode opcode, std::string_view payload);
  void sendBytes(std::string_view bytes);
  void flush();

  const ConnectionSetting& setting_;
  const std::size_t number_;
  const std::string topic_;
  const Hearing hearing_;
  int descriptor_ = -1;
  ConnectionState state_ = ConnectionState::unopened;
  bool awaitsHeartbeat_ = false;
  std::uint32_t heartbeats_ = 0;
  std::string key_;
  /** Bytes of a frame (or of the handshake) that has not arrived whole. */
  std::string partial_;
  /** Bytes that the kernel had no room for. */
  std::string outbox_;
};

}  // namespace bench
