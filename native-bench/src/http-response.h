// HTTP/1.1 responses (RFC 9112), as read by a client on a keep-alive connection. Pure functions.
//
//   HTTP/1.1 200 OK\r\n
//   Content-Length: 14\r\n              or   Transfer-Encoding: chunked\r\n
//   \r\n                                     \r\n
//   {"status":200}                           e\r\n{"status":200}\r\n0\r\n\r\n
//
// No state is kept between calls: an incomplete response is decoded again from its start when more
// bytes have arrived. That is cheap because chunks are skipped by their sizes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bench {

struct HttpResponse {
  /** 200 to 599. */
  unsigned status = 0;
  std::string body;
  /** Whether the connection may be used for the next request. */
  bool isKept = true;
  /** Length of the whole response, from the status line on. */
  std::size_t bytes = 0;
};

enum class HttpStatus { complete, incomplete, invalid };

/** Maximum length of a head in bytes, including the status line and the empty line. */
inline constexpr std::size_t kMaxHttpHeadBytes = 16 * 1024;
/** Maximum length of a body in bytes. */
inline constexpr std::size_t kMaxHttpBodyBytes = 16 * 1024 * 1024;

/**
 * Decodes the response at the start of `input`.
 *
 * @param response written only when the result is `complete`
 * @returns `incomplete` if more bytes are needed; `invalid` if the response is not HTTP/1.x or is
 *          an interim response (which is never requested), if its length is missing, not a number
 *          or given twice, if a chunk is malformed, or if the head or body exceeds its limit
 */
HttpStatus decodeResponse(std::string_view input, HttpResponse& response);

/** Returns text with ASCII letters in lower case. */
std::string lowered(std::string_view text);

/** Returns text without leading and trailing spaces and tabs. */
std::string_view trimmed(std::string_view text);

}  // namespace bench
