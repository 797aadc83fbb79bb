/**
 * Shows the progress of a test run: on a terminal, one line that is rewritten; otherwise, a new
 * line at regular intervals.
 *
 * Runs on: the runner's process.
 */

import type { TestEvent } from "node:test/reporters";

import { sourceOf } from "./test-failures.ts";
import type { TestTimes } from "./test-plan.ts";

/** Interval between lines if the output is not a terminal. */
const LINE_INTERVAL_MS = 10_000;
const TERMINAL_INTERVAL_MS = 200;
const CLEAR_LINE = "\r\u001B[K";

/** The destination of the progress: stdout, or a replacement in tests. */
export interface ProgressSink {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

/** Shows the progress of a run from its first event until `end`. */
export class TestProgress {
  /** The time that each finished file took, in milliseconds. */
  readonly times: TestTimes;
  readonly #times = new Map<string, number>();
  readonly #sink: ProgressSink;
  readonly #total: number;
  readonly #running = new Map<string, number>();
  readonly #startMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  #tests = 0;
  #failed = 0;

  /** @param total - number of files */
  constructor(sink: ProgressSink, total: number) {
    this.times = this.#times;
    this.#sink = sink;
    this.#total = total;
    const intervalMs = sink.isTTY ? TERMINAL_INTERVAL_MS : LINE_INTERVAL_MS;
    this.#timer = setInterval(() => this.#show(), intervalMs);
  }

  /** Adds an event of the runner. */
  add({ type, data }: TestEvent): void {
    if (type === "test:pass" || type === "test:fail") this.#count(type, data.details.type);
    if (type !== "test:dequeue" && type !== "test:complete") return;
    if (data.nesting !== 0 || data.file === undefined) return;
    const path = sourceOf(data.file);
    const isFile = sourceOf(data.name) === path;
    if (type === "test:dequeue") {
      if (isFile) this.#running.set(path, performance.now());
    } else if (isFile) this.#finish(path, data.details.passed);
  }

  /** Stops showing progress. */
  end(): void {
    clearInterval(this.#timer);
    if (this.#sink.isTTY) this.#sink.write(CLEAR_LINE);
  }

  #count(type: "test:pass" | "test:fail", kind: string | undefined): void {
    if (kind === "suite") return;
    this.#tests += 1;
    if (type === "test:fail") this.#failed += 1;
  }

  #finish(path: string, hasPassed: boolean): void {
    const startMs = this.#running.get(path);
    this.#running.delete(path);
    if (startMs !== undefined) this.#times.set(path, performance.now() - startMs);
    if (hasPassed) return;
    this.#sink.write(`${this.#sink.isTTY ? CLEAR_LINE : ""}✖ ${path}\n`);
  }

  #show(): void {
    const seconds = Math.round((performance.now() - this.#startMs) / 1_000);
    const now = [...this.#running.keys()].map((path) => path.replace(/^test\//, "")).join(", ");
    const failed = this.#failed === 0 ? "" : `, ${this.#failed} failed`;
    const text = `${seconds} s: ${this.#times.size} of ${this.#total} files, ${this.#tests} tests${failed}; now ${now}`;
    const columns = process.stdout.columns ?? 80;
    this.#sink.write(this.#sink.isTTY ? CLEAR_LINE + text.slice(0, columns - 1) : `${text}\n`);
  }
}
