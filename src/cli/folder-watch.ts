/**
 * Watches files for changes, regardless of how an editor writes them.
 *
 * Watches folders rather than files, because a file's watcher stops working when another file is
 * renamed over it. If a folder does not exist yet, its nearest existing parent is watched.
 *
 * Runs on: main.
 * Owns: its watchers, which keep the process alive until `close`.
 */

import { existsSync, watch, type FSWatcher } from "node:fs";
import { basename, dirname, join, sep } from "node:path";

/** Errors of `watch` for a folder that does not exist or is no longer a folder. */
const GONE: ReadonlySet<unknown> = new Set(["ENOENT", "ENOTDIR"]);

/** Watches the folders of files. */
export class FolderWatch {
  readonly #onEvent: () => void;
  #files: readonly string[] = [];
  #watchers: FSWatcher[] = [];

  /** @param onEvent - called when a file may have changed */
  constructor(onEvent: () => void) {
    this.#onEvent = onEvent;
  }

  /** Watches these files instead of the previous ones. */
  watch(files: readonly string[]): void {
    const old = this.#watchers;
    this.#files = files;
    const folders = new Set(files.map((file) => existingFolder(dirname(file))));
    // Replace all watchers, because the old watcher of a folder that was replaced reports nothing.
    this.#watchers = [...folders].map((folder) => this.#watchFolder(folder));
    for (const watcher of old) watcher.close();
    // A folder may have been created or removed before its parent was watched.
    if (files.some((file) => !folders.has(existingFolder(dirname(file))))) this.#onEvent();
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }

  #watchFolder(folder: string): FSWatcher {
    const watcher = this.#startWatcher(folder);
    // On Windows, removing the folder is reported as an error.
    watcher.on("error", () => this.#onEvent());
    return watcher;
  }

  #startWatcher(given: string): FSWatcher {
    // The folder may have been removed since it was checked. If so, watch its parent.
    for (let folder = given; ; folder = existingFolder(dirname(folder))) {
      try {
        return watch(folder, (_kind, name) => {
          if (name === null || this.#concerns(folder, name)) this.#onEvent();
        });
      } catch (error) {
        if (!isGone(error) || dirname(folder) === folder) throw error;
        // The folder may already have been created again.
        this.#onEvent();
      }
    }
  }

  #concerns(folder: string, name: string): boolean {
    // The folder itself was removed or replaced.
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
