// An event loop over epoll and one timer: waits until a descriptor is ready or a time is reached.
//
// One thread owns a loop and everything that is registered with it; nothing is shared.
#pragma once

#include <cstdint>

#include "clock.h"

namespace bench {

/** Handles the events of a descriptor. Must outlive its registration. */
class EventHandler {
 public:
  /** @param events EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP */
  virtual void onEvents(std::uint32_t events) = 0;

 protected:
  ~EventHandler() = default;
};

class EventLoop {
 public:
  /** @throws std::system_error if a system call fails */
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /** Registers a descriptor; closing it ends its registration. */
  void add(int descriptor, std::uint32_t events, EventHandler& handler);
  /** Changes the events that a registered descriptor waits for. */
  void change(int descriptor, std::uint32_t events, EventHandler& handler);

  /** Handles events, waiting for them at most until `until` (monotonic). */
  void turn(Nanoseconds until);

 private:
  void setTimer(Nanoseconds at);

  int epoll_;
  int timer_;
};

}  // namespace bench
