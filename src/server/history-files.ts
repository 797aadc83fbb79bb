/**
 * The files that histories are saved to: takes those that an earlier process saved, and creates
 * those that this one will write.
 *
 *   PATH.0        saved by the keeper with index 0; there is one for each keeper
 *   PATH.0.part   empty until the server stops; then written, and renamed to PATH.0
 *
 * A saved file is removed before anything is restored from it, and so before another message is
 * numbered. If this process ends without saving, what it numbered is unknown to the next one, which
 * must not go on with the same epochs.
 *
 * A file at one of these paths that does not begin like a file of histories belongs to somebody else. It is left as it
 * is, and this server saves nothing.
 *
 * Two processes with one path: a file is taken by renaming it, so only one of them restores it. The one
 * that started last has created the `.part` files, and only it can save (`shard/keeper-files`).
 *
 * Runs on: main, before the keepers start.
 * Owns:    the descriptors, which it gives to the keepers.
 * Full:    if a file cannot be created or taken, nothing is saved or restored, and a line is logged. If a
 *          thread is terminated while it writes, its part stays, and the next start removes it.
 */

import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, lstatSync, openSync, readSync, renameSync, rmSync } from "node:fs";
import { dirname, resolve } from "node:path";

import { invalidOption } from "../definition-checks.ts";
import { MAGIC } from "../history/history-file.ts";
import type { Logger } from "../log/logger.ts";
import { NO_FILE, OPTIONS, type ResolvedOptions } from "../options/options.ts";
import type { KeeperFiles, OpenHistoryFile } from "../shard/control.ts";

/** Only the owner may read what clients have sent. */
const MODE = 0o600;
/** An earlier process may have had as many keepers. */
const MAX_KEEPERS = OPTIONS.historyThreads.max;

/** The opened files of a node's keepers. */
export class HistoryFiles {
  readonly #saved: OpenHistoryFile[];
  readonly #parts: OpenHistoryFile[];
  readonly #path: string;

  private constructor(path: string, saved: OpenHistoryFile[], parts: OpenHistoryFile[]) {
    this.#path = path;
    this.#saved = saved;
    this.#parts = parts;
  }

  /** Takes and creates files. @returns undefined if histories are not saved, or cannot be */
  static open(
    { historyFile, historyThreads }: ResolvedOptions,
    logger: Logger,
  ): HistoryFiles | undefined {
    if (historyFile === NO_FILE) return undefined;
    const path = resolve(historyFile);
    const parts: OpenHistoryFile[] = [];
    const saved: OpenHistoryFile[] = [];
    // Those of all keepers, since an earlier process may have had more of them.
    const paths = Array.from({ length: MAX_KEEPERS }, (_, at) => `${path}.${at}`);
    try {
      for (const one of paths) {
        checkOwn(one);
        checkOwn(partOf(one));
      }
      for (const one of paths) rmSync(partOf(one), { force: true });
      for (const one of paths.slice(0, historyThreads)) parts.push(create(partOf(one)));
      for (const one of paths) {
        const file = take(one, logger);
        if (file) saved.push(file);
      }
      syncDirectory(dirname(path));
    } catch (error) {
      for (const file of [...parts, ...saved]) closeSync(file.descriptor);
      logger.log("historyUnsaveable", { path, err: error });
      return undefined;
    }
    if (saved.length === 0 && historyThreads > 0) logger.log("historyNotFound", { path });
    return new HistoryFiles(path, saved, parts);
  }

  /**
   * Returns the files of a keeper.
   *
   * @param at - its index
   * @param isReplacement - whether it replaces another one, and so must not restore anything
   */
  of(at: number, isReplacement: boolean): KeeperFiles {
    return {
      saved: isReplacement ? [] : [...this.#saved],
      isFirst: at === 0,
      part: this.#parts[at] as OpenHistoryFile,
      path: `${this.#path}.${at}`,
    };
  }

  /** Closes the saved files, when all keepers have restored what is theirs. */
  closeSaved(): void {
    for (const { descriptor } of this.#saved.splice(0)) closeSync(descriptor);
  }

  /** Closes all files, when the threads of all keepers have ended. */
  close(): void {
    this.closeSaved();
    for (const { descriptor } of this.#parts.splice(0)) closeSync(descriptor);
  }
}

/** Returns where a file is written before it gets its name. */
function partOf(path: string): string {
  return `${path}.part`;
}

/** @throws if there is something that is not a file of histories, nor the beginning of one */
function checkOwn(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (!stats || (stats.isFile() && hasOwnBeginning(path))) return;
  throw invalidOption(
    `historyFile must be a path of its own, got one at which ${path} is another file`,
  );
}

function hasOwnBeginning(path: string): boolean {
  const beginning = Buffer.alloc(MAGIC.length);
  const descriptor = openSync(path, "r");
  try {
    const length = readSync(descriptor, beginning);
    return MAGIC.startsWith(beginning.toString("latin1", 0, length));
  } finally {
    closeSync(descriptor);
  }
}

/** Creates an empty file that did not exist. */
function create(path: string): OpenHistoryFile {
  return { path, descriptor: openSync(path, "wx", MODE) };
}

/**
 * Takes a file: nobody can open it afterwards.
 *
 * @returns undefined if there is none, or it cannot be read
 */
function take(path: string, logger: Logger): OpenHistoryFile | undefined {
  const taken = `${path}.${randomUUID()}`;
  if (!isRenamed(path, taken)) return undefined;
  try {
    return { path, descriptor: openSync(taken, "r") };
  } catch (error) {
    logger.log("historyNotRestored", { path, err: error });
    return undefined;
  } finally {
    rmSync(taken);
  }
}

/** Renames a file. @returns false if there is none */
function isRenamed(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** Makes removed files stay removed if the machine fails. Not all systems can open directories. */
function syncDirectory(path: string): void {
  try {
    const descriptor = openSync(path, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // It is as safe as the system can make it.
  }
}
