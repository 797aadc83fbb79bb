/**
 * Shows the progress of a run on a terminal: a bar, and the figures of the last interval.
 *
 * Runs on: the load test's process. Only `ProgressView` writes; everything else is pure.
 */

import { drawBar } from "../bench/time-left.ts";
import { formatBytes, formatCount, formatMs, formatRate, formatShare } from "./charts/formats.ts";
import type { Interval } from "./record.ts";
import { sumOf } from "./thread-names.ts";

/** The length of a run, as far as it is known in advance. */
export interface RunPlan {
  /** Undefined if the scenario determines the length. */
  readonly seconds: number | undefined;
}

const PHASE_WORDS: Readonly<Record<Interval["phase"], string>> = {
  open: "connecting",
  settle: "resting",
  warmup: "warming up",
  measure: "measuring",
  collect: "collecting",
  close: "closing",
};

/**
 * Describes the progress of a run.
 *
 * @param measured - seconds of the window so far
 */
export function describeProgress(
  interval: Interval,
  measured: number,
  { seconds }: RunPlan,
): string {
  const { phase, joined } = interval;
  const word = PHASE_WORDS[phase].padEnd(10);
  if (phase === "open") return `${word}  ${formatCount(joined)} joined`;
  if (phase === "settle" || phase === "warmup") return `${word}  ${drawBar(0)}`;
  if (seconds === undefined) return `${word}  ${Math.floor(measured)} s`;
  const isOver = phase === "collect" || phase === "close";
  const share = isOver ? 1 : measured / seconds;
  const left = Math.max(0, Math.ceil(seconds - measured));
  const rest = isOver || left === 0 ? "" : `  ${left} s left`;
  return `${word}  ${drawBar(share)} ${Math.min(100, Math.round(share * 100))} %${rest}`;
}

/** Describes the figures of an interval. */
export function describeFigures(interval: Interval): string {
  const { lengthSeconds, sent, received, latencyUs, server } = interval;
  const perSecond = (count: number): string =>
    formatRate(lengthSeconds > 0 ? count / lengthSeconds : 0);
  const parts = [`sent ${perSecond(sent)}`, `received ${perSecond(received)}`];
  if (latencyUs !== null) {
    parts.push(`p50 ${formatMs(latencyUs.p50 / 1_000)}`, `p99 ${formatMs(latencyUs.p99 / 1_000)}`);
  }
  if (server !== null) {
    const shards = Object.entries(server.cpu).filter(([name]) => name.startsWith("shard "));
    const shares = shards.length > 0 ? shards.map(([, share]) => share) : [sumOf(server.cpu)];
    parts.push(`CPU ${shares.map((share) => formatShare(share)).join(" + ")}`);
    if (server.memoryBytes !== null) parts.push(formatBytes(server.memoryBytes));
  }
  return parts.join("  ");
}

function measuredIn({ phase, lengthSeconds }: Interval): number {
  return phase === "measure" ? lengthSeconds : 0;
}

/** The output. Lines on a terminal are overwritten; other outputs receive new lines. */
interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Interval between lines if the output is not a terminal. */
const LINE_EVERY_SECONDS = 5;
const UP_TWO_LINES = "\u001b[2A";
const CLEAR_LINE = "\u001b[2K\r";

/** Shows the progress of a run. */
export class ProgressView {
  readonly #output: Output;
  readonly #plan: RunPlan;
  #measured = 0;
  #isDrawn = false;
  #lastLine: { readonly seconds: number; readonly phase: Interval["phase"] } | undefined =
    undefined;

  constructor(output: Output, plan: RunPlan) {
    this.#output = output;
    this.#plan = plan;
  }

  /** Shows an interval that has just ended. */
  show(interval: Interval): void {
    // In a search, each rate has its own window.
    this.#measured = interval.phase === "warmup" ? 0 : this.#measured + measuredIn(interval);
    const progress = describeProgress(interval, this.#measured, this.#plan);
    const figures = describeFigures(interval);
    if (this.#output.isTTY === true) {
      // Some terminals report a width of 0.
      const width = (this.#output.columns || 80) - 1;
      const lines = [progress, figures].map((line) => `${CLEAR_LINE}${line.slice(0, width)}\n`);
      this.#output.write(`${this.#isDrawn ? UP_TWO_LINES : ""}${lines.join("")}`);
      this.#isDrawn = true;
      return;
    }
    if (!this.#isDue(interval)) return;
    this.#lastLine = interval;
    this.#output.write(`${progress}  ${figures}\n`);
  }

  #isDue({ seconds, phase }: Interval): boolean {
    const last = this.#lastLine;
    return (
      last === undefined || phase !== last.phase || seconds - last.seconds >= LINE_EVERY_SECONDS
    );
  }
}
