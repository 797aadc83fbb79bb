/**
 * How overloaded a shard is, and every step between the levels.
 *
 *            rise               rise
 *   normal --------> refusing --------> withdrawn
 *          <--------          <--------
 *            fall               fall
 *
 *   normal     everything is taken
 *   refusing   joins are answered with error `overloaded`
 *   withdrawn  and new connections are dealt to other shards; where all are withdrawn, main
 *              answers them with 503
 *
 * What is looked at are the loop's lag and the heap, each as a share of its threshold; the larger
 * share counts. It rises to `refusing` at 1, to `withdrawn` at a second share of its own, when two
 * looks in a row find that: one callback that held the loop once is no overload. It falls when
 * ten looks in a row find less than three quarters of what it took to rise.
 *
 * Runs on: shard. No clock and no timer of its own: whoever measures calls `look`.
 */

/** Level of overload. */
export type OverloadLevel = "normal" | "refusing" | "withdrawn";
/** A step between two levels. */
export type OverloadStep = "rise" | "fall";

const STEPS: Record<OverloadLevel, Partial<Record<OverloadStep, OverloadLevel>>> = {
  normal: { rise: "refusing" },
  refusing: { rise: "withdrawn", fall: "normal" },
  withdrawn: { fall: "refusing" },
};

/** Levels by their number, as the counter has it. */
export const OVERLOAD_LEVELS: readonly OverloadLevel[] = ["normal", "refusing", "withdrawn"];

/** Gives the level after a step, or undefined where that step cannot happen. */
export function nextLevel(level: OverloadLevel, step: OverloadStep): OverloadLevel | undefined {
  return STEPS[level][step];
}

/** What a shard's overload is measured by. */
export interface OverloadLimits {
  readonly overloadLagMs: number;
  readonly overloadHeapBytes: number;
  /** Second threshold, in percent of the first. */
  readonly withdrawPercent: number;
}

/** What a look found. */
export interface OverloadMeasures {
  readonly lagMs: number;
  readonly heapBytes: number;
}

/** Is told of each step. */
export type OverloadHandler = (
  step: OverloadStep,
  from: OverloadLevel,
  to: OverloadLevel,
  measures: OverloadMeasures,
) => void;

const LOOKS_TO_RISE = 2;
const LOOKS_TO_FALL = 10;
const FALL_SHARE = 0.75;

/** The overload of one shard. */
export class Overload {
  readonly #limits: OverloadLimits;
  readonly #onStep: OverloadHandler;
  #level: OverloadLevel = "normal";
  /** Looks in a row that asked for a rise, and for a fall. */
  #high = 0;
  #low = 0;

  constructor(limits: OverloadLimits, onStep: OverloadHandler) {
    this.#limits = limits;
    this.#onStep = onStep;
  }

  get level(): OverloadLevel {
    return this.#level;
  }

  /** Takes what was measured; at most one step follows. */
  look(measures: OverloadMeasures): void {
    const { overloadLagMs, overloadHeapBytes } = this.#limits;
    const share = Math.max(measures.lagMs / overloadLagMs, measures.heapBytes / overloadHeapBytes);
    const isHigh = share >= this.#shareOf(nextLevel(this.#level, "rise"));
    const isLow = this.#level !== "normal" && share < this.#shareOf(this.#level) * FALL_SHARE;
    this.#high = isHigh ? this.#high + 1 : 0;
    this.#low = isLow ? this.#low + 1 : 0;
    if (this.#high >= LOOKS_TO_RISE) this.#step("rise", measures);
    else if (this.#low >= LOOKS_TO_FALL) this.#step("fall", measures);
  }

  /** Share of the thresholds at which a level begins. */
  #shareOf(level: OverloadLevel | undefined): number {
    if (level === "refusing") return 1;
    return level === "withdrawn" ? this.#limits.withdrawPercent / 100 : Infinity;
  }

  #step(step: OverloadStep, measures: OverloadMeasures): void {
    const from = this.#level;
    const to = nextLevel(from, step);
    if (to === undefined) return;
    this.#high = 0;
    this.#low = 0;
    this.#level = to;
    this.#onStep(step, from, to, measures);
  }
}
