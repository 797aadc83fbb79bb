/**
 * One turn of the sweep: a server with one setting, measured at a fixed rate and by a search.
 *
 * Runs on: the sweep's process; server and generator are processes of their own.
 */

import { startServer, type RunningServer } from "../../bench/servers.ts";
import { GeneratorProcess, type GeneratorEnd } from "../generator-process.ts";
import type { GeneratorResult } from "../result.ts";
import type { SweepOptions } from "./options.ts";

/** Why a figure may not be compared. */
export type Mark = "starved" | "behind" | "generator" | "lost";

/** What one turn found. */
export interface Turn {
  /** At the fixed rate: p99, null where it was refused, and server CPU for each delivery. */
  readonly p99Us: number | null;
  readonly cpuUs: number | null;
  readonly fixedMarks: readonly Mark[];
  /** Deliveries a second at the highest rate whose p99 stayed below the bound; null: no rate was good. */
  readonly throughput: number | null;
  /** `generator`: it ended the search, so that the server may well do more. */
  readonly searchMarks: readonly Mark[];
  /** Why the lowest rate that was too much was so, in the generator's words; null: none was. */
  readonly limit: string | null;
}

/** What of the options concerns a turn. */
export type TurnSetting = Pick<SweepOptions, "load" | "seconds" | "searchMs" | "boundMs">;

/**
 * Measures a server with these variables in its environment.
 *
 * @throws TypeError whose message is one line for the user, where the generator refuses its options
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
    // Why the load failed matters more than how the server ends after that.
    await server.stop().catch(() => undefined);
    throw error;
  }
  await server.stop();
  return turn;
}

/** Rests and warm-ups: the JavaScript of a server that has just started is not compiled yet. */
const WARMUP_MS = 1_500;
const SEARCH_WARMUP_MS = 300;

/** The load at one rate. */
export function fixedWords({ load, seconds }: TurnSetting): readonly string[] {
  return [...load, "--duration", `${seconds * 1_000}ms`, "--warmup", `${WARMUP_MS}ms`];
}

/**
 * The load whose rate is searched. The generator may be as late as the bound: its lateness is part of
 * each latency, so that where their p99 is below the bound it is no matter, and a machine whose cores
 * are all at work has no rate at which nobody is late.
 */
export function searchWords({ load, searchMs, boundMs }: TurnSetting): readonly string[] {
  const late = ["--max-late", `${boundMs}ms`];
  const step = ["--duration", `${searchMs}ms`, "--warmup", `${SEARCH_WARMUP_MS}ms`, ...late];
  return [...load, ...step, "--search-p99", `${boundMs}ms`];
}

/** How the generator ends where it is told what it does not understand, in its report a line for the user. */
const BAD_OPTION = 2;

async function generate(words: readonly string[], server: RunningServer): Promise<GeneratorResult> {
  const target = ["--url", server.url, "--server-pid", String(server.pid), "--json"];
  const end = await new GeneratorProcess([...words, ...target]).read(async () => {});
  if (end.code === BAD_OPTION) throw new TypeError(end.report.trim());
  if (end.result === undefined) throw new Error(describeFailure(end));
  return end.result;
}

function describeFailure({ code, signal, report }: GeneratorEnd): string {
  return `native-bench ended with ${code ?? signal} and no result\n${report}`;
}

/** Puts the two results of a turn together. */
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

function marksOf(result: GeneratorResult): readonly Mark[] {
  const { isServerStarved, isServerBehind, bottleneck } = result.window;
  return [
    ...(isServerStarved ? (["starved"] as const) : []),
    ...(isServerBehind ? (["behind"] as const) : []),
    ...(bottleneck === null ? [] : (["generator"] as const)),
    ...lostMarks(result),
  ];
}

function lostMarks({ failures }: GeneratorResult): readonly Mark[] {
  return failures.length === 0 ? [] : ["lost"];
}

/** Of the window of the best rate, which is the one that a search leaves; null where none was good. */
function throughputOf({ search, window }: GeneratorResult): number | null {
  return search === null || search === undefined || search.rate === 0
    ? null
    : window.received / window.seconds;
}
