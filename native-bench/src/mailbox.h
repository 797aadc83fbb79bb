// Letters from any thread to a thread that runs an EventLoop; a letter wakes the loop.
//
// A mutex is held only while a letter is moved. The reader locks the mutex only after the eventfd
// has fired, so a turn without letters costs nothing. The queue is unbounded: it receives a few
// letters per phase and one per --live interval.
#pragma once

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include "event-loop.h"

namespace bench {

template <typename Letter>
class Mailbox final : private EventHandler {
 public:
  /** @param loop the reader's event loop. @throws std::system_error if a system call fails */
  explicit Mailbox(EventLoop& loop) : bell_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (bell_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    loop.add(bell_, EPOLLIN, *this);
  }
  ~Mailbox() { close(bell_); }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /** Adds a letter. May be called on any thread. */
  void put(Letter letter) {
    {
      const std::lock_guard lock(mutex_);
      letters_.push_back(std::move(letter));
    }
    eventfd_write(bell_, 1);
  }

  /** Takes all letters in order of arrival. Called on the reader's thread only. */
  std::vector<Letter> take() {
    if (!std::exchange(hasRung_, false)) return {};
    const std::lock_guard lock(mutex_);
    return std::exchange(letters_, {});
  }

 private:
  void onEvents(std::uint32_t) override {
    eventfd_t count = 0;
    eventfd_read(bell_, &count);
    hasRung_ = true;
  }

  const int bell_;
  /** Whether the eventfd has fired; used only by the reader. */
  bool hasRung_ = false;
  std::mutex mutex_;
  std::vector<Letter> letters_;
};

}  // namespace bench
