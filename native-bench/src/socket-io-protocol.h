// Socket.IO 5 on Engine.IO 4, text frames over WebSocket, in the main namespace.
//
//   <- 0{"sid":"q","pingInterval":25000,...}   Engine.IO: open
//   40                                      -> Socket.IO: connect
//   <- 40{"sid":"r"}
//   421["join","bench:0"]                   -> an event that requests an acknowledgement
//   <- 431[]                                   the acknowledgement: we are in that room
//   427["e",{"n":5}]                        ->
//   <- 437[{"n":5}]
//   42["b",{"n":5}]                         -> the server broadcasts it to the room
//   <- 42["b",{"n":5}]
//   <- 2                                       ping, which the server sends
//   3                                       -> pong
//
// The ref of a reply is the number of its acknowledgement. Only the join names a topic. The protocol
// itself is `socketIoProtocol` in protocol.h.
#pragma once

#include <string_view>

#include "protocol.h"

namespace bench {

/**
 * Event with which a client joins a room; the server acknowledges it once the client has joined.
 */
inline constexpr std::string_view kJoinEvent = "join";

}  // namespace bench
