/**
 * Tells which files of an app were saved.
 *
 * An event of the file system only says when to look. What counts is whether the files are others
 * than those told of last: so nothing that is saved while the shards restart is lost, and nothing is
 * told twice, or because a file was touched.
 *
 * Runs on: main.
 */

import { FolderWatch } from "./folder-watch.ts";
import { changedFiles, readImportGraph, type ImportGraph } from "./import-graph.ts";

/** Editors write in several steps, and a checkout writes many files: after the last, we look. */
const QUIET_MS = 50;

/** Watches the files of an app. */
export class AppWatch {
  readonly #app: string;
  readonly #folders = new FolderWatch(() => this.#noticed());
  #told: ImportGraph;
  #timer: NodeJS.Timeout | undefined;
  #resolve: ((files: string[]) => void) | undefined;
  #isClosed = false;

  /** @param app - path of its module */
  constructor(app: string) {
    this.#app = app;
    this.#told = readImportGraph(app);
    this.#folders.watch([...this.#told.keys()]);
    // What was written between the two.
    this.#noticed();
  }

  /** The files, as it told of them last. */
  get files(): string[] {
    return [...this.#told.keys()];
  }

  /** True while somebody waits for a change. */
  get isAwaited(): boolean {
    return this.#resolve !== undefined;
  }

  /**
   * Resolves with the files that were saved since it last did; with none once it is closed. One
   * call at a time.
   */
  async changed(): Promise<string[]> {
    if (this.#isClosed) return [];
    const changed = new Promise<string[]>((resolve) => {
      this.#resolve = resolve;
    });
    this.#noticed();
    return changed;
  }

  /** Watches no more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#folders.close();
    this.#resolve?.([]);
    this.#resolve = undefined;
  }

  #noticed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), QUIET_MS);
  }

  #look(): void {
    // In this order: what is written meanwhile is an event of the new watchers.
    this.#folders.watch([...readImportGraph(this.#app).keys()]);
    const now = readImportGraph(this.#app);
    const files = changedFiles(this.#told, now);
    const tell = this.#resolve;
    if (!tell || files.length === 0) return;
    this.#told = now;
    this.#resolve = undefined;
    tell(files);
  }
}
