// Responses of HTTP/1.1 (RFC 9112), as a client on a kept connection reads them. Pure functions.
//
//   HTTP/1.1 200 OK\r\n
//   Content-Length: 14\r\n              or   Transfer-Encoding: chunked\r\n
//   \r\n                                     \r\n
//   {"status":200}                           e\r\n{"status":200}\r\n0\r\n\r\n
//
// Nothing is kept between two calls: where a response is not whole, it is read again from its
// start with more bytes behind it. Chunks are skipped by their sizes, so that costs little.
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
  /** All bytes of it, from the status line on. */
  std::size_t bytes = 0;
};

enum class HttpStatus { complete, incomplete, invalid };

/** Longest head, status line and empty line included, in bytes. */
inline constexpr std::size_t kMaxHttpHeadBytes = 16 * 1024;
/** Longest body, in bytes. */
inline constexpr std::size_t kMaxHttpBodyBytes = 16 * 1024 * 1024;

/**
 * Decodes the response at the start of `input`.
 *
 * @param response written only when the result is `complete`
 * @returns `incomplete` where more bytes are needed; `invalid` for what is no HTTP/1.x, for an
 *          interim response (nobody asked for one), a length that is missing, not a number or
 *          given twice, a broken chunk, and a head or body beyond its limit
 */
HttpStatus decodeResponse(std::string_view input, HttpResponse& response);

/** Lower case, for ASCII. */
std::string lowered(std::string_view text);

/** Without spaces and tabs at both ends. */
std::string_view trimmed(std::string_view text);

}  // namespace bench
