// An HTTP/1.1 client with one keep-alive connection and at most one outstanding request.
//
//   idle --request()--> busy --response--> idle
//                        |  \--end before its first byte, on a reused connection--> busy on a new one
//                        +--any other end, or an invalid response--> idle, onHttpFailure
//
// The TCP connection is opened when it is first needed, and again after the server has closed it
// between two requests, as servers do with idle connections. If a request crosses with such a
// close, it is sent again, as browsers do, because the server had closed before reading it.
#pragma once

#include <string>
#include <string_view>

#include "http-response.h"
#include "stream.h"

namespace bench {

class HttpClient;

class HttpClientListener {
 public:
  virtual void onResponse(HttpClient& client, const HttpResponse& response, Nanoseconds now) = 0;
  virtual void onHttpFailure(const std::string& reason) = 0;

 protected:
  ~HttpClientListener() = default;
};

class HttpClient final : private StreamListener {
 public:
  HttpClient(const StreamSetting& setting, HttpClientListener& listener);

  /**
   * Sends a request (head and body); `onResponse` or `onHttpFailure` follows. The client must be
   * idle.
   */
  void request(std::string bytes);
  /** Abandons an outstanding request and closes the connection. */
  void drop();
  /** Does the same as drop(), but closes with a reset. */
  void cut();

  bool isBusy() const { return !request_.empty(); }

 private:
  void onConnected() override;
  std::size_t onBytes(std::string_view bytes, Nanoseconds now) override;
  void onEnd(const std::string& reason) override;
  void fail(const std::string& reason);

  HttpClientListener& listener_;
  /** The outstanding request, in case it must be sent again; empty when idle. */
  std::string request_;
  /** Whether the connection has served a request before this one. */
  bool isUsed_ = false;
  /** Whether the response has begun. */
  bool hasBegun_ = false;
  Stream stream_;
};

}  // namespace bench
