/**
 * Reports which files of an app were saved.
 *
 * File system events only trigger a check. The check compares the contents of the files with their
 * contents at the last report. A save during a restart is therefore not missed, and a file that was
 * only touched is not reported.
 *
 * Runs on: main.
 */

import { FolderWatch } from "./folder-watch.ts";
import { changedFiles, readImportGraph, type ImportGraph } from "./import-graph.ts";

/**
 * Delay between the last event and the check, because editors write in steps and a checkout writes
 * many files.
 */
const QUIET_MS = 50;

/** Watches the files of an app. */
export class AppWatch {
  readonly #app: string;
  readonly #folders = new FolderWatch(() => this.#noticed());
  #reported: ImportGraph;
  #timer: NodeJS.Timeout | undefined;
  #resolve: ((files: string[]) => void) | undefined;
  #isClosed = false;

  /** @param app - path of the app module */
  constructor(app: string) {
    this.#app = app;
    this.#reported = readImportGraph(app);
    this.#folders.watch([...this.#reported.keys()]);
    // A file may have been written between these two steps.
    this.#noticed();
  }

  /** The app's files as of the last report. */
  get files(): string[] {
    return [...this.#reported.keys()];
  }

  /** Whether a call to `changed` is pending. */
  get isAwaited(): boolean {
    return this.#resolve !== undefined;
  }

  /**
   * Resolves with the files that were saved since the last report, or with an empty list after
   * `close`. Only one call may be pending.
   */
  async changed(): Promise<string[]> {
    if (this.#isClosed) return [];
    const changed = new Promise<string[]>((resolve) => {
      this.#resolve = resolve;
    });
    this.#noticed();
    return changed;
  }

  /** Stops watching. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#folders.close();
    this.#resolve?.([]);
    this.#resolve = undefined;
  }

  #noticed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(), QUIET_MS);
  }

  #check(): void {
    // Watch first and read afterwards, so that a write in between triggers the new watchers.
    this.#folders.watch([...readImportGraph(this.#app).keys()]);
    const now = readImportGraph(this.#app);
    const files = changedFiles(this.#reported, now);
    const resolve = this.#resolve;
    if (!resolve || files.length === 0) return;
    this.#reported = now;
    this.#resolve = undefined;
    resolve(files);
  }
}
