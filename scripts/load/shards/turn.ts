/**
 * One turn of the sweep: measures a server with one setting, at a fixed rate and by a search.
 *
 * Runs on: the sweep's process; server and generator are separate processes.
 */

import { startServer, type RunningServer } from "../../bench/servers.ts";
import { GeneratorProcess, type GeneratorEnd } from "../generator-process.ts";
import type { Live } from "../live.ts";
import type { GeneratorResult } from "../result.ts";
import type { SweepOptions } from "./options.ts";

/** Reasons why a figure cannot be compared. */
export type Mark = "starved" | "behind" | "generator" | "lost";

/** The results of one turn. */
export interface Turn {
  /** p99 at the fixed rate; null if the generator rejected it. */
  readonly p99Us: number | null;
  /** Server CPU per delivery at the fixed rate. */
  readonly cpuUs: number | null;
  readonly fixedMarks: readonly Mark[];
  /** Deliveries per second at the highest rate with a p99 below the bound; null if no rate was good. */
  readonly throughput: number | null;
  /**
   * With `generator`, the generator ended the search, and the server may be able to handle more.
   */
  readonly searchMarks: readonly Mark[];
  /**
   * The reason why the lowest bad rate was bad, as reported by the generator; null if no rate was
   * bad.
   */
  readonly limit: string | null;
}

/** The options that concern a turn. */
export type TurnSetting = Pick<SweepOptions, "load" | "seconds" | "searchMs" | "boundMs">;

/**
 * Measures a server with the given variables in its environment.
 *
 * @throws TypeError with a one-line message for the user, if the generator rejects its options
 */
export async function measureTurn(
  setting: TurnSetting,
  environment: Readonly<Record<string, string>>,
): Promise<Turn> {
  const server = await startServer("simurgh", undefined, { env: environment });
  let turn: Turn;
  try {
    const fixed = await generate(fixedWords(setting), server);
    const search = await generate(searchWords(setting), server);
    turn = makeTurn(fixed, search);
  } catch (error) {
    // A failure of the load is more important than a failure to stop the server.
    await server.stop().catch(() => undefined);
    throw error;
  }
  await server.stop();
  return turn;
}

/** Warm-up times: the JavaScript of a newly started server is not compiled yet. */
const WARMUP_MS = 1_500;
const SEARCH_WARMUP_MS = 300;

/** Returns the generator's arguments for the fixed rate. */
export function fixedWords({ load, seconds }: TurnSetting): readonly string[] {
  return [...load, "--duration", `${seconds * 1_000}ms`, "--warmup", `${WARMUP_MS}ms`];
}

/**
 * Returns the generator's arguments for the search. The generator may be as late as the bound: its lateness
 * is part of each latency, so it does not matter if their p99 stays below the bound. On a machine whose
 * cores are all busy, the generator is late at any rate.
 */
export function searchWords({ load, searchMs, boundMs }: TurnSetting): readonly string[] {
  const late = ["--max-late", `${boundMs}ms`];
  const step = ["--duration", `${searchMs}ms`, "--warmup", `${SEARCH_WARMUP_MS}ms`, ...late];
  return [...load, ...step, "--search-p99", `${boundMs}ms`];
}

/** The generator's exit code for bad options, with a line for the user in its report. */
const BAD_OPTION = 2;

/**
 * Runs the generator against a server.
 *
 * @param onLive - called for each live line, if `words` ask for live lines
 * @throws TypeError with a one-line message for the user, if the generator rejects its options
 */
export async function generate(
  words: readonly string[],
  server: RunningServer,
  onLive: (live: Live) => void = () => {},
): Promise<GeneratorResult> {
  const target = ["--url", server.url, "--server-pid", String(server.pid), "--json"];
  const end = await new GeneratorProcess([...words, ...target]).read((live) => {
    onLive(live);
    return Promise.resolve();
  });
  if (end.code === BAD_OPTION) throw new TypeError(end.report.trim());
  if (end.result === undefined) throw new Error(describeFailure(end));
  return end.result;
}

function describeFailure({ code, signal, report }: GeneratorEnd): string {
  return `native-bench ended with ${code ?? signal} and without a result\n${report}`;
}

/** Combines the two results of a turn. */
export function makeTurn(fixed: GeneratorResult, search: GeneratorResult): Turn {
  const { latencyUs, serverCpuUsPerMessage = null } = fixed.window;
  return {
    p99Us: latencyUs === null ? null : latencyUs.p99,
    cpuUs: serverCpuUsPerMessage,
    fixedMarks: marksOf(fixed),
    throughput: throughputOf(search),
    searchMarks: [
      ...(search.search?.isLowerBound === true ? (["generator"] as const) : []),
      ...lostMarks(search),
    ],
    limit: limitOf(search),
  };
}

function limitOf({ search }: GeneratorResult): string | null {
  const bad = (search?.steps ?? []).filter(({ isGood }) => !isGood);
  const lowest = bad.toSorted((left, right) => left.rate - right.rate)[0];
  return lowest === undefined ? null : `${lowest.rate}/s: ${lowest.why}`;
}

/** Returns the reasons why a window at a fixed rate cannot be compared. */
export function marksOf(result: Pick<GeneratorResult, "window" | "failures">): readonly Mark[] {
  const { isServerStarved, isServerBehind, bottleneck } = result.window;
  return [
    ...(isServerStarved ? (["starved"] as const) : []),
    ...(isServerBehind ? (["behind"] as const) : []),
    ...(bottleneck === null ? [] : (["generator"] as const)),
    ...lostMarks(result),
  ];
}

function lostMarks({ failures }: Pick<GeneratorResult, "failures">): readonly Mark[] {
  return failures.length === 0 ? [] : ["lost"];
}

/** Returns the deliveries per second in the window of the best rate; null if no rate was good. */
function throughputOf({ search, window }: GeneratorResult): number | null {
  return search === null || search === undefined || search.rate === 0
    ? null
    : window.received / window.seconds;
}
