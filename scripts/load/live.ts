/**
 * The lines that native-bench writes while it runs.
 *
 * Runs on: the load test's process. Pure functions.
 */

/** Steps of a run, in their order; `native-bench/src/run.h` describes them. */
export const PHASES = ["open", "settle", "warmup", "measure", "collect", "close"] as const;

/** A step of a run. */
export type Phase = (typeof PHASES)[number];

/** What happened between a live line and the one before. */
export interface Live {
  readonly phase: Phase;
  /** Since the run began. */
  readonly seconds: number;
  /** Connections joined by now. */
  readonly joined: number;
  readonly sent: number;
  readonly received: number;
  /** Null where nothing was received that has a latency, or the generator was itself too late. */
  readonly latencyUs: LiveLatency | null;
  /** How late the generator itself sent. */
  readonly latenessP99Us: number;
  /** Of its busiest thread. */
  readonly generatorCpuShare: number;
}

/** Latencies of one interval. */
export interface LiveLatency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * Reads a line of the generator's standard output.
 *
 * @returns undefined where it is no live line: the result, which is the last
 * @throws Error where it is one that lacks something
 */
export function readLive(line: string): Live | undefined {
  const { live } = JSON.parse(line) as { readonly live?: Live };
  if (live === undefined) return undefined;
  const isPhase = PHASES.some((phase) => phase === live.phase);
  const numbers = [live.seconds, live.joined, live.sent, live.received];
  if (!isPhase || !numbers.every((number) => Number.isFinite(number))) {
    throw new Error(
      `a live line of native-bench must have phase, seconds, joined, sent and received, got ${line}`,
    );
  }
  return live;
}
