/**
 * The live lines that native-bench writes during a run.
 *
 * Runs on: the load test's process. Pure functions.
 */

/** The phases of a run, in order; `native-bench/src/run.h` describes them. */
export const PHASES = ["open", "settle", "warmup", "measure", "collect", "close"] as const;

/** A phase of a run. */
export type Phase = (typeof PHASES)[number];

/** The figures since the previous live line. */
export interface Live {
  readonly phase: Phase;
  /** Time since the start of the run. */
  readonly seconds: number;
  /** Number of connections joined so far. */
  readonly joined: number;
  readonly sent: number;
  readonly received: number;
  /** Null if no message with a latency was received, or if the generator itself sent too late. */
  readonly latencyUs: LiveLatency | null;
  /** Delay of the generator's own sends after their planned times. */
  readonly latenessP99Us: number;
  /** Share of a core used by the busiest thread of the generator. */
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
 * Parses a line of the generator's standard output.
 *
 * @returns undefined if the line is not a live line but the result, which is the last line
 * @throws Error if a live line is incomplete
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
