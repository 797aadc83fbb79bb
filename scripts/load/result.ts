/**
 * The result that native-bench prints at the end of a run.
 *
 * Runs on: the load test's process. Pure functions.
 */

/** The parts of the generator's last line that the report uses. */
export interface GeneratorResult {
  readonly scenario: string;
  readonly connections: number;
  readonly joined: number;
  readonly threads?: number;
  readonly transport?: string;
  readonly protocol?: string;
  readonly window: ResultWindow;
  readonly expected: number;
  readonly delivered: number;
  readonly missing: number;
  readonly doubled: number;
  readonly disordered: number;
  readonly deaf: number;
  readonly deafClosed: number;
  readonly memory: ResultMemory | null;
  readonly idle?: { readonly cpuUsPerConnectionSecond: number } | null;
  readonly search?: ResultSearch | null;
  readonly reconnect?: { readonly secondsUntilAllBack: number } | null;
  readonly failures: readonly string[];
}

/**
 * The measured window. Includes figures of the server if the generator was given the server's
 * process id.
 */
export interface ResultWindow {
  readonly ratePlanned: number;
  readonly rateReached: number;
  readonly seconds: number;
  readonly sent: number;
  readonly due: number;
  readonly received: number;
  readonly isServerBehind: boolean;
  readonly isServerStarved: boolean;
  readonly generatorCpuShare: number;
  readonly generatorCpuTotal?: number;
  readonly latenessUs: { readonly p99: number };
  readonly serverCpuShare?: number;
  readonly serverWaitShare?: number;
  readonly serverCpuUsPerMessage?: number;
  /** Null if the generator rejected the latencies; `bottleneck` contains the reason. */
  readonly latencyUs: ResultLatency | null;
  readonly bottleneck: string | null;
}

/** Latencies of the window. */
export interface ResultLatency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly mean: number;
}

/** Memory of the server's process. */
export interface ResultMemory {
  readonly beforeBytes: number;
  readonly afterBytes: number;
  readonly bytesPerConnection: number;
}

/** The search for the highest rate. */
export interface ResultSearch {
  readonly rate: number;
  readonly boundUs: number;
  /** Whether the rate was limited by the generator or by the end of its range. */
  readonly isLowerBound?: boolean;
  readonly steps: readonly SearchStep[];
}

/** One rate tried in a search. */
export interface SearchStep {
  readonly rate: number;
  readonly rateReached: number;
  readonly p99Us: number | null;
  readonly isGood: boolean;
  readonly why: string;
}

/** Parses the generator's last line. @throws Error if a figure is missing */
export function readResult(line: string): GeneratorResult {
  const result = JSON.parse(line) as GeneratorResult;
  const { window } = result;
  const numbers = [window?.ratePlanned, window?.received, result.expected, result.missing];
  if (!numbers.every((number) => Number.isFinite(number))) {
    throw new Error(
      `the result of native-bench must have window, expected and missing, got ${line}`,
    );
  }
  return result;
}

/** Returns the number of deliveries that were missing, duplicated or out of order. */
export function lostOf({
  missing,
  doubled,
  disordered,
}: Pick<GeneratorResult, "missing" | "doubled" | "disordered">): number {
  return missing + doubled + disordered;
}
