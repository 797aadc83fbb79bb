/**
 * Tells that something happened to files, wherever and however an editor writes them.
 *
 * Their folders are watched: what watches a file loses it when another is renamed into its place.
 * A folder that is not there yet is awaited in the nearest one above it.
 *
 * Runs on: main.
 * Owns: its watchers, which keep the process alive until `close`.
 */

import { existsSync, watch, type FSWatcher } from "node:fs";
import { basename, dirname, join, sep } from "node:path";

/** What `watch` throws for a folder that is not there, or is a file by now. */
const GONE: ReadonlySet<unknown> = new Set(["ENOENT", "ENOTDIR"]);

/** Watches the folders of files. */
export class FolderWatch {
  readonly #onEvent: () => void;
  #files: readonly string[] = [];
  #watchers: FSWatcher[] = [];

  /** @param onEvent - called when a file may have changed; it need not have */
  constructor(onEvent: () => void) {
    this.#onEvent = onEvent;
  }

  /** Watches these files from now on, and no others. */
  watch(files: readonly string[]): void {
    const old = this.#watchers;
    this.#files = files;
    const folders = new Set(files.map((file) => existingFolder(dirname(file))));
    // All anew: of a folder that was replaced by another of its name, nothing would be heard.
    this.#watchers = [...folders].map((folder) => this.#watchFolder(folder));
    for (const watcher of old) watcher.close();
    // A folder that has come, or gone, before what would tell of it was watched.
    if (files.some((file) => !folders.has(existingFolder(dirname(file))))) this.#onEvent();
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }

  #watchFolder(folder: string): FSWatcher {
    const watcher = this.#begun(folder);
    // Windows says so where the folder is removed.
    watcher.on("error", () => this.#onEvent());
    return watcher;
  }

  #begun(given: string): FSWatcher {
    // It may go between the look and this: then what is above it is watched.
    for (let folder = given; ; folder = existingFolder(dirname(folder))) {
      try {
        return watch(folder, (_kind, name) => {
          if (name === null || this.#concerns(folder, name)) this.#onEvent();
        });
      } catch (error) {
        if (!isGone(error) || dirname(folder) === folder) throw error;
        // It may be back already.
        this.#onEvent();
      }
    }
  }

  #concerns(folder: string, name: string): boolean {
    // The folder itself is gone, or another is.
    if (name === basename(folder)) return true;
    const path = join(folder, name);
    return this.#files.some((file) => file === path || file.startsWith(path + sep));
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && GONE.has(error.code);
}

function existingFolder(folder: string): string {
  let at = folder;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}
