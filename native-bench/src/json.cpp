#include "json.h"

#include <algorithm>
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

/** Returns the end of the string at `at`, past its closing quote; npos if it is truncated. */
std::size_t endOfString(std::string_view text, std::size_t at) {
  // Finds each quote with memchr, then counts the backslashes before it; an odd number escapes the
  // quote.
  for (std::size_t quote = text.find('"', at + 1); quote != std::string_view::npos;
       quote = text.find('"', quote + 1)) {
    std::size_t escapes = 0;
    while (text[quote - 1 - escapes] == '\\') ++escapes;
    if (escapes % 2 == 0) return quote + 1;
  }
  return std::string_view::npos;
}

/** Returns the end of the array or object at `at`; npos if it is truncated. */
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

/** Returns the end of the value at `at`; npos if there is no value or it is truncated. */
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

/** Parses the four hexadecimal digits at `at`. */
std::optional<std::uint32_t> hexAt(std::string_view text, std::size_t at) {
  if (text.size() < at + 4) return std::nullopt;
  std::uint32_t value = 0;
  const char* start = text.data() + at;
  const auto [end, error] = std::from_chars(start, start + 4, value, 16);
  return error == std::errc{} && end == start + 4 ? std::optional(value) : std::nullopt;
}

void appendUtf8(std::string& text, std::uint32_t point) {
  const auto add = [&text](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (point < 0x80) return add(point);
  if (point < 0x800) {
    add(0xC0 | point >> 6);
  } else if (point < 0x10000) {
    add(0xE0 | point >> 12);
    add(0x80 | (point >> 6 & 0x3F));
  } else {
    add(0xF0 | point >> 18);
    add(0x80 | (point >> 12 & 0x3F));
    add(0x80 | (point >> 6 & 0x3F));
  }
  add(0x80 | (point & 0x3F));
}

/** Decodes the UTF-16 unit or pair after `\u`, at `at`. @returns its end, or npos */
std::size_t appendUnits(std::string& text, std::string_view body, std::size_t at) {
  const auto first = hexAt(body, at);
  if (!first) return std::string_view::npos;
  const bool isPair = *first >= 0xD800 && *first < 0xDC00;
  if (!isPair) {
    appendUtf8(text, *first);
    return at + 4;
  }
  const auto second = body.substr(at + 4).starts_with("\\u") ? hexAt(body, at + 6) : std::nullopt;
  if (!second || *second < 0xDC00 || *second > 0xDFFF) return std::string_view::npos;
  appendUtf8(text, 0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00));
  return at + 10;
}

/** Decodes the escape whose backslash precedes `at`. @returns its end, or npos */
std::size_t appendEscaped(std::string& text, std::string_view body, std::size_t at) {
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (at >= body.size()) return std::string_view::npos;
  if (body[at] == 'u') return appendUnits(text, body, at + 1);
  const std::size_t name = kNames.find(body[at]);
  if (name == std::string_view::npos) return name;
  text += kMeanings[name];
  return at + 1;
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

std::optional<std::vector<std::string_view>> jsonArray(std::string_view text) {
  std::size_t at = skipSpace(text, 0);
  if (at >= text.size() || text[at] != '[') return std::nullopt;
  std::vector<std::string_view> elements;
  at = skipSpace(text, at + 1);
  if (at < text.size() && text[at] == ']') return elements;
  for (;;) {
    const std::size_t end = endOfValue(text, at);
    if (end == std::string_view::npos) return std::nullopt;
    elements.push_back(text.substr(at, end - at));
    at = skipSpace(text, end);
    if (at >= text.size() || (text[at] != ',' && text[at] != ']')) return std::nullopt;
    if (text[at] == ']') return elements;
    at = skipSpace(text, at + 1);
  }
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

std::optional<std::string> jsonUnquote(std::string_view raw) {
  const auto body = jsonStringBody(raw);
  if (!body) return std::nullopt;
  std::string text;
  text.reserve(body->size());
  std::size_t at = 0;
  while (at < body->size()) {
    const std::size_t escape = std::min(body->find('\\', at), body->size());
    text.append(body->substr(at, escape - at));
    if (escape == body->size()) break;
    const std::size_t end = appendEscaped(text, *body, escape + 1);
    if (end == std::string_view::npos) return std::nullopt;
    at = end;
  }
  return text;
}

std::optional<std::uint64_t> jsonUnsigned(std::string_view raw) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (error != std::errc{} || end != raw.data() + raw.size()) return std::nullopt;
  return value;
}

}  // namespace bench
