// Phoenix Channels V2 JSON: `[join_ref, ref, topic, event, payload]`. Pure functions.
//
//   ["11","1","bench:0","phx_join",{}]       ->
//   <- ["11","1","bench:0","phx_reply",{"status":"ok","response":{}}]
//   ["11","7","bench:0","e",{"n":5}]         ->
//   <- ["11","7","bench:0","phx_reply",{"status":"ok","response":{"n":5}}]
//   <- [null,null,"bench:0","b",{"n":5}]     a broadcast
//   ["40","40","bench:1","phx_join",{}]      ->   one more topic
//   ["40","41","bench:1","phx_leave",{}]     ->
//   <- ["40","41","bench:1","phx_reply",{"status":"ok","response":{}}]
//   <- ["40","40","bench:1","phx_close",{}]
//   [null,"3","phoenix","heartbeat",{}]      ->
//   <- [null,"3","phoenix","phx_reply",{"status":"ok","response":{}}]
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol.h"

namespace bench {

/** Encodes a join with an empty payload. */
std::string encodeJoin(std::string_view topic);

/** Encodes a push to a joined topic; `payload` is raw JSON. */
std::string encodePush(std::uint64_t ref, std::string_view topic, std::string_view event,
                       std::string_view payload);

/** Encodes a heartbeat. */
std::string encodeHeartbeat(std::uint64_t ref);

/** Decodes a text frame; returns nothing if it is not a V2 message. */
std::optional<Message> decodeMessage(std::string_view frame);

/** Decodes a message as a reply; returns nothing if it is not a reply. */
std::optional<Reply> decodeReply(const Message& message);

}  // namespace bench
