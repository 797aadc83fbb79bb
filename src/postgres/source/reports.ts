/**
 * What a source reports: its figures, and its errors.
 *
 * Runs on: shard; one for each source.
 * Full:    without `onError`, at most LINES_PER_SECOND lines are written to the log; further ones are counted, and
 *          the number is written later.
 */

import { asError, messageOf } from "../../error-report.ts";
import { Throttle } from "../../log/throttle.ts";
import type { Change } from "./change.ts";
import type { SourceSettings } from "./options.ts";

/** The figures of a source, as its transport measures them. */
export type SourceFigure = "changes" | "errors" | "isLeader" | "lagBytes" | "lagMs" | "messages";

/** Takes a figure: `host.measure`. */
export type TakeFigure = (name: SourceFigure, value: number) => void;

/** Writes an error to the log: `host.log.error`. */
export type WriteError = (fields: object, text: string) => void;

const LINES_PER_SECOND = 10;
const MEASURE_MS = 1_000;

/** The figures and errors of a source. */
export class SourceReports {
  readonly #settings: SourceSettings;
  readonly #throttle: Throttle;
  readonly #take: TakeFigure;
  readonly #write: WriteError;
  readonly #figures: Record<SourceFigure, number> = {
    changes: 0,
    errors: 0,
    isLeader: 0,
    lagBytes: 0,
    lagMs: 0,
    messages: 0,
  };
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(settings: SourceSettings, take: TakeFigure, write: WriteError) {
    this.#settings = settings;
    this.#take = take;
    this.#write = write;
    this.#throttle = new Throttle(
      { linesPerSecond: LINES_PER_SECOND, linesPerConnection: LINES_PER_SECOND },
      (count) => this.#write({ count }, "further errors of a source, not shown"),
    );
  }

  /** The current figures. */
  get figures(): Readonly<Record<SourceFigure, number>> {
    return this.#figures;
  }

  /** Passes the figures on each second. */
  start(): void {
    this.#timer = setInterval(() => this.#measure(), MEASURE_MS).unref();
    this.#measure();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#figures.isLeader = 0;
    this.#figures.lagBytes = 0;
    this.#figures.lagMs = 0;
    this.#measure();
    this.#throttle.report();
  }

  add(name: "changes" | "messages", count: number): void {
    this.#figures[name] += count;
  }

  set(name: "isLeader" | "lagBytes" | "lagMs", value: number): void {
    this.#figures[name] = value;
  }

  /** Counts an error, and passes it on or writes it to the log. */
  error(thrown: unknown, change?: Change): void {
    this.#figures.errors += 1;
    const { onError } = this.#settings;
    if (onError === undefined) {
      this.#writeError(thrown);
      return;
    }
    try {
      onError(asError(thrown), change);
    } catch (error) {
      this.#writeError(error);
    }
  }

  #writeError(thrown: unknown): void {
    const error = asError(thrown);
    const code = "code" in error ? String(error.code) : "";
    if (!this.#throttle.takes(code, undefined, performance.now())) return;
    this.#write({ err: error }, messageOf(error));
  }

  #measure(): void {
    for (const name of Object.keys(this.#figures) as SourceFigure[]) {
      this.#take(name, this.#figures[name]);
    }
  }
}
