/**
 * Judges a run of the fuzzer: the verdict first, then the figures behind it.
 *
 * Runs on: the fuzzer's process. Pure.
 */

import type { CanarySummary } from "../suites/canaries.ts";
import type { HostStats } from "../suites/host.ts";
import type { Ended } from "../suites/server-process.ts";
import type { Finding } from "./crew.ts";
import type { FuzzOptions } from "./options.ts";

/** What a run showed. */
export interface FuzzOutcome {
  readonly options: FuzzOptions;
  readonly seconds: number;
  readonly frames: number;
  readonly requests: number;
  readonly lives: { readonly webSocket: number; readonly http: number };
  readonly findings: { readonly webSocket: readonly Finding[]; readonly http: readonly Finding[] };
  /** Lives that had begun and not ended when the server died. */
  readonly livingAtDeath: readonly number[];
  readonly canaries: CanarySummary;
  /** Undefined if the server did not answer. */
  readonly stats: HostStats | undefined;
  /** Resident memory of the server, in bytes. */
  readonly memory: { readonly before: number; readonly peak: number; readonly after: number };
  readonly ended: Ended | "killed" | "died";
  readonly logFaults: readonly string[];
  readonly logBytes: number;
  readonly logEnd: string;
}

/** The verdict, as text for people. */
export interface Verdict {
  readonly isGood: boolean;
  readonly text: string;
}

/** What the server may hold beyond its memory at the start; its heaps grow to this without a leak. */
const MAX_GROWTH_BYTES = 1_200 * 2 ** 20;

/** Judges a run. */
export function judgeFuzz(outcome: FuzzOutcome): Verdict {
  const faults = faultsOf(outcome);
  const { options, seconds, frames, requests, lives, canaries, memory, stats } = outcome;
  const rate = (count: number): string => `${count} (${Math.round(count / seconds)}/s)`;
  const lines = [
    faults.length === 0
      ? "Nothing was found."
      : `Faults found: ${faults.length} (seed ${options.seed}).`,
    ...faults.map((fault) => `- ${fault}`),
    `seed      ${options.seed}`,
    `sent      ${rate(frames)} frames in ${lives.webSocket} lives, ${rate(requests)} requests in ${lives.http} lives, ${seconds.toFixed(1)} s`,
    `received  ${stats?.total.framesIn ?? "unknown"} frames by the server, those of canaries included`,
    `canaries  ${canaries.answered} of ${canaries.sent} answered, p50 ${canaries.p50Ms.toFixed(1)}, p99 ${canaries.p99Ms.toFixed(1)}, max ${canaries.maxMs.toFixed(1)} ms; their own thread was up to ${canaries.ownLatenessMs.toFixed(1)} ms late`,
    `memory    ${mebibytes(memory.before)} before, ${mebibytes(memory.peak)} at most, ${mebibytes(memory.after)} after`,
    `log       ${outcome.logBytes} bytes`,
    "",
  ];
  return { isGood: faults.length === 0, text: lines.join("\n") };
}

function faultsOf(outcome: FuzzOutcome): readonly string[] {
  const { options, findings, memory } = outcome;
  const hasGrown = memory.peak - memory.before > MAX_GROWTH_BYTES;
  return [
    ...faultsOfEnd(outcome),
    ...outcome.logFaults.map((line) => `log: ${line}`),
    ...repeatable(findings.webSocket, options, "--requests 0"),
    ...repeatable(findings.http, options, "--frames 0"),
    ...faultsOfCanaries(outcome),
    ...(hasGrown
      ? [`memory grew from ${mebibytes(memory.before)} to ${mebibytes(memory.peak)}`]
      : []),
  ];
}

function faultsOfEnd({ ended, livingAtDeath, logEnd, stats }: FuzzOutcome): readonly string[] {
  if (ended === "died") {
    const end = logEnd.slice(-2_000);
    return [
      `the server died; lives at that time: ${livingAtDeath.join(", ")}; its last lines:\n${end}`,
    ];
  }
  if (ended === "killed") return ["the server did not end on SIGTERM"];
  const faults: string[] = [];
  if (ended.code !== 0) {
    faults.push(`the server ended with ${ended.code ?? ended.signal} on SIGTERM`);
  }
  const uncaught = stats?.total.uncaught ?? 0;
  if (uncaught > 0) faults.push(`${uncaught} exceptions outside any handler`);
  return faults;
}

function faultsOfCanaries({ canaries, options }: FuzzOutcome): readonly string[] {
  const faults = canaries.faults.map((fault) => `canary: ${fault}`);
  if (canaries.closes.length > 0) {
    faults.push(`canaries were disconnected: ${canaries.closes.join(", ")}`);
  }
  if (canaries.unanswered > 0) faults.push(`${canaries.unanswered} canary requests have no answer`);
  if (canaries.p99Ms >= options.maxP99Ms) {
    const got = canaries.p99Ms.toFixed(1);
    faults.push(`the canaries' p99 must be below ${options.maxP99Ms} ms, got ${got} ms`);
  }
  return faults;
}

function repeatable(
  findings: readonly Finding[],
  { seed }: FuzzOptions,
  rest: string,
): readonly string[] {
  return findings.map(
    ({ life, text }) =>
      `life ${life}: ${text}\n  npm run fuzz -- --seed ${seed} --from ${life} --lives 1 ${rest}`,
  );
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
