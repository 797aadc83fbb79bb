#include "json.h"

#include <array>
#include <charconv>
#include <cstdio>

namespace bench {

namespace {

bool isSpace(char character) {
  return character == ' ' || character == '\n' || character == '\t' || character == '\r';
}

std::size_t skipSpace(std::string_view text, std::size_t at) {
  while (at < text.size() && isSpace(text[at])) ++at;
  return at;
}

/** End of the string that begins at `at`, behind its closing quote; npos where it is cut. */
std::size_t endOfString(std::string_view text, std::size_t at) {
  // Looks for quotes only (one memchr), then whether an odd number of backslashes escapes it.
  for (std::size_t quote = text.find('"', at + 1); quote != std::string_view::npos;
       quote = text.find('"', quote + 1)) {
    std::size_t escapes = 0;
    while (text[quote - 1 - escapes] == '\\') ++escapes;
    if (escapes % 2 == 0) return quote + 1;
  }
  return std::string_view::npos;
}

/** End of the array or object that begins at `at`; npos where it is cut. */
std::size_t endOfNested(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  while (at < text.size()) {
    const char character = text[at];
    if (character == '"') {
      at = endOfString(text, at);
      if (at == std::string_view::npos) return at;
      continue;
    }
    if (character == '[' || character == '{') ++depth;
    if ((character == ']' || character == '}') && --depth == 0) return at + 1;
    ++at;
  }
  return std::string_view::npos;
}

/** End of the value that begins at `at`; npos where there is none or it is cut. */
std::size_t endOfValue(std::string_view text, std::size_t at) {
  if (at >= text.size()) return std::string_view::npos;
  if (text[at] == '"') return endOfString(text, at);
  if (text[at] == '[' || text[at] == '{') return endOfNested(text, at);
  std::size_t end = at;
  while (end < text.size() && !isSpace(text[end]) && text[end] != ',' && text[end] != ']' &&
         text[end] != '}') {
    ++end;
  }
  return end == at ? std::string_view::npos : end;
}

}  // namespace

std::string jsonQuote(std::string_view text) {
  std::string quoted = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\') {
      quoted += '\\';
      quoted += character;
    } else if (static_cast<unsigned char>(character) < 0x20) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x",
                    static_cast<unsigned>(static_cast<unsigned char>(character)));
      quoted += escape.data();
    } else {
      quoted += character;
    }
  }
  return quoted += '"';
}

bool jsonElements(std::string_view text, std::span<std::string_view> elements) {
  std::size_t at = skipSpace(text, 0);
  if (at >= text.size() || text[at] != '[') return false;
  for (std::string_view& element : elements) {
    at = skipSpace(text, at + 1);
    const std::size_t end = endOfValue(text, at);
    if (end == std::string_view::npos) return false;
    element = text.substr(at, end - at);
    at = skipSpace(text, end);
    if (at >= text.size() || (text[at] != ',' && text[at] != ']')) return false;
    if (text[at] == ']') return &element == &elements.back();
  }
  return true;
}

std::optional<std::string_view> jsonMember(std::string_view object, std::string_view name) {
  std::size_t at = skipSpace(object, 0);
  if (at >= object.size() || object[at] != '{') return std::nullopt;
  while (at < object.size() && object[at] != '}') {
    const std::size_t key = skipSpace(object, at + 1);
    if (key >= object.size() || object[key] != '"') return std::nullopt;
    const std::size_t keyEnd = endOfString(object, key);
    if (keyEnd == std::string_view::npos) return std::nullopt;
    const std::size_t colon = skipSpace(object, keyEnd);
    if (colon >= object.size() || object[colon] != ':') return std::nullopt;
    const std::size_t value = skipSpace(object, colon + 1);
    const std::size_t end = endOfValue(object, value);
    if (end == std::string_view::npos) return std::nullopt;
    if (object.substr(key + 1, keyEnd - key - 2) == name) return object.substr(value, end - value);
    at = skipSpace(object, end);
  }
  return std::nullopt;
}

std::optional<std::string_view> jsonStringBody(std::string_view raw) {
  if (raw.size() < 2 || raw.front() != '"' || raw.back() != '"') return std::nullopt;
  return raw.substr(1, raw.size() - 2);
}

std::optional<std::uint64_t> jsonUnsigned(std::string_view raw) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (error != std::errc{} || end != raw.data() + raw.size()) return std::nullopt;
  return value;
}

}  // namespace bench
