#include "process-stats.h"

#include <time.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace bench {

namespace {

/** Returns the value of a line `name:   123 kB` in bytes. */
std::optional<std::uint64_t> kilobytesOf(std::string_view status, std::string_view name) {
  const std::size_t line = status.find("\n" + std::string(name) + ":");
  if (line == std::string_view::npos) return std::nullopt;
  const std::size_t digits = status.find_first_of("0123456789", line);
  if (digits == std::string_view::npos) return std::nullopt;
  std::uint64_t kilobytes = 0;
  const auto read =
      std::from_chars(status.data() + digits, status.data() + status.size(), kilobytes);
  if (read.ec != std::errc{}) return std::nullopt;
  return kilobytes * 1024;
}

}  // namespace

Nanoseconds threadCpu() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return Nanoseconds{time.tv_sec} * kSecond + time.tv_nsec;
}

std::optional<Nanoseconds> cpuOf(std::uint64_t pid) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(static_cast<pid_t>(pid), &clock) != 0) return std::nullopt;
  if (clock_gettime(clock, &time) != 0) return std::nullopt;
  return Nanoseconds{time.tv_sec} * kSecond + time.tv_nsec;
}

std::optional<Nanoseconds> waitOf(std::uint64_t pid) {
  Nanoseconds total = 0;
  bool isCounted = false;
  std::error_code gone;
  const std::filesystem::directory_iterator threads("/proc/" + std::to_string(pid) + "/task", gone);
  for (const auto& thread : threads) {
    Nanoseconds ran = 0;
    Nanoseconds waited = 0;
    if (!(std::ifstream(thread.path() / "schedstat") >> ran >> waited)) continue;
    total += waited;
    isCounted = true;
  }
  return isCounted ? std::optional(total) : std::nullopt;
}

std::optional<std::uint64_t> memoryIn(std::string_view status) {
  const auto anonymous = kilobytesOf(status, "RssAnon");
  const auto shared = kilobytesOf(status, "RssShmem");
  if (!anonymous || !shared) return std::nullopt;
  return *anonymous + *shared;
}

std::optional<std::uint64_t> memoryOf(std::uint64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  const std::string status{std::istreambuf_iterator<char>(file), {}};
  return memoryIn(status);
}

}  // namespace bench
