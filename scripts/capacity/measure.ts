/**
 * Measures the unit costs of this machine.
 *
 * CPU is measured in cores (CPU seconds per second). Its parts are separated by subtraction:
 *
 *   base of a shard   echo at two rates; the line through both, at a rate of 0
 *   join, heartbeat   runs that do nothing else, minus the base
 *   broadcast,        fan-out to 5 and to 50 members with the same number of deliveries per second; the
 *   delivery          difference is due to broadcasts, the rest to deliveries
 *   deliveryByte      50 members, with payloads of 2 KB and of 64 B
 *   record            20 members on two shards, minus all of the above
 *   link, nodeRecord  two linked nodes, one of them with clients, minus the same two unlinked, at two
 *                     rates; again a line. Redis reports its own CPU
 *   connection, shard, node      memory; for the kernel, half of the growth in /proc/slabinfo, because
 *                     both ends are on this machine
 *
 * Runs on: the process of `npm run capacity`. Servers are separate processes.
 */

import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { setTimeout as rest } from "node:timers/promises";
import { noRedis, TestRedis } from "../../test/support/redis.ts";
import { readSlabs } from "../account/kernel.ts";
import { median } from "../bench/comparison.ts";
import { runForJson } from "../bench/generator.ts";
import { startServer, type RunningServer } from "../bench/servers.ts";
import { readMemory, readThreads } from "../load/threads.ts";
import type { UnitCosts } from "./unit-costs.ts";

/** About how long it takes (s). */
export const MEASURE_SECONDS = 360;

/** Called when a step begins. */
export type OnStep = (step: string) => void;

/** Number of runs of each kind, whose median counts. */
const ROUNDS = 3;
const SECONDS = 3;
const SMALL_BYTES = 64;
const LARGE_BYTES = 2_048;
const FEW = 5;
const MEMBERS = 20;
const MANY = 50;
const CONNECTIONS = 1_000;
/** Deliveries per second in fan-outs of one node: about a third of a shard's capacity. */
const DELIVERIES = 30_000;
const ECHOES = { few: 1_000, many: 10_000 } as const;
const BEATING = 4_000;
const JOINED = 8_000;
const JOINS = 2_000;
/** Broadcasts per second between nodes. */
const NODE_RATES = { few: 500, many: 4_000 } as const;
const MANY_SHARDS = 5;
const SAMPLE_MS = 50;
/** Pause for the work that a server still does after its first response. */
const REST_MS = 1_000;

/** Measures all unit costs. @throws Error if a run fails or Redis is missing */
export async function measureUnitCosts(onStep: OnStep): Promise<UnitCosts> {
  if (noRedis !== false) throw new Error(noRedis);
  onStep("1/6 base cost of a shard");
  const few = await medianOf(() => measureEcho(ECHOES.few));
  const echoes = line(ECHOES.few, few, ECHOES.many, await medianOf(() => measureEcho(ECHOES.many)));
  const base = echoes.base;
  onStep("2/6 joins, heartbeats, memory of connections");
  const joins = await repeat(measureJoins);
  const heartbeats = await medianOf(measureHeartbeats);
  onStep("3/6 broadcasts and deliveries");
  const { broadcast, delivery, deliveryByte } = await measureBroadcasts(base);
  onStep("4/6 records to another shard");
  const onTwo = await medianOf(() => measureFanout({ members: MEMBERS, shards: 2 }));
  const ofTwo = ((onTwo - 2 * base) / (DELIVERIES / MEMBERS)) * 1e6;
  onStep("5/6 records to another node");
  const nodes = await measureNodes();
  onStep("6/6 memory of servers and shards");
  const one = await measureServerBytes(1);
  const shard = ((await measureServerBytes(MANY_SHARDS)) - one) / (MANY_SHARDS - 1);
  return {
    measuredOn: describeMachine(),
    baseCores: { shard: base, link: nodes.link / 2, broker: nodes.broker },
    cpuUs: {
      join: ((median(joins.map(({ cores }) => cores)) - base) / JOINS) * 1e6,
      heartbeat: ((heartbeats - base) / BEATING) * 1e6,
      broadcast,
      delivery,
      deliveryByte,
      record: ofTwo - broadcast - MEMBERS * (delivery + SMALL_BYTES * deliveryByte),
      nodeRecord: nodes.record,
      brokerRecord: nodes.brokerRecord,
    },
    bytes: {
      node: one - shard,
      shard,
      connection: median(joins.map(({ bytes }) => bytes)),
      kernelConnection: median(joins.map(({ kernelBytes }) => kernelBytes)),
    },
  };
}

