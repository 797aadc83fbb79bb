#include "websocket-frame.h"

#include <bit>
#include <cstring>

namespace bench {

static_assert(std::endian::native == std::endian::little, "mask keys are kept in wire order");

namespace {

constexpr std::uint8_t kFinalBit = 0x80;
constexpr std::uint8_t kReservedBits = 0x70;
constexpr std::uint8_t kOpcodeBits = 0x0F;
constexpr std::uint8_t kControlBit = 0x08;
constexpr std::uint8_t kMaskBit = 0x80;
constexpr std::uint8_t kLengthBits = 0x7F;
/** Maximum payload length that fits in the second byte. */
constexpr std::uint64_t kMaxShortLength = 125;
constexpr std::uint8_t kLength16 = 126;
constexpr std::uint8_t kLength64 = 127;
constexpr std::uint64_t kMax16 = 0xFFFF;
constexpr std::size_t kMaskKeyBytes = 4;

std::uint8_t byteAt(std::string_view input, std::size_t at) {
  return static_cast<std::uint8_t>(input[at]);
}

std::uint64_t bigEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

void appendBigEndian(std::string& output, std::uint64_t value, std::size_t bytes) {
  while (bytes-- > 0) output += static_cast<char>(value >> (8 * bytes));
}

bool isKnown(std::uint8_t opcode) {
  return opcode <= static_cast<std::uint8_t>(Opcode::binary) ||
         (opcode >= static_cast<std::uint8_t>(Opcode::close) &&
          opcode <= static_cast<std::uint8_t>(Opcode::pong));
}

/** Returns the size of the extended length that the second byte announces. */
std::size_t extendedLengthBytes(std::uint8_t shortLength) {
  if (shortLength == kLength16) return 2;
  return shortLength == kLength64 ? 8 : 0;
}

/** Reports whether a length is encoded in its shortest form (RFC 6455 §5.2). */
bool isShortest(std::uint64_t length, std::size_t extendedBytes) {
  if (extendedBytes == 2) return length > kMaxShortLength;
  return extendedBytes == 0 || (length > kMax16 && length >> 63 == 0);
}

}  // namespace

HeaderStatus decodeHeader(std::string_view input, FrameHeader& header) {
  if (input.empty()) return HeaderStatus::incomplete;
  const std::uint8_t first = byteAt(input, 0);
  const std::uint8_t opcode = first & kOpcodeBits;
  if ((first & kReservedBits) != 0 || !isKnown(opcode)) return HeaderStatus::invalid;
  if (input.size() < 2) return HeaderStatus::incomplete;

  const std::uint8_t second = byteAt(input, 1);
  const std::uint8_t shortLength = second & kLengthBits;
  const bool isControl = (opcode & kControlBit) != 0;
  const bool isFinal = (first & kFinalBit) != 0;
  if (isControl && (!isFinal || shortLength > kMaxShortLength)) return HeaderStatus::invalid;

  const std::size_t extendedBytes = extendedLengthBytes(shortLength);
  const bool isMasked = (second & kMaskBit) != 0;
  const std::size_t headerBytes = 2 + extendedBytes + (isMasked ? kMaskKeyBytes : 0);
  if (input.size() < headerBytes) return HeaderStatus::incomplete;
  const std::uint64_t length =
      extendedBytes == 0 ? shortLength : bigEndian(input.substr(2, extendedBytes));
  if (!isShortest(length, extendedBytes)) return HeaderStatus::invalid;

  header = {static_cast<Opcode>(opcode), isFinal, isMasked, 0, length, headerBytes};
  if (isMasked) {
    std::memcpy(&header.maskKey, input.data() + headerBytes - kMaskKeyBytes, kMaskKeyBytes);
  }
  return HeaderStatus::complete;
}

void appendFrame(std::string& output, Opcode opcode, std::string_view payload,
                 std::uint32_t maskKey) {
  output += static_cast<char>(kFinalBit | static_cast<std::uint8_t>(opcode));
  const std::uint64_t length = payload.size();
  if (length <= kMaxShortLength) {
    output += static_cast<char>(kMaskBit | length);
  } else if (length <= kMax16) {
    output += static_cast<char>(kMaskBit | kLength16);
    appendBigEndian(output, length, 2);
  } else {
    output += static_cast<char>(kMaskBit | kLength64);
    appendBigEndian(output, length, 8);
  }
  output.append(reinterpret_cast<const char*>(&maskKey), kMaskKeyBytes);
  const std::size_t start = output.size();
  output += payload;
  applyMask(output.data() + start, payload.size(), maskKey);
}

void applyMask(char* bytes, std::size_t length, std::uint32_t maskKey) {
  const std::uint64_t wide = std::uint64_t{maskKey} << 32 | maskKey;
  std::size_t at = 0;
  for (; at + sizeof wide <= length; at += sizeof wide) {
    std::uint64_t block = 0;
    std::memcpy(&block, bytes + at, sizeof block);
    block ^= wide;
    std::memcpy(bytes + at, &block, sizeof block);
  }
  for (; at < length; ++at) bytes[at] ^= static_cast<char>(maskKey >> (8 * (at % 4)));
}

}  // namespace bench
