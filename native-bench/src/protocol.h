// What is spoken over a connection's transport: how a topic is joined, what a push and its reply look
// like, and who asks whether the other still lives.
//
// Whatever the protocol, a connection and the scenarios know its messages as below. A reply to the join
// has the refs kJoinRef and kJoinMessageRef, a reply to a push kJoinRef and the push's own.
//
// Objects without state: one serves all connections of all threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bench {

/** join_ref of every join. Not the join's own ref, so that no server may take one for the other. */
inline constexpr std::string_view kJoinRef = "11";
/** ref of every join's message. */
inline constexpr std::uint64_t kJoinMessageRef = 1;
/** ref of the first push after the join. */
inline constexpr std::uint64_t kFirstPushRef = 2;
inline constexpr std::string_view kHeartbeatTopic = "phoenix";

/** A decoded frame: views into it, valid as long as its bytes are. */
struct Message {
  /** Empty where it is null. */
  std::string_view joinRef;
  /** Empty where it is null. */
  std::string_view ref;
  std::string_view topic;
  std::string_view event;
  /** Raw JSON. */
  std::string_view payload;
};

/** What a reply says. */
struct Reply {
  std::string_view status;
  /** Raw JSON; empty where nothing was given. */
  std::string_view response;
};

class Protocol {
 public:
  virtual ~Protocol() = default;

  /** The word by which the command line names it. */
  virtual std::string_view name() const = 0;
  /** What the URL's query must have, `name=value` with `&` between. */
  virtual std::string_view query() const = 0;
  /** The first frame of the client; empty where the server speaks first. */
  virtual std::string encodeOpening(std::string_view topic) const = 0;
  /** Frame that pushes an event to a joined topic and asks for a reply to `e`; raw JSON as payload. */
  virtual std::string encodePush(std::uint64_t ref, std::string_view topic, std::string_view event,
                                 std::string_view payload) const = 0;
  /**
   * Frame that joins one more topic, with the join_ref as its ref too; empty where the protocol
   * has one topic a connection.
   */
  virtual std::string encodeJoin(std::uint64_t joinRef, std::string_view topic) const = 0;
  /** Frame that leaves such a topic. */
  virtual std::string encodeLeave(std::uint64_t joinRef, std::uint64_t ref,
                                  std::string_view topic) const = 0;
  /** Frame that asks whether the server lives; empty where the server asks. */
  virtual std::string encodeHeartbeat(std::uint64_t ref) const = 0;
  /** What a frame of the protocol's own affairs is answered with; nothing for all other frames. */
  virtual std::optional<std::string> answerTo(std::string_view frame,
                                              std::string_view topic) const = 0;
  /**
   * Decodes a text frame, or gives nothing where it is no message.
   *
   * @param topic of the connection, for protocols whose frames do not name it
   */
  virtual std::optional<Message> decode(std::string_view frame, std::string_view topic) const = 0;
  /** Reads a message as a reply, or gives nothing where it is none. */
  virtual std::optional<Reply> decodeReply(const Message& message) const = 0;
};

/** The protocol of that name, which lives as long as the program; nullptr where there is none. */
const Protocol* protocolNamed(std::string_view name);

/** Phoenix Channels V2, spoken where nothing else is asked for. */
const Protocol& phoenixProtocol();

/** Socket.IO 5 on Engine.IO 4. */
const Protocol& socketIoProtocol();

}  // namespace bench
