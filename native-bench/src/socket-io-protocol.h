// Socket.IO 5 on Engine.IO 4, text frames over WebSocket, in the main namespace.
//
//   <- 0{"sid":"q","pingInterval":25000,...}   Engine.IO: open
//   40                                      -> Socket.IO: connect
//   <- 40{"sid":"r"}
//   421["join","bench:0"]                   -> an event that asks for an acknowledgement
//   <- 431[]                                   it: the server has put us into that room
//   427["e",{"n":5}]                        ->
//   <- 437[{"n":5}]
//   42["b",{"n":5}]                         -> the server broadcasts it to the room
//   <- 42["b",{"n":5}]
//   <- 2                                       ping; the server asks, and the client answers
//   3                                       -> pong
//
// A reply's ref is the number of its acknowledgement. No frame but the join names a topic. Nothing of
// it has state, so this is all that there is to declare: `socketIoProtocol` in protocol.h.
#pragma once

#include <string_view>

#include "protocol.h"

namespace bench {

/** What a server must call the event that joins a room; an acknowledgement means that it is joined. */
inline constexpr std::string_view kJoinEvent = "join";

}  // namespace bench
