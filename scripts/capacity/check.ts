/**
 * Compares the prediction for a load with a measurement of the same load.
 *
 * Runs on: the process of `npm run capacity`. The server runs in a separate process, with one
 *          shard.
 */

import { inColumns } from "../bench/columns.ts";
import { median } from "../bench/comparison.ts";
import { runForJson } from "../bench/generator.ts";
import { startServer } from "../bench/servers.ts";
import type { Demand, Machine } from "./demand.ts";
import { planWith, type Plan } from "./plan.ts";
import type { UnitCosts } from "./unit-costs.ts";

/** Prediction and measurement for one number of connections. */
export interface Checked {
  readonly connections: number;
  /** Total CPU of the server divided by the number of deliveries. */
  readonly cpuUs: Compared;
  /** Memory of the server's process with all connections. */
  readonly bytes: Compared;
}

/** A predicted and a measured figure. */
export interface Compared {
  readonly predicted: number;
  readonly measured: number;
}

/** Numbers of connections. One process can open fewer than 20 000 descriptors here. */
export const SIZES = [1_000, 5_000, 10_000, 15_000] as const;
const MEMBERS = 20;
const PAYLOAD_BYTES = 64;
const HEARTBEAT_SECONDS = 30;
const SECONDS = 5;
/** Number of runs of each size, whose median counts. */
const ROUNDS = 3;
/** Connects per second. */
const CONNECT_RATE = 2_000;
/** Time to start and stop a server, and to warm up (s). */
const BESIDES_SECONDS = 4;
/** About how long all sizes take (s). */
export const CHECK_SECONDS = SIZES.reduce(
  (sum, size) => sum + ROUNDS * (size / CONNECT_RATE + SECONDS + BESIDES_SECONDS),
  0,
);
/** Deliveries per second to each connection. */
const RATE_EACH = 1;

/** A machine whose limits have no effect, because the numbers of nodes and shards are given. */
const HERE: Machine = {
  cores: 1,
  memoryBytes: Number.MAX_SAFE_INTEGER,
  networkBits: Number.MAX_SAFE_INTEGER,
  load: 1,
  maxConnections: Number.MAX_SAFE_INTEGER,
};

/** Returns the demand of a server with a number of connections. */
export function demandOf(connections: number): Demand {
  return {
    connections,
    rate: (connections * RATE_EACH) / MEMBERS,
    members: MEMBERS,
    payloadBytes: PAYLOAD_BYTES,
    joins: 0,
    heartbeatSeconds: HEARTBEAT_SECONDS,
  };
}

/** Measures one size several times and compares the medians with the prediction. */
export async function checkSize(connections: number, costs: UnitCosts): Promise<Checked> {
  const demand = demandOf(connections);
  const plan: Plan = planWith(1, demand, HERE, costs);
  const runs: Run[] = [];
  for (let round = 0; round < ROUNDS; round++) runs.push(await runOnce(demand));
  return {
    connections,
    cpuUs: {
      predicted: (plan.coresPerNode * 1e6) / plan.deliveries,
      measured: median(runs.map(({ window }) => window.serverCpuUsPerMessage)),
    },
    bytes: {
      // The memory of the kernel is not part of the process.
      predicted: plan.memoryPerNode - plan.memory.kernel,
      measured: median(runs.map(({ memory }) => memory.afterBytes)),
    },
  };
}

/** The parts of the generator's JSON that are used. */
interface Run {
  readonly window: { readonly serverCpuUsPerMessage: number };
  readonly memory: { readonly afterBytes: number };
}

async function runOnce(demand: Demand): Promise<Run> {
  const server = await startServer("simurgh", 1);
  const words = [...wordsOf(demand), "--url", server.url, "--server-pid", String(server.pid)];
  const line = await runForJson(words);
  await server.stop();
  return JSON.parse(line) as Run;
}

function wordsOf({ connections, rate, members, payloadBytes, heartbeatSeconds }: Demand): string[] {
  const load = `fanout --connections ${connections} --topics ${connections / members} --rate ${rate}`;
  const time = `--duration ${SECONDS}s --heartbeat ${heartbeatSeconds}s --connect-rate ${CONNECT_RATE}`;
  return `${load} --payload ${payloadBytes} ${time} --json`.split(" ");
}

/** Formats the table. */
export function makeCheckTable(checked: readonly Checked[]): string {
  const rows = [
    [
      "connections",
      "CPU a delivery: predicted",
      "measured",
      "error",
      "memory: predicted",
      "measured",
      "error",
    ],
    ...checked.map(({ connections, cpuUs, bytes }) => [
      String(connections),
      `${cpuUs.predicted.toFixed(2)} µs`,
      `${cpuUs.measured.toFixed(2)} µs`,
      errorOf(cpuUs),
      `${(bytes.predicted / 1e6).toFixed(1)} MB`,
      `${(bytes.measured / 1e6).toFixed(1)} MB`,
      errorOf(bytes),
    ]),
  ];
  return inColumns(rows);
}

/** Returns the difference between the prediction and the measurement, in percent. */
export function errorOf({ predicted, measured }: Compared): string {
  const percent = (predicted / measured - 1) * 100;
  return `${percent < 0 ? "-" : "+"}${Math.abs(percent).toFixed(0)} %`;
}
