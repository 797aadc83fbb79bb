// One connection: a transport, and one topic joined over it in some protocol.
//
//   unopened --open()--> opening --transport open--> joining --ok--> joined --leave()--> closing
//                           |                           |               |                   |
//                           +---------- trouble --------+---------------+--> closed <-------+
//
// Reaching `closed` in any way other than from `closing` or by cut() is a failure of the run, which
// is reported with its reason. A closed connection may be opened again.
//
// Besides its own topic, a connection may join any number of others; the listener checks their
// messages. Before the first such join, a message of another topic is a failure.
//
// Once joined, a slow connection reads only when readSome() is called. A deaf connection reads and
// sends nothing between its join and leave(). The server may close either of them at any time.
//
// A deaf connection notices a reset at once, but an orderly end is queued behind the bytes that it
// does not read. It therefore starts reading again after leave() has sent a close frame: if the
// server has already closed the socket, the answer is a reset; otherwise it is a close frame with
// code 1000, or an end.
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

/** Receives the events of the connections of a run. */
class ConnectionListener {
 public:
  virtual void onJoined(Connection& connection, Nanoseconds now) = 0;
  /** Called for a message of any joined topic. Its views are valid only during the call. */
  virtual void onMessage(Connection& connection, const Message& message, Nanoseconds now) = 0;
  virtual void onHeartbeatReply() = 0;
  /** Called when the server has closed a slow or deaf connection on its own. */
  virtual void onCutOff(Connection& connection) = 0;
  /** Called when the connection has closed unexpectedly. */
  virtual void onFailure(Connection& connection, const std::string& reason) = 0;

 protected:
  ~ConnectionListener() = default;
};

/** State shared by the connections of a worker. */
struct ConnectionSetting {
  EventLoop& loop;
  ConnectionListener& listener;
  SharedBuffers& buffers;
  const Target& target;
  const Protocol& protocol;
};

/** How a joined connection reads: everything, a little at a time, or nothing. */
enum class Hearing { good, slow, deaf };

/**
 * Size of the receive buffer of slow and deaf connections, small so that unread bytes soon wait in
 * the server.
 */
inline constexpr int kSmallReceiveBytes = 16 * 1024;

class Connection final : private TransportListener {
 public:
  /** @param number the connection's index among all connections of the run */
  Connection(const ConnectionSetting& setting, std::size_t number, std::string topic,
             Hearing hearing);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /**
   * Starts to connect; `onJoined` or `onFailure` follows. The connection must be unopened or
   * closed.
   */
  void open();
  /** Pushes an event; `payload` is raw JSON. The connection must be joined. */
  void push(std::uint64_t ref, std::string_view event, std::string_view payload);
  /**
   * Joins another topic; the reply arrives in `onMessage`. The connection must be joined.
   *
   * @param joinRef join_ref and ref of the join, and join_ref of its leave; not kJoinRef
   */
  void joinAlso(std::uint64_t joinRef, std::string_view topic);
  /** Leaves a topic joined with joinAlso(); a reply and `phx_close` arrive in `onMessage`. */
  void leaveAlso(std::uint64_t joinRef, std::uint64_t ref, std::string_view topic);
  /** Lets a slow connection read at most `most` bytes. The connection must be joined. */
  void readSome(std::size_t most);
  /** Lets a slow connection read freely, or again only through readSome(), as after its join. */
  void readFreely(bool isFree);
  /**
   * Sends a heartbeat, if clients send heartbeats in this protocol. If the previous heartbeat has
   * no reply yet, a slow connection sends none, and any other connection fails.
   */
  void heartbeat();
  /**
   * Closes the connection with a close frame and waits until the server ends it. Afterwards, only
   * `onCutOff` of a slow or deaf connection is still reported.
   */
  void leave();
  /** Closes the connection with a reset, like a lost network connection. Reports nothing. */
  void cut();
  /** Closes the connection and reports a failure. */
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
