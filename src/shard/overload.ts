/**
 * The overload levels of a shard, and all transitions between them.
 *
 *            rise               rise
 *   normal --------> refusing --------> withdrawn
 *          <--------          <--------
 *            fall               fall
 *
 *   normal     serves everything
 *   refusing   answers joins, and messages of more than 4 KiB, with error `overloaded`
 *   withdrawn  in addition, receives no new connections; if all shards are withdrawn, main answers
 *              new connections with 503
 *
 * The load is the largest of three ratios, each of a measure and its threshold: the event loop's lag, the
 * memory of this thread (heap and buffers outside of it), and the resident memory of the process. The
 * level rises to `refusing` at 1, and to `withdrawn` at `withdrawPercent`, if two consecutive samples
 * reach that value, because a single slow callback is not an overload. The level falls if ten
 * consecutive samples are below three quarters of the value at which it rose.
 *
 * Runs on: shard. Has no clock or timer; the caller of `update` takes the samples.
 */

/** A level of overload. */
export type OverloadLevel = "normal" | "refusing" | "withdrawn";
/** A step between two levels. */
export type OverloadStep = "rise" | "fall";

const STEPS: Record<OverloadLevel, Partial<Record<OverloadStep, OverloadLevel>>> = {
  normal: { rise: "refusing" },
  refusing: { rise: "withdrawn", fall: "normal" },
  withdrawn: { fall: "refusing" },
};

/** The levels; a level's index is the value of the counter. */
export const OVERLOAD_LEVELS: readonly OverloadLevel[] = ["normal", "refusing", "withdrawn"];

/** Returns the level after a step, or undefined if that step is impossible. */
export function nextLevel(level: OverloadLevel, step: OverloadStep): OverloadLevel | undefined {
  return STEPS[level][step];
}

/** The thresholds of overload. */
export interface OverloadLimits {
  readonly overloadLagMs: number;
  readonly overloadHeapBytes: number;
  readonly maxResidentBytes: number;
  /** The threshold for `withdrawn`, as a percentage of the threshold for `refusing`. */
  readonly withdrawPercent: number;
}

/** A sample of a shard's load. */
export interface OverloadMeasures {
  readonly lagMs: number;
  readonly heapBytes: number;
  /** Memory outside the heap that belongs to its objects, such as buffers. */
  readonly externalBytes: number;
  /** Resident memory of the process. */
  readonly residentBytes: number;
}

/** Called after each step. */
export type OverloadHandler = (
  step: OverloadStep,
  from: OverloadLevel,
  to: OverloadLevel,
  measures: OverloadMeasures,
) => void;

const SAMPLES_TO_RISE = 2;
const SAMPLES_TO_FALL = 10;
const FALL_RATIO = 0.75;

/** The overload of one shard. */
export class Overload {
  readonly #limits: OverloadLimits;
  readonly #onStep: OverloadHandler;
  #level: OverloadLevel = "normal";
  /** Number of consecutive samples that called for a rise. */
  #high = 0;
  /** Number of consecutive samples that called for a fall. */
  #low = 0;

  constructor(limits: OverloadLimits, onStep: OverloadHandler) {
    this.#limits = limits;
    this.#onStep = onStep;
  }

  get level(): OverloadLevel {
    return this.#level;
  }

  /** Evaluates a sample. Takes at most one step. */
  update(measures: OverloadMeasures): void {
    const { overloadLagMs, overloadHeapBytes, maxResidentBytes } = this.#limits;
    const ratio = Math.max(
      measures.lagMs / overloadLagMs,
      (measures.heapBytes + measures.externalBytes) / overloadHeapBytes,
      measures.residentBytes / maxResidentBytes,
    );
    const isHigh = ratio >= this.#ratioOf(nextLevel(this.#level, "rise"));
    const isLow = this.#level !== "normal" && ratio < this.#ratioOf(this.#level) * FALL_RATIO;
    this.#high = isHigh ? this.#high + 1 : 0;
    this.#low = isLow ? this.#low + 1 : 0;
    if (this.#high >= SAMPLES_TO_RISE) this.#step("rise", measures);
    else if (this.#low >= SAMPLES_TO_FALL) this.#step("fall", measures);
  }

  /** Returns the load, relative to the thresholds, at which a level begins. */
  #ratioOf(level: OverloadLevel | undefined): number {
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
