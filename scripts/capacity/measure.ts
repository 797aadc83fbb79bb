/**
 * Measures the unit costs of this machine.
 *
 * Each cost is a difference between runs that differ in it alone:
 *
 *   join              CPU of a run that only connects and joins
 *   heartbeat         CPU of connections that only beat, once a second each
 *   broadcast,        CPU of a delivery with 5 and with 50 members: a broadcast's share of it is a
 *   delivery          fifth and a fiftieth of its cost, the rest is the delivery
 *   deliveryByte      50 members, with payloads of 2 KB and of 64 B
 *   record            20 members on two shards, less the two above
 *   nodeRecord        two nodes, one with clients, less the same node alone; Redis says its own CPU
 *   connection, shard, node      memory; the kernel's by /proc/slabinfo, half of it, as both ends are here
 *
 * Runs on: the process of `npm run capacity`, in a few minutes. Every server is a process of its own.
 */

import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { setTimeout as rest } from "node:timers/promises";
import { noRedis, TestRedis } from "../../test/support/redis.ts";
import { readSlabs } from "../account/kernel.ts";
import { median } from "../bench/comparison.ts";
import { readMeasurement, runForJson, runGenerator } from "../bench/generator.ts";
import { startServer } from "../bench/servers.ts";
import { readMemory, readThreads } from "../load/threads.ts";
import type { UnitCosts } from "./unit-costs.ts";

/** Told of each step when it begins. */
export type OnStep = (step: string) => void;

/** Runs of each kind; the median counts. */
const ROUNDS = 3;
const SECONDS = 3;
const SMALL_BYTES = 64;
const LARGE_BYTES = 2_048;
const FEW = 5;
const MEMBERS = 20;
const MANY = 50;
/** Deliveries a second of each fan-out, far from what a shard can do. */
const DELIVERIES = 20_000;
const CONNECTIONS = 1_000;
const JOINED = 8_000;
const SAMPLE_MS = 50;
/** What a server sets up after it answers is done by then. */
const REST_MS = 1_000;

/** Measures them all. @throws Error where a run fails or Redis is missing */
export async function measureUnitCosts(onStep: OnStep): Promise<UnitCosts> {
  if (noRedis !== false) throw new Error(noRedis);
  onStep("1/6 joins and memory of connections");
  const joins = await repeat(measureJoins);
  onStep("2/6 heartbeats");
  const heartbeat = median(await repeat(measureHeartbeat));
  onStep("3/6 broadcasts and deliveries");
  const few = await measureDeliveries({ members: FEW });
  const many = await measureDeliveries({ members: MANY });
  const large = await measureDeliveries({ members: MANY, payloadBytes: LARGE_BYTES });
  const broadcast = (few - many) / (1 / FEW - 1 / MANY);
  const delivery = many - broadcast / MANY;
  const deliveryByte = Math.max(0, (large - many) / (LARGE_BYTES - SMALL_BYTES));
  onStep("4/6 records to another shard");
  const two = await measureDeliveries({ members: MEMBERS, shards: 2 });
  onStep("5/6 records to another node");
  const nodeRecords = await repeat(measureNodeRecord);
  onStep("6/6 memory of servers and shards");
  const [one, five] = [await measureServerBytes(1), await measureServerBytes(5)];
  const shard = (five - one) / 4;
  return {
    measuredOn: describeMachine(),
    cpuUs: {
      join: median(joins.map(({ cpuUs }) => cpuUs)),
      heartbeat,
      broadcast,
      delivery: delivery - deliveryByte * SMALL_BYTES,
      deliveryByte,
      record: (two - delivery) * MEMBERS - broadcast,
      nodeRecord: median(nodeRecords.map(({ nodesUs }) => nodesUs)),
      brokerRecord: median(nodeRecords.map(({ brokerUs }) => brokerUs)),
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
  return `${first?.model.trim() ?? "unknown CPU"}, ${others.length + 1} cores that servers and load share, Node.js ${process.versions.node}, ${day}`;
}

async function repeat<Result>(measure: () => Promise<Result>): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (let round = 0; round < ROUNDS; round++) results.push(await measure());
  return results;
}

interface Joins {
  readonly cpuUs: number;
  readonly bytes: number;
  readonly kernelBytes: number;
}

async function measureJoins(): Promise<Joins> {
  const server = await startServer("simurgh", 1);
  const before = readKernelBytes();
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, readKernelBytes())), SAMPLE_MS);
  const words = `connect --connections ${JOINED} --rate 2k --json`.split(" ");
  const { cpuUsPerMessage, bytesPerConnection } = await runGenerator([
    ...words,
    ...serverWords(server),
  ]);
  clearInterval(watch);
  await server.stop();
  // Both ends of each connection are here.
  const kernel = (most - before) / JOINED / 2;
  return { cpuUs: cpuUsPerMessage, bytes: bytesPerConnection, kernelBytes: kernel };
}

