#include "sha1.h"

#include <bit>
#include <cstddef>

namespace bench {

namespace {

constexpr std::size_t kBlockBytes = 64;

/** Pads the message with a one bit, zeros, and the length in bits. */
std::string padded(std::string_view bytes) {
  std::string message(bytes);
  message += static_cast<char>(0x80);
  while (message.size() % kBlockBytes != kBlockBytes - 8) message += '\0';
  const std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
  for (int shift = 56; shift >= 0; shift -= 8) message += static_cast<char>(bits >> shift);
  return message;
}

struct Round {
  std::uint32_t mixed;
  std::uint32_t constant;
};

Round roundOf(std::size_t step, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  if (step < 20) return {(b & c) | (~b & d), 0x5A827999};
  if (step < 40) return {b ^ c ^ d, 0x6ED9EBA1};
  if (step < 60) return {(b & c) | (b & d) | (c & d), 0x8F1BBCDC};
  return {b ^ c ^ d, 0xCA62C1D6};
}

void mixBlock(std::string_view block, std::array<std::uint32_t, 5>& state) {
  std::array<std::uint32_t, 80> words{};
  for (std::size_t byte = 0; byte < kBlockBytes; ++byte) {
    words[byte / 4] = words[byte / 4] << 8 | static_cast<std::uint8_t>(block[byte]);
  }
  for (std::size_t step = 16; step < words.size(); ++step) {
    words[step] =
        std::rotl(words[step - 3] ^ words[step - 8] ^ words[step - 14] ^ words[step - 16], 1);
  }
  auto [a, b, c, d, e] = state;
  for (std::size_t step = 0; step < words.size(); ++step) {
    const auto [mixed, constant] = roundOf(step, b, c, d);
    const std::uint32_t next = std::rotl(a, 5) + mixed + e + constant + words[step];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d, state[4] + e};
}

}  // namespace

std::array<std::uint8_t, 20> sha1(std::string_view bytes) {
  std::array<std::uint32_t, 5> state{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  const std::string message = padded(bytes);
  for (std::size_t at = 0; at < message.size(); at += kBlockBytes) {
    mixBlock(std::string_view(message).substr(at, kBlockBytes), state);
  }
  std::array<std::uint8_t, 20> digest{};
  for (std::size_t byte = 0; byte < digest.size(); ++byte) {
    digest[byte] = static_cast<std::uint8_t>(state[byte / 4] >> (24 - 8 * (byte % 4)));
  }
  return digest;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t held = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t byte = 0; byte < 3; ++byte) {
      group = group << 8 | (byte < held ? static_cast<std::uint8_t>(bytes[at + byte]) : 0U);
    }
    for (std::size_t digit = 0; digit < 4; ++digit) {
      text += digit <= held ? kAlphabet[group >> (18 - 6 * digit) & 0x3F] : '=';
    }
  }
  return text;
}

}  // namespace bench
