// Letters between threads.
#include "../src/mailbox.h"

#include <thread>
#include <vector>

#include "../src/event-loop.h"
#include "check.h"

using namespace bench;

TEST("letters of several threads wake the reader; none is lost, and each thread's stay in order") {
  constexpr int kWriters = 3;
  constexpr int kLetters = 2'000;
  struct Letter {
    int writer;
    int number;
  };
  EventLoop loop;
  Mailbox<Letter> mailbox(loop);
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&mailbox, writer] {
      for (int number = 0; number < kLetters; ++number) mailbox.put({writer, number});
    });
  }
  std::vector<int> next(kWriters, 0);
  const Nanoseconds deadline = monotonicNow() + 20 * kSecond;
  for (int read = 0; read < kWriters * kLetters && monotonicNow() < deadline;) {
    loop.turn(deadline);
    for (const Letter& letter : mailbox.take()) {
      CHECK(letter.number == next[static_cast<std::size_t>(letter.writer)]++);
      ++read;
    }
  }
  for (std::thread& writer : writers) writer.join();
  for (const int each : next) CHECK(each == kLetters);
  CHECK(mailbox.take().empty());
}
