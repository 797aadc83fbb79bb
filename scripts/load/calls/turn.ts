/**
 * One turn: a server is started, loaded, counted while it warms up, measured after that, and stopped.
 *
 * What counts calls slows each of them a little, so CPU and latencies are those of the window after
 * it. The rate is the same in both, so deliveries for a call are a ratio of rates.
 *
 * Runs on: the process of `load:calls`.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { startServer, type RunningServer } from "../../bench/servers.ts";
import { GeneratorProcess } from "../generator-process.ts";
import type { GeneratorResult } from "../result.ts";
import { deliveriesPerSecond, generatorLoad, type Load, type Subject } from "./loads.ts";
import type { CallsOptions } from "./options.ts";
import { countCalls, type Calls } from "./perf.ts";
import { countSegments, segmentsPerSecond } from "./segments.ts";
import type { Turn } from "./table.ts";

/** Live lines of the warm-up before calls are counted: half a second of load. */
const LEAD_LINES = 5;
const COUNTED_SECONDS = 2;
/** Lead, what is counted, and room for perf to start and end. */
const WARMUP_MS = 4_000;
const LIVE_MS = 100;

/** What was counted of the server while it warmed up, in a second. */
interface Counted {
  readonly calls: Calls | undefined;
  readonly segmentsPerSecond: number | undefined;
}

/** Gives a subject its turn under a load. @throws Error with the generator's report where it is bad */
export async function takeTurn(
  subject: Subject,
  load: Load,
  options: Pick<CallsOptions, "tickMs" | "windowMs" | "seconds" | "hasPerf">,
): Promise<Turn> {
  const env = subject.hasWindow ? { SIMURGH_COALESCE_MS: String(options.windowMs) } : {};
  const server = await startServer(subject.server, subject.shards, { env });
  let turn: Turn;
  try {
    turn = await measure(server, load, options);
  } catch (error) {
    // Why the load failed matters more than how the server ends after that.
    await server.stop().catch(() => undefined);
    throw error;
  }
  await server.stop();
  return turn;
}

async function measure(
  server: RunningServer,
  load: Load,
  { tickMs, seconds, hasPerf }: Pick<CallsOptions, "tickMs" | "seconds" | "hasPerf">,
): Promise<Turn> {
  const generator = new GeneratorProcess([
    ...generatorLoad(load, tickMs),
    "--warmup",
    `${WARMUP_MS}ms`,
    "--duration",
    `${seconds}s`,
    "--url",
    server.url,
    "--server-pid",
    String(server.pid),
    // Replies to heartbeats are sends as well, but no deliveries.
    "--heartbeat",
    "60m",
    "--json",
    "--live",
    `${LIVE_MS}ms`,
  ]);
  let lines = 0;
  let counting: Promise<Counted> | undefined;
  const { result, code, report } = await generator.read(({ phase }) => {
    if (phase === "warmup" && (lines += 1) === LEAD_LINES) counting = count(server, hasPerf);
    return Promise.resolve();
  });
  const counted = await counting;
  if (code !== 0 || result === undefined || counted === undefined) {
    throw new Error(`native-bench ended with code ${code} and:\n${report}`);
  }
  return turnOf(load, result, counted);
}

async function count(server: RunningServer, hasPerf: boolean): Promise<Counted> {
  const port = Number(new URL(server.url).port);
  const before = countSegments(port);
  const calls = hasPerf ? await countCalls(server.pid, COUNTED_SECONDS) : undefined;
  // As long as perf counts: what is measured is a time, and there is no event at its end.
  if (!hasPerf) await sleep(COUNTED_SECONDS * 1_000);
  return { calls, segmentsPerSecond: segmentsPerSecond(before, countSegments(port)) };
}

/** Puts together what was counted and what was measured. Pure. */
export function turnOf(
  load: Load,
  { window }: Pick<GeneratorResult, "window">,
  { calls, segmentsPerSecond: segments }: Counted,
): Turn {
  const perSecond = deliveriesPerSecond(load);
  return {
    deliveriesPerSend: calls && (perSecond * calls.seconds) / calls.sends,
    deliveriesPerCall: calls && (perSecond * calls.seconds) / calls.all,
    deliveriesPerSegment: segments === undefined ? undefined : perSecond / segments,
    cpuUsPerDelivery: window.serverCpuUsPerMessage ?? Number.NaN,
    latencyP99Us: window.latencyUs?.p99,
    isServerBehind: window.isServerBehind,
    isServerStarved: window.isServerStarved,
  };
}
