#include "http-response.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace bench {

namespace {

constexpr std::string_view kLineEnd = "\r\n";

/** The properties of the body that a head announces. */
struct Head {
  unsigned status = 0;
  bool isKept = true;
  bool isChunked = false;
  std::optional<std::size_t> length;
};

std::optional<std::size_t> parseSize(std::string_view digits, int base) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value <= kMaxHttpBodyBytes ? std::optional(value) : std::nullopt;
}

/** Reads `HTTP/1.1 200 OK`. */
bool readStatusLine(std::string_view line, Head& head) {
  constexpr std::string_view kVersion = "HTTP/1.";
  if (!line.starts_with(kVersion) || line.size() < 12 || line[8] != ' ') return false;
  if (line[7] != '0' && line[7] != '1') return false;
  // HTTP/1.0 closes the connection after one request.
  head.isKept = line[7] == '1';
  const auto status = parseSize(line.substr(9, 3), 10);
  if (!status || *status < 200 || *status > 599 || (line.size() > 12 && line[12] != ' ')) return false;
  head.status = static_cast<unsigned>(*status);
  return true;
}

bool readHeader(std::string_view line, Head& head) {
  const std::size_t colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos) return false;
  const std::string name = lowered(line.substr(0, colon));
  const std::string value = lowered(trimmed(line.substr(colon + 1)));
  if (name == "connection") head.isKept = head.isKept && value.find("close") == std::string::npos;
  if (name == "transfer-encoding") {
    head.isChunked = true;
    return value == "chunked";
  }
  if (name == "content-length") {
    if (head.length) return false;
    head.length = parseSize(value, 10);
    return head.length.has_value();
  }
  return true;
}

std::optional<Head> readHead(std::string_view text) {
  Head head;
  std::size_t lineEnd = text.find(kLineEnd);
  if (!readStatusLine(text.substr(0, lineEnd), head)) return std::nullopt;
  for (std::size_t at = lineEnd + kLineEnd.size(); at < text.size(); at = lineEnd + kLineEnd.size()) {
    lineEnd = text.find(kLineEnd, at);
    if (!readHeader(text.substr(at, lineEnd - at), head)) return std::nullopt;
  }
  const bool isEmpty = head.status == 204 || head.status == 304;
  if (isEmpty) head.length = 0;
  // A body that is delimited by the end of the connection is not supported.
  if (head.isChunked == head.length.has_value()) return std::nullopt;
  return head;
}

/** Reads all chunks. @param at the start of the chunks; set to their end */
HttpStatus readChunks(std::string_view input, std::size_t& at, std::string& body) {
  for (;;) {
    const std::size_t lineEnd = input.find(kLineEnd, at);
    if (lineEnd == std::string_view::npos) {
      return input.size() - at > kMaxHttpHeadBytes ? HttpStatus::invalid : HttpStatus::incomplete;
    }
    // A chunk extension follows `;`.
    std::string_view line = input.substr(at, lineEnd - at);
    line = trimmed(line.substr(0, line.find(';')));
    const auto size = parseSize(line, 16);
    if (!size || body.size() + *size > kMaxHttpBodyBytes) return HttpStatus::invalid;
    at = lineEnd + kLineEnd.size();
    if (*size == 0) return HttpStatus::complete;
    if (input.size() - at < *size + kLineEnd.size()) return HttpStatus::incomplete;
    body.append(input.substr(at, *size));
    at += *size;
    if (input.substr(at, kLineEnd.size()) != kLineEnd) return HttpStatus::invalid;
    at += kLineEnd.size();
  }
}

/** Skips the lines after the last chunk, up to the empty line. */
HttpStatus skipTrailers(std::string_view input, std::size_t& at) {
  const std::size_t start = at;
  for (;;) {
    const std::size_t lineEnd = input.find(kLineEnd, at);
    if (input.size() - start > kMaxHttpHeadBytes) return HttpStatus::invalid;
    if (lineEnd == std::string_view::npos) return HttpStatus::incomplete;
    const bool isLast = lineEnd == at;
    at = lineEnd + kLineEnd.size();
    if (isLast) return HttpStatus::complete;
  }
}

}  // namespace

std::string lowered(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char character) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(character)));
  });
  return result;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

HttpStatus decodeResponse(std::string_view input, HttpResponse& response) {
  const std::size_t headEnd = input.substr(0, kMaxHttpHeadBytes).find("\r\n\r\n");
  if (headEnd == std::string_view::npos) {
    return input.size() >= kMaxHttpHeadBytes ? HttpStatus::invalid : HttpStatus::incomplete;
  }
  const auto head = readHead(input.substr(0, headEnd + kLineEnd.size()));
  if (!head) return HttpStatus::invalid;
  std::size_t at = headEnd + 2 * kLineEnd.size();
  std::string body;
  if (head->isChunked) {
    HttpStatus status = readChunks(input, at, body);
    if (status == HttpStatus::complete) status = skipTrailers(input, at);
    if (status != HttpStatus::complete) return status;
  } else {
    if (input.size() - at < *head->length) return HttpStatus::incomplete;
    body = input.substr(at, *head->length);
    at += *head->length;
  }
  response = {head->status, std::move(body), head->isKept, at};
  return HttpStatus::complete;
}

}  // namespace bench
