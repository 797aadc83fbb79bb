// WebSocket frames (RFC 6455 §5): encodes and decodes headers, masks payloads. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bench {

/** Opcodes of RFC 6455 §5.2; no others exist without an extension. */
enum class Opcode : std::uint8_t {
  continuation = 0x0,
  text = 0x1,
  binary = 0x2,
  close = 0x8,
  ping = 0x9,
  pong = 0xA,
};

/** A decoded header. The payload is the `payloadBytes` that follow the first `headerBytes`. */
struct FrameHeader {
  Opcode opcode = Opcode::text;
  bool isFinal = true;
  bool isMasked = false;
  /** The first byte on the wire is the lowest byte; 0 if the frame is not masked. */
  std::uint32_t maskKey = 0;
  std::uint64_t payloadBytes = 0;
  std::size_t headerBytes = 0;
};

enum class HeaderStatus { complete, incomplete, invalid };

/** Longest possible header: 2 bytes, a 64-bit length and a mask key. */
inline constexpr std::size_t kMaxHeaderBytes = 14;

/**
 * Decodes the header at the start of `input`.
 *
 * @param header written only when the result is `complete`
 * @returns `incomplete` if more bytes are needed, `invalid` for anything that RFC 6455 §5.2 and
 *          §5.5 forbid: reserved bits or opcodes, a length that is not in its shortest form or is
 *          2^63 or more, and a control frame that is fragmented or longer than 125 bytes
 */
HeaderStatus decodeHeader(std::string_view input, FrameHeader& header);

/** Appends a final, masked frame, as sent by clients, to `output`. */
void appendFrame(std::string& output, Opcode opcode, std::string_view payload,
                 std::uint32_t maskKey);

/**
 * Masks or unmasks bytes in place; masking and unmasking are the same operation (RFC 6455 §5.3).
 */
void applyMask(char* bytes, std::size_t length, std::uint32_t maskKey);

}  // namespace bench