/** @throws Error where it may not be read: root may */
function readKernelBytes(): number {
  const slabs = readSlabs(readFileSync("/proc/slabinfo", "utf8"));
  return [...slabs.values()].reduce((sum, bytes) => sum + bytes, 0);
}

async function measureHeartbeat(): Promise<number> {
  const server = await startServer("simurgh", 1);
  const words = `idle --connections ${CONNECTIONS} --heartbeat 1s --duration ${SECONDS}s --json`;
  const line = await runForJson([...words.split(" "), ...serverWords(server)]);
  await server.stop();
  const { idle } = JSON.parse(line) as {
    readonly idle: { readonly cpuUsPerConnectionSecond: number };
  };
  return idle.cpuUsPerConnectionSecond;
}

interface Fanout {
  readonly members: number;
  readonly payloadBytes?: number;
  readonly shards?: number;
}

/** Server CPU of one delivery. */
async function measureDeliveries(fanout: Fanout): Promise<number> {
  return median(
    await repeat(async () => {
      const server = await startServer("simurgh", fanout.shards ?? 1);
      const { cpuUsPerMessage } = await runGenerator([
        ...fanoutWords(fanout),
        ...serverWords(server),
      ]);
      await server.stop();
      return cpuUsPerMessage;
    }),
  );
}

function fanoutWords({ members, payloadBytes = SMALL_BYTES }: Fanout): readonly string[] {
  const [topics, rate] = [CONNECTIONS / members, DELIVERIES / members];
  return `fanout --connections ${CONNECTIONS} --topics ${topics} --rate ${rate} --payload ${payloadBytes} --duration ${SECONDS}s --json`.split(
    " ",
  );
}

function serverWords({ url, pid }: { readonly url: string; readonly pid: number }): string[] {
  return ["--url", url, "--server-pid", String(pid)];
}

/** CPU of a broadcast on two nodes, and of all else that the second one does meanwhile. */
interface Pair {
  readonly nearUs: number;
  readonly farUs: number;
  readonly brokerUs: number;
}

/** What a broadcast costs more where there is another node, which has no subscriber to it. */
async function measureNodeRecord(): Promise<{ nodesUs: number; brokerUs: number }> {
  const redis = await TestRedis.start();
  try {
    const apart = await measurePair({}, redis);
    const together = await measurePair({ SIMURGH_CLUSTER_URL: redis.url }, redis);
    const nodesUs = together.nearUs - apart.nearUs + together.farUs - apart.farUs;
    return { nodesUs, brokerUs: together.brokerUs - apart.brokerUs };
  } finally {
    await redis.kill();
  }
}

async function measurePair(env: Readonly<Record<string, string>>, redis: TestRedis): Promise<Pair> {
  const near = await startServer("simurgh", 1, { env });
  const far = await startServer("simurgh", 1, { env });
  const before = { farNs: cpuNs(far.pid), brokerUs: await redis.cpuUs() };
  const line = await runForJson([...fanoutWords({ members: MEMBERS }), ...serverWords(near)]);
  const { cpuUsPerMessage } = readMeasurement(line);
  // The far node hears those of the warm-up as well.
  const sent = (JSON.parse(line) as { readonly delivered: number }).delivered / MEMBERS;
  const farUs = (cpuNs(far.pid) - before.farNs) / 1_000;
  const brokerUs = (await redis.cpuUs()) - before.brokerUs;
  await near.stop();
  await far.stop();
  return {
    nearUs: cpuUsPerMessage * MEMBERS,
    farUs: farUs / sent,
    brokerUs: brokerUs / sent,
  };
}

function cpuNs(pid: number): number {
  return [...readThreads(pid).values()].reduce((sum, { ranNs }) => sum + ranNs, 0);
}

/** Memory of a server that has rested. */
async function measureServerBytes(shards: number): Promise<number> {
  const server = await startServer("simurgh", shards);
  await rest(REST_MS);
  const bytes = readMemory(server.pid);
  await server.stop();
  if (bytes === null) throw new Error("/proc must tell the memory of a process: this needs Linux");
  return bytes;
}
