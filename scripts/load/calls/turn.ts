/**
 * One turn: starts a server, loads it, counts calls while it warms up, then measures and stops it.
 *
 * Counting slows each call a little, so CPU and latencies come from the window that follows. The load has
 * the same rate in both, so deliveries per call are the ratio of two rates.
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

/** Number of live lines of the warm-up before calls are counted, which is half a second of load. */
const LEAD_LINES = 5;
const COUNTED_SECONDS = 2;
/** Time for the lead, the counting, and the start and end of perf. */
const WARMUP_MS = 4_000;
const LIVE_MS = 100;

/** Counts per second while the server warmed up. */
interface Counted {
  readonly calls: Calls | undefined;
  readonly segmentsPerSecond: number | undefined;
}

/** Runs the turn of a subject under a load. @throws Error with the generator's report if it fails */
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
    // A failure of the load is more important than a failure to stop the server.
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
    // Replies to heartbeats would count as sends, but not as deliveries.
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
    throw new Error(`native-bench must exit with code 0, got ${code}:\n${report}`);
  }
  return turnOf(load, result, counted);
}

async function count(server: RunningServer, hasPerf: boolean): Promise<Counted> {
  const port = Number(new URL(server.url).port);
  const before = countSegments(port);
  const calls = hasPerf ? await countCalls(server.pid, COUNTED_SECONDS) : undefined;
  // Sleeps for the time that perf would count, because there is no event to wait for.
  if (!hasPerf) await sleep(COUNTED_SECONDS * 1_000);
  return { calls, segmentsPerSecond: segmentsPerSecond(before, countSegments(port)) };
}

/** Combines the counts with the measurements. Pure. */
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
