// The protocol spoken over a transport: the format of joins, pushes and replies, and the side that
// sends heartbeats.
//
// Connections and scenarios see the messages of every protocol in the form below. The reply to the
// join has the refs kJoinRef and kJoinMessageRef; the reply to a push has kJoinRef and the ref of the
// push.
//
// Protocols have no state: one object serves all connections of all threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bench {

/** join_ref of every join. Differs from the join's ref, to detect servers that confuse the two. */
inline constexpr std::string_view kJoinRef = "11";
/** ref of every join's message. */
inline constexpr std::uint64_t kJoinMessageRef = 1;
/** ref of the first push after the join. */
inline constexpr std::uint64_t kFirstPushRef = 2;
inline constexpr std::string_view kHeartbeatTopic = "phoenix";

/**
 * A decoded frame. Its members are views into the bytes of the frame, and valid only as long as
 * these.
 */
struct Message {
  /** Empty if the ref is null. */
  std::string_view joinRef;
  /** Empty if the ref is null. */
  std::string_view ref;
  std::string_view topic;
  std::string_view event;
  /** Raw JSON. */
  std::string_view payload;
};

/** A decoded reply. */
struct Reply {
  std::string_view status;
  /** Raw JSON; empty if the reply has none. */
  std::string_view response;
};

class Protocol {
 public:
  virtual ~Protocol() = default;

  /** The protocol's name on the command line. */
  virtual std::string_view name() const = 0;
  /** Parameters that the URL's query needs: `name=value`, separated by `&`. */
  virtual std::string_view query() const = 0;
  /** Encodes the client's first frame; empty if the server speaks first. */
  virtual std::string encodeOpening(std::string_view topic) const = 0;
  /** Encodes a push to a joined topic; the event `e` requests a reply. `payload` is raw JSON. */
  virtual std::string encodePush(std::uint64_t ref, std::string_view topic, std::string_view event,
                                 std::string_view payload) const = 0;
  /**
   * Encodes the join of another topic, with join_ref also as its ref; empty if the protocol has only
   * one topic per connection.
   */
  virtual std::string encodeJoin(std::uint64_t joinRef, std::string_view topic) const = 0;
  /** Encodes the leave of a topic joined with encodeJoin(). */
  virtual std::string encodeLeave(std::uint64_t joinRef, std::uint64_t ref,
                                  std::string_view topic) const = 0;
  /** Encodes a heartbeat; empty if the server sends them. */
  virtual std::string encodeHeartbeat(std::uint64_t ref) const = 0;
  /** Returns the answer to a control frame of the protocol, or nothing for any other frame. */
  virtual std::optional<std::string> answerTo(std::string_view frame,
                                              std::string_view topic) const = 0;
  /**
   * Decodes a text frame; returns nothing if it is not a message.
   *
   * @param topic the connection's topic, for protocols whose frames do not contain it
   */
  virtual std::optional<Message> decode(std::string_view frame, std::string_view topic) const = 0;
  /** Decodes a message as a reply; returns nothing if it is not a reply. */
  virtual std::optional<Reply> decodeReply(const Message& message) const = 0;
};

/** Returns the protocol with this name, which lives as long as the program, or nullptr. */
const Protocol* protocolNamed(std::string_view name);

/** Phoenix Channels V2, the default. */
const Protocol& phoenixProtocol();

/** Socket.IO 5 on Engine.IO 4. */
const Protocol& socketIoProtocol();

}  // namespace bench
