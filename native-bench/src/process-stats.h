// CPU and memory of a process, as the kernel counts them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "clock.h"

namespace bench {

/**
 * CPU time of a process since it began, user and system, all threads, ended ones too.
 *
 * The sum of `utime` and `stime` in /proc/PID/stat, read through the process's CPU clock
 * (clock_getcpuclockid), which counts nanoseconds where the file counts steps of 10 ms.
 *
 * @param pid 0 means this process
 * @returns nothing where there is no such process
 */
std::optional<Nanoseconds> cpuOf(std::uint64_t pid);

/** CPU time of the calling thread since it began. */
Nanoseconds threadCpu();

/**
 * Time that the threads of a process were ready to run and had no core: the second number of
 * /proc/PID/task/TID/schedstat, summed over the threads that live.
 *
 * @returns nothing where there is no such process, or the kernel does not count this
 */
std::optional<Nanoseconds> waitOf(std::uint64_t pid);

/**
 * Memory of a process in bytes: RssAnon and RssShmem of /proc/PID/status. Heaps and shared
 * buffers count; code and mapped files do not, nor do the kernel's socket buffers.
 *
 * @returns nothing where there is no such process
 */
std::optional<std::uint64_t> memoryOf(std::uint64_t pid);

/** RssAnon + RssShmem in bytes, out of the text of /proc/PID/status. */
std::optional<std::uint64_t> memoryIn(std::string_view status);

}  // namespace bench
