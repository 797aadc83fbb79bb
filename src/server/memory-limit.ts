/**
 * The memory available to this process: the limit of its container, or else that of the machine.
 *
 * `process.constrainedMemory` is not used: it looks at the process's own control group only, although a limit of a
 * group above it (a slice of systemd) applies as well, and in version 1 it takes a reservation for a limit.
 *
 * Runs on: main, before any shard starts.
 */

import { totalmem } from "node:os";
import { join } from "node:path/posix";

import {
  readSystemFile,
  smallestLimit,
  type GroupFolder,
  type ReadFile,
} from "./control-groups.ts";

/** Files with a limit (bytes), by version. Above `memory.high`, a process is slowed down until it waits most of the time. */
const LIMIT_FILES = { 1: ["memory.limit_in_bytes"], 2: ["memory.max", "memory.high"] } as const;

/** The operating system, or its replacement in tests. */
export interface MemorySource {
  /** Memory of the machine (bytes). */
  readonly total: () => number;
  readonly readFile: ReadFile;
}

const SYSTEM: MemorySource = { total: totalmem, readFile: readSystemFile };

/** Returns the memory available to this process (bytes). */
export function availableMemory({ total, readFile }: MemorySource = SYSTEM): number {
  const limit = smallestLimit("memory", readFile, (folder) => limitIn(folder, readFile));
  return Math.min(limit, total());
}

/** Reads the limit of a group (bytes). `max` is unlimited, and so is a number above the machine's memory. */
function limitIn({ version, path }: GroupFolder, readFile: ReadFile): number {
  const limits = LIMIT_FILES[version].map((file) => Number(readFile(join(path, file))));
  return Math.min(...limits.map((limit) => (limit > 0 ? limit : Infinity)));
}
