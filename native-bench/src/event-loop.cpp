#include "event-loop.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace bench {

namespace {

constexpr int kMaxEventsPerTurn = 256;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void control(int epoll, int operation, int descriptor, std::uint32_t events, void* handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = handler;
  if (epoll_ctl(epoll, operation, descriptor, &event) != 0) fail("epoll_ctl");
}

}  // namespace

EventLoop::EventLoop()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (epoll_ < 0) fail("epoll_create1");
  if (timer_ < 0) fail("timerfd_create");
  // The timer has no handler. It only ends the wait.
  control(epoll_, EPOLL_CTL_ADD, timer_, EPOLLIN, nullptr);
}

EventLoop::~EventLoop() {
  close(timer_);
  close(epoll_);
}

void EventLoop::add(int descriptor, std::uint32_t events, EventHandler& handler) {
  control(epoll_, EPOLL_CTL_ADD, descriptor, events, &handler);
}

void EventLoop::change(int descriptor, std::uint32_t events, EventHandler& handler) {
  control(epoll_, EPOLL_CTL_MOD, descriptor, events, &handler);
}

void EventLoop::setTimer(Nanoseconds at) {
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(at / kSecond);
  when.it_value.tv_nsec = static_cast<long>(at % kSecond);
  // Arming the timer clears an expiry that was not read.
  if (timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr) != 0) fail("timerfd_settime");
}

void EventLoop::turn(Nanoseconds until) {
  const bool mayWait = until > monotonicNow();
  if (mayWait) setTimer(until);
  std::array<epoll_event, kMaxEventsPerTurn> events;
  const int count = epoll_wait(epoll_, events.data(), kMaxEventsPerTurn, mayWait ? -1 : 0);
  if (count < 0 && errno != EINTR) fail("epoll_wait");
  for (int index = 0; index < count; ++index) {
    const epoll_event& event = events[static_cast<std::size_t>(index)];
    auto* handler = static_cast<EventHandler*>(event.data.ptr);
    if (handler != nullptr) handler->onEvents(event.events);
  }
}

}  // namespace bench
