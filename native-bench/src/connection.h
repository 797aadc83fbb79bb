// One connection: a transport and the join of one topic, in the words of a protocol.
//
//   unopened --open()--> opening --transport open--> joining --ok--> joined --leave()--> closing
//                           |                           |               |                   |
//                           +---------- trouble --------+---------------+--> closed <-------+
//
// Any other way into `closed` than from `closing` or by cut() is a failure of the run, and says
// why. A closed connection may be opened again.
//
// Beside its own topic it may join others, as many as it likes: what comes of those is the
// listener's to know. Until the first of them, a message of another topic is a failure.
//
// A slow connection reads what readSome() is told to once it is joined, and is else like any other; but
// the server may close it, as it may a deaf one. A deaf connection reads nothing between its join and leave(), and sends nothing either. The
// server may close it at any time. It hears of a reset at once; but an end waits behind the bytes
// that it does not read. So it reads again once leave() has sent a close frame: a socket that the
// server has closed answers that with a reset, one that it has not with a close frame of 1000 or
// an end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "clock.h"
#include "event-loop.h"
#include "options.h"
#include "protocol.h"
#include "stream.h"
#include "transport.h"

namespace bench {

enum class ConnectionState { unopened, opening, joining, joined, closing, closed };

class Connection;

/** What is told of all connections of a run. */
class ConnectionListener {
 public:
  virtual void onJoined(Connection& connection, Nanoseconds now) = 0;
  /** A message of the joined topic, or of another; its views are valid during the call only. */
  virtual void onMessage(Connection& connection, const Message& message, Nanoseconds now) = 0;
  virtual void onHeartbeatReply() = 0;
  /** The server has closed a slow or deaf connection, before it was asked to. */
  virtual void onCutOff(Connection& connection) = 0;
  /** The connection is closed, and nobody here had asked for that. */
  virtual void onFailure(Connection& connection, const std::string& reason) = 0;

 protected:
  ~ConnectionListener() = default;
};

/** What every connection of a run is given. */
struct ConnectionSetting {
  EventLoop& loop;
  ConnectionListener& listener;
  SharedBuffers& buffers;
  const Target& target;
  const Protocol& protocol;
};

/** Whether a connection reads all that comes, little by little, or nothing once it is joined. */
enum class Hearing { good, slow, deaf };

/** Receive buffer of a slow or deaf connection: what the server may send into the void is little. */
inline constexpr int kSmallReceiveBytes = 16 * 1024;

class Connection final : private TransportListener {
 public:
  /** @param number its place among all connections of the run, from 0 */
  Connection(const ConnectionSetting& setting, std::size_t number, std::string topic,
             Hearing hearing);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /** Begins to connect; `onJoined` or `onFailure` follows. It must be unopened or closed. */
  void open();
  /** Pushes an event; `payload` is raw JSON. The connection must be joined. */
  void push(std::uint64_t ref, std::string_view event, std::string_view payload);
  /**
   * Asks to join one more topic; its reply comes by `onMessage`. The connection must be joined.
   *
   * @param joinRef names the join until it is left, as its own ref too; not kJoinRef
   */
  void joinAlso(std::uint64_t joinRef, std::string_view topic);
  /** Leaves such a topic: a reply and `phx_close` come by `onMessage`. */
  void leaveAlso(std::uint64_t joinRef, std::uint64_t ref, std::string_view topic);
  /** A slow connection reads bytes that have come, so many at most. It must be joined. */
  void readSome(std::size_t most);
  /** A slow connection reads like any other, or by readSome() alone, as after its join. */
  void readFreely(bool isFree);
  /**
   * Sends a heartbeat, if clients of the protocol do. Where the last one had no reply a slow
   * connection sends none, and any other fails.
   */
  void heartbeat();
  /**
   * Says good-bye and waits for the server's end. Nothing is reported any more, but
   * `onCutOff` of a slow or deaf connection.
   */
  void leave();
  /** Closes by a reset, as a line that was cut. Nothing is reported. */
  void cut();
  /** Closes, and reports a failure. */
  void fail(const std::string& reason);

  std::size_t number() const { return number_; }
  const std::string& topic() const { return topic_; }
  const Protocol& protocol() const { return setting_.protocol; }
  ConnectionState state() const { return state_; }
  Hearing hearing() const { return hearing_; }

 private:
  void onOpen() override;
  void onText(std::string_view text, Nanoseconds now) override;
  void onClosed(const std::string& reason) override;

  void drop(Drop how);
  void handleOwn(const Message& message, Nanoseconds now);
  void handleJoinReply(const Message& message, Nanoseconds now);
  void handleHeartbeatReply(const Message& message);

  const ConnectionSetting& setting_;
  const std::size_t number_;
  const std::string topic_;
  const Hearing hearing_;
  ConnectionState state_ = ConnectionState::unopened;
  bool awaitsHeartbeat_ = false;
  bool hasMoreTopics_ = false;
  std::uint32_t heartbeats_ = 0;
  std::unique_ptr<Transport> transport_;
};

}  // namespace bench
