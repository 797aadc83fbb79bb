#include "http-client.h"

#include <utility>

namespace bench {

HttpClient::HttpClient(const StreamSetting& setting, HttpClientListener& listener)
    : listener_(listener), stream_(setting, *this) {}

void HttpClient::request(std::string bytes) {
  request_ = std::move(bytes);
  hasBegun_ = false;
  if (stream_.isOpen()) return stream_.send(request_);
  isUsed_ = false;
  stream_.open();
}

void HttpClient::drop() {
  request_.clear();
  stream_.close();
}

void HttpClient::cut() {
  stream_.reset();
  drop();
}

void HttpClient::onConnected() { stream_.send(request_); }

std::size_t HttpClient::onBytes(std::string_view bytes, Nanoseconds now) {
  HttpResponse response;
  hasBegun_ = true;
  const HttpStatus status = isBusy() ? decodeResponse(bytes, response) : HttpStatus::invalid;
  if (status == HttpStatus::incomplete) return 0;
  if (status == HttpStatus::invalid || response.bytes < bytes.size()) {
    fail("the server sent something other than an HTTP/1.1 response");
    return 0;
  }
  request_.clear();
  isUsed_ = true;
  if (!response.isKept) stream_.close();
  listener_.onResponse(*this, response, now);
  return response.bytes;
}

void HttpClient::onEnd(const std::string& reason) {
  if (!isBusy()) return;
  if (isUsed_ && !hasBegun_) return request(std::exchange(request_, {}));
  fail(reason.empty() ? "the server closed before it had answered the request" : reason);
}

void HttpClient::fail(const std::string& reason) {
  drop();
  listener_.onHttpFailure(reason);
}

}  // namespace bench
