#include "stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace bench {

namespace {

std::string errorText(const char* call, int error) {
  return std::string(call) + ": " + std::strerror(error);
}

}  // namespace

Stream::Stream(const StreamSetting& setting, StreamListener& listener)
    : setting_(setting), listener_(listener) {}

Stream::~Stream() { close(); }

void Stream::open() {
  ++opens_;
  isConnecting_ = true;
  isReading_ = true;
  descriptor_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) return end(errorText("socket", errno));
  const int on = 1;
  setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // Set before connecting, because the window announced in the TCP handshake depends on it.
  if (const int bytes = setting_.receiveBytes; bytes > 0) {
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(setting_.target.port);
  address.sin_addr.s_addr = htonl(setting_.target.address);
  if (connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS) {
    return end(errorText("connect", errno));
  }
  setting_.loop.add(descriptor_, EPOLLIN | EPOLLOUT, *this);
}

void Stream::close() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  partial_ = {};
  outbox_ = {};
}

void Stream::reset() {
  if (descriptor_ < 0) return;
  const linger atOnce{1, 0};
  setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &atOnce, sizeof atOnce);
  close();
}

void Stream::end(const std::string& reason) {
  close();
  listener_.onEnd(reason);
}

void Stream::onEvents(std::uint32_t events) {
  // The stream was closed by the handler of another descriptor in the same turn of the loop.
  if (descriptor_ < 0) return;
  if (isConnecting_) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) finishConnecting();
    return;
  }
  const std::uint32_t opens = opens_;
  if ((events & EPOLLOUT) != 0) flush();
  if (descriptor_ < 0 || opens_ != opens || (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) == 0) return;
  if (!isReading_) return end("the server closed");
  while (receive(setting_.buffers.input.size())) {
  }
}

void Stream::finishConnecting() {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return end(errorText("connect", error));
  isConnecting_ = false;
  watch();
  listener_.onConnected();
}

void Stream::watch() {
  const std::uint32_t writing = outbox_.empty() ? 0 : std::uint32_t{EPOLLOUT};
  // Resets are always reported (EPOLLERR, EPOLLHUP). EPOLLRDHUP reports an end without reading.
  const std::uint32_t reading = isReading_ ? std::uint32_t{EPOLLIN} : std::uint32_t{EPOLLRDHUP};
  setting_.loop.change(descriptor_, reading | writing, *this);
}

void Stream::stopReading() {
  isReading_ = false;
  watch();
}

void Stream::readAgain() {
  if (std::exchange(isReading_, true)) return;
  watch();
}

void Stream::readSome(std::size_t most) {
  if (isOpen() && !isReading_) receive(std::min(most, setting_.buffers.input.size()));
}

bool Stream::receive(std::size_t most) {
  std::string& input = setting_.buffers.input;
  const ssize_t count = recv(descriptor_, input.data(), most, 0);
  if (count == 0) {
    end({});
    return false;
  }
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) end(errorText("recv", errno));
    return false;
  }
  const auto received = static_cast<std::size_t>(count);
  std::string_view bytes(input.data(), received);
  std::string joinedBytes;
  if (!partial_.empty()) {
    joinedBytes = std::exchange(partial_, {}).append(bytes);
    bytes = joinedBytes;
  }
  const std::uint32_t opens = opens_;
  const std::size_t consumed = listener_.onBytes(bytes, monotonicNow());
  if (descriptor_ < 0 || opens_ != opens) return false;
  if (consumed < bytes.size()) partial_ = bytes.substr(consumed);
  // A short read means that the kernel has no more bytes.
  return received == most && isReading_;
}

void Stream::send(std::string_view bytes) {
  if (!outbox_.empty()) {
    outbox_ += bytes;
    return;
  }
  ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR) return end(errorText("send", errno));
    sent = 0;
  }
  if (static_cast<std::size_t>(sent) == bytes.size()) return;
  outbox_ = bytes.substr(static_cast<std::size_t>(sent));
  watch();
}

void Stream::flush() {
  if (outbox_.empty()) return;
  const std::uint32_t opens = opens_;
  const std::string waiting = std::exchange(outbox_, {});
  send(waiting);
  if (descriptor_ >= 0 && opens_ == opens && outbox_.empty()) watch();
}

}  // namespace bench