function describeMachine(): string {
  const [first, ...others] = cpus();
  const day = new Date().toISOString().slice(0, 10);
  return `${first?.model.trim() ?? "unknown CPU"}, ${others.length + 1} cores shared by servers and load, Node.js ${process.versions.node}, ${day}`;
}

async function repeat<Result>(measure: () => Promise<Result>): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (let round = 0; round < ROUNDS; round++) results.push(await measure());
  return results;
}

async function medianOf(measure: () => Promise<number>): Promise<number> {
  return median(await repeat(measure));
}

/** Fits a line through two measurements: cores at a rate of 0, and microseconds per event. */
export function line(
  fewPerSecond: number,
  fewCores: number,
  manyPerSecond: number,
  manyCores: number,
): { readonly base: number; readonly us: number } {
  const each = (manyCores - fewCores) / (manyPerSecond - fewPerSecond);
  return { base: fewCores - each * fewPerSecond, us: each * 1e6 };
}

/** The parts of the generator's JSON that are used. */
interface Run {
  readonly window: { readonly serverCpuShare: number };
  readonly delivered: number;
  readonly memory: { readonly bytesPerConnection: number };
}

/** Runs a load on a server. @param load - the generator's scenario and options */
async function runOn({ url, pid }: RunningServer, load: string): Promise<Run> {
  const words = [...load.split(" "), "--json", "--url", url, "--server-pid", String(pid)];
  return JSON.parse(await runForJson(words)) as Run;
}

/** Runs a load on a new server. @returns the number of cores that the server used */
async function coresOf(load: string, shards = 1): Promise<number> {
  const server = await startServer("simurgh", shards);
  const { window } = await runOn(server, load);
  await server.stop();
  return window.serverCpuShare;
}

function measureEcho(rate: number): Promise<number> {
  return coresOf(`echo --connections 200 --rate ${rate} --duration ${SECONDS}s`);
}

function measureHeartbeats(): Promise<number> {
  return coresOf(`idle --connections ${BEATING} --heartbeat 1s --duration ${SECONDS}s`);
}

interface Joins {
  readonly cores: number;
  readonly bytes: number;
  readonly kernelBytes: number;
}

async function measureJoins(): Promise<Joins> {
  const server = await startServer("simurgh", 1);
  const before = readKernelBytes();
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, readKernelBytes())), SAMPLE_MS);
  const { window, memory } = await runOn(server, `connect --connections ${JOINED} --rate ${JOINS}`);
  clearInterval(watch);
  await server.stop();
  return {
    cores: window.serverCpuShare,
    bytes: memory.bytesPerConnection,
    // Both ends of each connection are on this machine.
    kernelBytes: (most - before) / JOINED / 2,
  };
}

/** @throws Error if this process may not read the file; root may */
function readKernelBytes(): number {
  const slabs = readSlabs(readFileSync("/proc/slabinfo", "utf8"));
  return [...slabs.values()].reduce((sum, bytes) => sum + bytes, 0);
}

interface Fanout {
  readonly members: number;
  readonly payloadBytes?: number;
  readonly shards?: number;
}

function measureFanout({ members, payloadBytes = SMALL_BYTES, shards }: Fanout): Promise<number> {
  return coresOf(fanoutOf(members, DELIVERIES / members, payloadBytes), shards);
}

function fanoutOf(members: number, rate: number, payloadBytes: number): string {
  const topics = CONNECTIONS / members;
  return `fanout --connections ${CONNECTIONS} --topics ${topics} --rate ${rate} --payload ${payloadBytes} --duration ${SECONDS}s`;
}

