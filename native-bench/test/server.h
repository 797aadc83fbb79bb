// A minimal server on the test's thread: listens on a free port, and accepts connections on
// request.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

#include "../src/clock.h"
#include "../src/event-loop.h"
#include "../src/options.h"
#include "check.h"

namespace bench::test {

inline constexpr Nanoseconds kDeadline = 5 * kSecond;

/** Runs a loop until a condition is true. @returns false if the condition was not true in time */
template <typename Condition>
bool turnUntil(EventLoop& loop, Condition isTrue, Nanoseconds longest = kDeadline) {
  const Nanoseconds deadline = monotonicNow() + longest;
  while (!isTrue()) {
    if (monotonicNow() > deadline) return false;
    loop.turn(monotonicNow() + kMillisecond);
  }
  return true;
}

/** The server's end of one connection. */
class Peer {
 public:
  explicit Peer(int descriptor) : descriptor_(descriptor) {}
  ~Peer() { end(); }
  Peer(Peer&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Peer& operator=(Peer&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    wasReset_ = false;
    return *this;
  }

  int descriptor() const { return descriptor_; }

  /** Returns the bytes that have arrived; empty if there are none. */
  std::string receive() {
    std::string bytes(64 * 1024, '\0');
    const ssize_t count = recv(descriptor_, bytes.data(), bytes.size(), 0);
    // The kernel reports a reset only once.
    wasReset_ = wasReset_ || (count < 0 && errno == ECONNRESET);
    bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return bytes;
  }

  /** Reports whether the client has ended or reset the connection. */
  bool hasEnded() {
    char byte = 0;
    const ssize_t count = recv(descriptor_, &byte, 1, MSG_PEEK);
    wasReset_ = wasReset_ || (count < 0 && errno == ECONNRESET);
    return count == 0 || wasReset_;
  }
  bool wasReset() { return hasEnded() && wasReset_; }

  void send(std::string_view bytes) {
    CHECK(::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes.size()));
  }

  /** Sends as much as the kernel has room for. @returns the number of bytes */
  std::size_t trySend(std::string_view bytes) {
    const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return count > 0 ? static_cast<std::size_t>(count) : 0;
  }

  /** Ends the connection; pending bytes are still sent, followed by an end. */
  void end() {
    if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
  }

  /** Resets the connection; pending bytes are discarded. */
  void reset() {
    const linger atOnce{1, 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &atOnce, sizeof atOnce);
    end();
  }

 private:
  int descriptor_;
  bool wasReset_ = false;
};

class Server {
 public:
  Server() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    CHECK(bind(listener_, any, length) == 0 && listen(listener_, 64) == 0);
    CHECK(getsockname(listener_, any, &length) == 0);
    target.host = "127.0.0.1";
    target.path = "/";
    target.address = INADDR_LOOPBACK;
    target.port = ntohs(address.sin_port);
  }
  ~Server() { close(listener_); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /** Accepts the next connection, running the client's loop until a connection arrives. */
  Peer accept(EventLoop& loop) {
    int descriptor = -1;
    CHECK(turnUntil(loop, [this, &descriptor] {
      return (descriptor = tryAccept()) >= 0;
    }));
    return Peer(descriptor);
  }

  int descriptor() const { return listener_; }
  /** Accepts a pending connection. @returns its descriptor, or -1 */
  int tryAccept() { return ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); }

  Target target;

 private:
  int listener_;
};

}  // namespace bench::test
