/**
 * One measurement of the cost of a delivery: starts a server, loads it at one rate, counts and stops it.
 *
 * System calls are counted while the server warms up, because counting slows each call a little; CPU, context
 * switches and latencies are those of the window that follows, at the same rate. A count per second becomes a
 * cost by the deliveries per second of the same time.
 *
 * Runs on: the sweep's process; server, generator and perf are separate processes.
 */

import { startServer, type RunningServer } from "../../bench/servers.ts";
import { countCalls, type Calls } from "../calls/perf.ts";
import type { Live } from "../live.ts";
import type { GeneratorResult } from "../result.ts";
import { readSwitches, type Switches } from "../threads.ts";
import { broadcastsOf, COST_LOAD, type CostTurn } from "./cost.ts";
import { generate, marksOf } from "./turn.ts";

/** How to measure. */
export interface CostTurnSetting {
  /** Number of shards; null for the bare engine. */
  readonly shards: number | null;
  /** Deliveries per second. */
  readonly rate: number;
  /** Length of the measured window. */
  readonly seconds: number;
  /** Whether system calls are counted, which needs perf. */
  readonly countsCalls: boolean;
  /** Scenario and options of the generator, without the rate. Default: `COST_LOAD`. */
  readonly load?: readonly string[];
}

const LIVE_MS = 100;
/** Number of live lines of the warm-up before calls are counted: half a second of load. */
const LEAD_LINES = 5;
const COUNTED_SECONDS = 1;
/** The JavaScript of a newly started server is not compiled yet, and each shard compiles its own. */
const WARMUP_MS = 1_500;
const SHARD_WARMUP_MS = 250;
/** Additional time for the lead, the counting, and the start and end of perf. */
const COUNTING_MS = 1_500;

/** Measures a server at one rate. @throws Error if the server or the generator fails */
export async function measureCost(setting: CostTurnSetting): Promise<CostTurn> {
  const { shards } = setting;
  const server =
    shards === null
      ? await startServer("bare", undefined)
      : await startServer("simurgh", shards, { env: { SIMURGH_SHARDS: String(shards) } });
  let turn: CostTurn;
  try {
    turn = await measure(server, setting);
  } catch (error) {
    // A failure of the load is more important than a failure to stop the server.
    await server.stop().catch(() => undefined);
    throw error;
  }
  await server.stop();
  return turn;
}

/** Returns the generator's arguments. */
export function costWords({
  shards,
  rate,
  seconds,
  countsCalls,
  load = COST_LOAD,
}: CostTurnSetting): readonly string[] {
  const warmupMs = WARMUP_MS + (shards ?? 1) * SHARD_WARMUP_MS + (countsCalls ? COUNTING_MS : 0);
  return [
    ...load,
    "--rate",
    String(broadcastsOf(rate)),
    "--warmup",
    `${warmupMs}ms`,
    "--duration",
    `${seconds * 1_000}ms`,
    // Heartbeats would cost calls and switches, but are no deliveries.
    "--heartbeat",
    "60m",
    "--live",
    `${LIVE_MS}ms`,
  ];
}

async function measure(server: RunningServer, setting: CostTurnSetting): Promise<CostTurn> {
  const readings: SwitchReading[] = [];
  let leadLines = 0;
  let counter: CallCounter | undefined;
  const onLive = (live: Live): void => {
    counter?.take(live);
    if (setting.countsCalls && live.phase === "warmup" && (leadLines += 1) === LEAD_LINES) {
      counter = new CallCounter(server.pid);
    }
    if (live.phase === "measure") {
      const switches = readSwitches(server.pid);
      if (switches !== null) readings.push({ atMs: performance.now(), ...switches });
    }
  };
  const result = await generate(costWords(setting), server, onLive);
  return costTurnOf(result, readings, (await counter?.end()) ?? null);
}

/** System calls and deliveries of the same time. */
export interface CountedCalls {
  readonly calls: number;
  readonly seconds: number;
  readonly deliveriesPerSecond: number;
}

/** Counts system calls, and the deliveries meanwhile. */
class CallCounter {
  readonly #counting: Promise<Calls>;
  #isCounting = true;
  #first: Live | undefined;
  #last: Live | undefined;
  #received = 0;

  constructor(pid: number) {
    const stop = (): void => {
      this.#isCounting = false;
    };
    this.#counting = countCalls(pid, COUNTED_SECONDS);
    // `end` reports a failure. If the generator fails first, its own error is the one to show.
    this.#counting.then(stop, stop);
  }

  /** Adds the deliveries since the previous live line, until the calls are counted. */
  take(live: Live): void {
    if (!this.#isCounting) return;
    if (this.#first === undefined) this.#first = live;
    else this.#received += live.received;
    this.#last = live;
  }

  /** Waits until the calls are counted. @returns null without deliveries @throws Error if perf fails */
  async end(): Promise<CountedCalls | null> {
    const { all, seconds } = await this.#counting;
    const elapsed = (this.#last?.seconds ?? 0) - (this.#first?.seconds ?? 0);
    if (this.#received === 0 || elapsed <= 0) return null;
    return { calls: all, seconds, deliveriesPerSecond: this.#received / elapsed };
  }
}

/** The context switches of the server up to some moment. */
export interface SwitchReading extends Switches {
  readonly atMs: number;
}

/** Combines a window with what was counted. Pure. */
export function costTurnOf(
  result: Pick<GeneratorResult, "window" | "failures">,
  readings: readonly SwitchReading[],
  counted: CountedCalls | null,
): CostTurn {
  const { received, seconds, serverCpuUsPerMessage, latencyUs } = result.window;
  const [first, last] = [readings[0], readings.at(-1)];
  const switchesOf = (name: keyof Switches): number | null => {
    if (first === undefined || last === undefined || first === last || received === 0) return null;
    const perSecond = ((last[name] - first[name]) * 1_000) / (last.atMs - first.atMs);
    return perSecond / (received / seconds);
  };
  return {
    // Without deliveries there is no cost of one.
    cpuUs: received === 0 ? null : (serverCpuUsPerMessage ?? null),
    voluntary: switchesOf("voluntary"),
    involuntary: switchesOf("involuntary"),
    calls: counted === null ? null : counted.calls / counted.seconds / counted.deliveriesPerSecond,
    p99Us: latencyUs?.p99 ?? null,
    marks: marksOf(result),
  };
}