async function measureBroadcasts(
  base: number,
): Promise<Pick<UnitCosts["cpuUs"], "broadcast" | "delivery" | "deliveryByte">> {
  const few = await medianOf(() => measureFanout({ members: FEW }));
  const many = await medianOf(() => measureFanout({ members: MANY }));
  const large = await medianOf(() => measureFanout({ members: MANY, payloadBytes: LARGE_BYTES }));
  const broadcast = ((few - many) / (DELIVERIES / FEW - DELIVERIES / MANY)) * 1e6;
  const delivery = ((many - base) / DELIVERIES) * 1e6 - broadcast / MANY;
  const bytes = LARGE_BYTES - SMALL_BYTES;
  const deliveryByte = Math.max(0, ((large - many) / DELIVERIES / bytes) * 1e6);
  return { broadcast, delivery: delivery - deliveryByte * SMALL_BYTES, deliveryByte };
}

/** The additional CPU that a link costs two nodes and Redis. */
interface Nodes {
  /** Cores used by both links. */
  readonly link: number;
  readonly broker: number;
  /** Microseconds for each broadcast from one node to the other. */
  readonly record: number;
  readonly brokerRecord: number;
}

async function measureNodes(): Promise<Nodes> {
  const redis = await TestRedis.start();
  try {
    const few = await measureNodesAt(NODE_RATES.few, redis);
    const many = await measureNodesAt(NODE_RATES.many, redis);
    const nodes = line(NODE_RATES.few, few.nodes, NODE_RATES.many, many.nodes);
    const broker = line(NODE_RATES.few, few.broker, NODE_RATES.many, many.broker);
    return { link: nodes.base, broker: broker.base, record: nodes.us, brokerRecord: broker.us };
  } finally {
    await redis.kill();
  }
}

/**
 * Measures the additional cores that two linked nodes use compared with two unlinked nodes, and the
 * cores of Redis.
 */
async function measureNodesAt(
  rate: number,
  redis: TestRedis,
): Promise<{ readonly nodes: number; readonly broker: number }> {
  const rounds = await repeat(async () => {
    const apart = await measurePair(rate, {}, redis);
    const together = await measurePair(rate, { SIMURGH_CLUSTER_URL: redis.url }, redis);
    return { nodes: together.nodes - apart.nodes, broker: together.broker - apart.broker };
  });
  return {
    nodes: median(rounds.map(({ nodes }) => nodes)),
    broker: median(rounds.map(({ broker }) => broker)),
  };
}

/**
 * Measures two nodes, one of which has all clients, while the other receives broadcasts but has no
 * subscribers.
 */
async function measurePair(
  rate: number,
  env: Readonly<Record<string, string>>,
  redis: TestRedis,
): Promise<{ readonly nodes: number; readonly broker: number }> {
  const near = await startServer("simurgh", 1, { env });
  const far = await startServer("simurgh", 1, { env });
  const [farNs, brokerUs] = [cpuNsOf(far.pid), await redis.cpuUs()];
  const { window, delivered } = await runOn(near, fanoutOf(FEW, rate, SMALL_BYTES));
  // The far node and Redis also handle the warm-up, so the time is derived from the number of
  // deliveries.
  const seconds = delivered / FEW / rate;
  const farCores = (cpuNsOf(far.pid) - farNs) / 1e9 / seconds;
  const broker = ((await redis.cpuUs()) - brokerUs) / 1e6 / seconds;
  await near.stop();
  await far.stop();
  return { nodes: window.serverCpuShare + farCores, broker };
}

function cpuNsOf(pid: number): number {
  return [...readThreads(pid).values()].reduce((sum, { ranNs }) => sum + ranNs, 0);
}

/** Measures the memory of an idle server. */
async function measureServerBytes(shards: number): Promise<number> {
  const server = await startServer("simurgh", shards);
  await rest(REST_MS);
  const bytes = readMemory(server.pid);
  await server.stop();
  if (bytes === null)
    throw new Error("the memory of a process must be readable in /proc, which needs Linux");
  return bytes;
}
