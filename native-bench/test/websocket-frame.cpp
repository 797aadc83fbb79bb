#include "../src/websocket-frame.h"

#include <string>

#include "check.h"

using namespace bench;
using namespace std::string_view_literals;

namespace {

constexpr std::uint32_t kKey = 0x3D21FA37;  // 37 fa 21 3d on the wire (RFC 6455 §5.7)

std::string frameOf(std::size_t payloadBytes) {
  std::string frame;
  appendFrame(frame, Opcode::text, std::string(payloadBytes, 'p'), kKey);
  return frame;
}

HeaderStatus statusOf(std::string_view input) {
  FrameHeader header;
  return decodeHeader(input, header);
}

}  // namespace

TEST("encodes RFC 6455's masked Hello, byte for byte") {
  std::string frame;
  appendFrame(frame, Opcode::text, "Hello", kKey);
  CHECK(frame == "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"sv);
}

TEST("decodes what it encodes, at the boundaries between length forms") {
  for (const std::size_t length : {0UL, 1UL, 125UL, 126UL, 127UL, 65535UL, 65536UL, 100000UL}) {
    std::string frame = frameOf(length);
    FrameHeader header;
    CHECK(decodeHeader(frame, header) == HeaderStatus::complete);
    CHECK(header.payloadBytes == length);
    CHECK(header.headerBytes == 6U + (length > 65535 ? 8U : length > 125 ? 2U : 0U));
    CHECK(header.opcode == Opcode::text && header.isFinal && header.isMasked);
    CHECK(header.maskKey == kKey);
    CHECK(frame.size() == header.headerBytes + length);
    applyMask(frame.data() + header.headerBytes, length, header.maskKey);
    CHECK(frame.substr(header.headerBytes) == std::string(length, 'p'));
  }
}

TEST("asks for more bytes at every cut of a header, and not beyond it") {
  for (const std::size_t length : {5UL, 300UL, 70000UL}) {
    const std::string frame = frameOf(length);
    const std::size_t headerBytes = frame.size() - length;
    for (std::size_t cut = 0; cut < headerBytes; ++cut) {
      CHECK(statusOf(std::string_view(frame).substr(0, cut)) == HeaderStatus::incomplete);
    }
    CHECK(statusOf(std::string_view(frame).substr(0, headerBytes)) == HeaderStatus::complete);
  }
}

TEST("decodes an unmasked server frame") {
  FrameHeader header;
  CHECK(decodeHeader("\x81\x05Hello", header) == HeaderStatus::complete);
  CHECK(!header.isMasked && header.maskKey == 0 && header.headerBytes == 2);
}

TEST("refuses what RFC 6455 forbids") {
  CHECK(statusOf("\xC1\x00"sv) == HeaderStatus::invalid);                      // reserved bit
  CHECK(statusOf("\x83\x00"sv) == HeaderStatus::invalid);                      // opcode 3
  CHECK(statusOf("\x8B\x00"sv) == HeaderStatus::invalid);                      // opcode 11
  CHECK(statusOf("\x09\x00"sv) == HeaderStatus::invalid);                      // fragmented ping
  CHECK(statusOf("\x89\x7E\x00\x7E"sv) == HeaderStatus::invalid);              // ping of 126
  CHECK(statusOf("\x81\x7E\x00\x7D"sv) == HeaderStatus::invalid);              // 125 in 16 bits
  CHECK(statusOf("\x81\x7E\x00\x7E"sv) == HeaderStatus::complete);             // 126 in 16 bits
  CHECK(statusOf("\x81\x7F\0\0\0\0\0\0\xFF\xFF"sv) == HeaderStatus::invalid);  // 65535 in 64
  CHECK(statusOf("\x81\x7F\0\0\0\0\0\1\0\0"sv) == HeaderStatus::complete);     // 65536 in 64
  CHECK(statusOf("\x81\x7F\x80\0\0\0\0\0\0\0"sv) == HeaderStatus::invalid);    // 2^63
}

TEST("masks payloads of every length as in RFC 6455 5.3") {
  for (std::size_t length = 0; length < 40; ++length) {
    std::string bytes(length, '\0');
    applyMask(bytes.data(), length, kKey);
    for (std::size_t at = 0; at < length; ++at) {
      CHECK(bytes[at] == "\x37\xfa\x21\x3d"[at % 4]);
    }
  }
}
