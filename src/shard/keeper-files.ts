/**
 * Restores a keeper's histories from files of an earlier process, and saves them to a file of its own.
 *
 * Main has taken the saved files and created the empty one (`server/history-files`). Nothing here
 * throws: whatever is wrong with a file is a line in the log, and the topics begin new epochs.
 *
 * Runs on: keeper; before its first record, and after its last.
 * Order:   a file gets its name when all of it is on the disk.
 * Full:    what cannot be restored or saved in time is given up.
 */

import { fstatSync, fsyncSync, ftruncateSync, lstatSync, renameSync, rmSync } from "node:fs";

import { hasCode } from "../errors.ts";
import { HistoryFileReader, HistoryFileWriter } from "../history/history-file.ts";
import {
  restoreHistories,
  saveHistories,
  type Histories,
  type Restoring,
} from "../history/saved-histories.ts";
import type { Logger } from "../log/logger.ts";
import type { KeeperFiles, OpenHistoryFile } from "./control.ts";

/** How files are restored. */
export interface FilesRestoring extends Restoring {
  /** Makes empty histories. */
  readonly make: () => Histories;
  /** Time for all files (ms). */
  readonly limitMs: number;
  readonly logger: Logger;
}

/** Restores what this keeper keeps from all saved files. */
export function restoreFiles(
  { saved, isFirst }: KeeperFiles,
  restoring: FilesRestoring,
): Histories {
  const { make, limitMs, logger } = restoring;
  const histories = make();
  if (saved.length === 0) return histories;
  const startedMs = performance.now();
  const checkTime = timeLimit(limitMs);
  for (const { descriptor, path } of saved) {
    try {
      const reader = new HistoryFileReader(descriptor, checkTime);
      const reason = reader.check();
      if (reason === undefined) restoreHistories(histories, reader, restoring);
      else if (isFirst) logger.log("historyNotRestored", { path, reason });
    } catch (error) {
      logger.log("historyNotRestored", { path, err: error });
      // Nothing can be said about what was restored so far.
      if (hasCode(error, "SIM_ERR_INTERNAL")) return make();
    }
  }
  const { topics, messages } = histories.store;
  const durationMs = Math.round(performance.now() - startedMs);
  logger.log("historyRestored", { topics, messages, durationMs });
  return histories;
}

/**
 * Saves histories to a keeper's file.
 *
 * @param limitMs - time for that (ms)
 */
export function saveFile(
  { part, path }: KeeperFiles,
  histories: Histories,
  limitMs: number,
  logger: Logger,
): void {
  const startedMs = performance.now();
  const { descriptor } = part;
  try {
    checkOwn(part);
    ftruncateSync(descriptor);
    const writer = new HistoryFileWriter(descriptor, timeLimit(limitMs));
    saveHistories(histories, writer, Date.now());
    const bytes = writer.end();
    fsyncSync(descriptor);
    checkOwn(part);
    renameSync(part.path, path);
    const { topics, messages } = histories.store;
    const durationMs = Math.round(performance.now() - startedMs);
    logger.log("historySaved", { path, topics, messages, bytes, durationMs });
  } catch (error) {
    logger.log("historyNotSaved", { path, err: error });
    removeOwn(part);
  }
}

/** @throws if another process has replaced the file when it started: it goes on with this path */
function checkOwn(part: OpenHistoryFile): void {
  if (!isOwn(part)) throw new Error("the process that uses this path must be the last to start");
}

function isOwn({ path, descriptor }: OpenHistoryFile): boolean {
  const there = lstatSync(path, { throwIfNoEntry: false, bigint: true });
  const own = fstatSync(descriptor, { bigint: true });
  return there?.ino === own.ino && there.dev === own.dev;
}

function removeOwn(part: OpenHistoryFile): void {
  try {
    if (isOwn(part)) rmSync(part.path);
  } catch {
    // The next start removes it.
  }
}

/** Returns a function that throws when time is up. */
function timeLimit(limitMs: number): () => void {
  const deadlineMs = performance.now() + limitMs;
  return () => {
    if (performance.now() < deadlineMs) return;
    throw new Error(`it must be done within ${Math.round(limitMs)} (ms)`);
  };
}
