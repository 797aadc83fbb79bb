// CPU and memory of a process, as counted by the kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "clock.h"

namespace bench {

/**
 * Returns the CPU time of a process since it started: user and system, all threads, including those
 * that have ended.
 *
 * This is the sum of `utime` and `stime` in /proc/PID/stat, but read from the process's CPU clock
 * (clock_getcpuclockid), which counts nanoseconds; the file counts steps of 10 ms.
 *
 * @param pid 0 means this process
 * @returns nothing if there is no such process
 */
std::optional<Nanoseconds> cpuOf(std::uint64_t pid);

/** Returns the CPU time of the calling thread since it started. */
Nanoseconds threadCpu();

/**
 * Returns the time for which the threads of a process were ready to run but had no core. This is
 * the second number of /proc/PID/task/TID/schedstat, summed over the threads that still run.
 *
 * @returns nothing if there is no such process or the kernel does not count this
 */
std::optional<Nanoseconds> waitOf(std::uint64_t pid);

/**
 * Returns the memory of a process in bytes: RssAnon + RssShmem of /proc/PID/status. That includes
 * heaps and shared buffers, but not code, mapped files or the kernel's socket buffers.
 *
 * @returns nothing if there is no such process
 */
std::optional<std::uint64_t> memoryOf(std::uint64_t pid);

/** Returns RssAnon + RssShmem in bytes from the text of /proc/PID/status. */
std::optional<std::uint64_t> memoryIn(std::string_view status);

}  // namespace bench
