// A connection of an HTTP/1.1 client that is kept between requests, one outstanding at most.
//
//   idle --request()--> busy --response--> idle
//                        |  \--end before a byte of it, on a kept connection--> busy on a new one
//                        +--any other end, or what is no response--> idle, onHttpFailure
//
// The TCP connection is opened when it is first needed, and again after the server has closed it
// between two requests: servers do that to idle ones. Where that crosses with a request, the
// request is sent once more, as browsers do: the server had closed before it read it.
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

  /** Sends a request, head and body; `onResponse` or `onHttpFailure` follows. It must be idle. */
  void request(std::string bytes);
  /** Gives up what is outstanding, and closes. */
  void drop();
  /** As drop(), by a reset. */
  void cut();

  bool isBusy() const { return !request_.empty(); }

 private:
  void onConnected() override;
  std::size_t onBytes(std::string_view bytes, Nanoseconds now) override;
  void onEnd(const std::string& reason) override;
  void fail(const std::string& reason);

  HttpClientListener& listener_;
  /** What is outstanding, for the case that it must be sent again; empty where nothing is. */
  std::string request_;
  /** Whether the connection has served a request before this one. */
  bool isUsed_ = false;
  /** Whether a byte of the response has come. */
  bool hasBegun_ = false;
  Stream stream_;
};

}  // namespace bench
