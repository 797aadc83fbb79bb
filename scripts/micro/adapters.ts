/**
 * Measures adapters: broadcasts per second from one node to another, and the CPU of both nodes and of the
 * server between them.
 *
 * Runs on: the main thread, and two threads in the role of two nodes' links. Redis runs in another
 *          process.
 * Usage:   npm run build && node dist/scripts/micro/adapters.js
 *
 * Like a link, the sender sends up to 256 records per turn. According to the receiver's count, the
 * sender never has more than `WINDOW_BYTES` in flight, so that neither side's buffers grow without
 * bound.
 */

import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

import type { Adapter, AdapterReports } from "../../src/pubsub/adapter.ts";
import { MemoryAdapter } from "../../src/pubsub/adapters/memory.ts";
import { makeRedisAdapter } from "../../src/pubsub/adapters/redis.ts";
import { noRedis, TestRedis } from "../../test/support/redis.ts";

type Kind = "memory" | "redis";

interface Job {
  readonly kind: Kind;
  readonly url: string;
  readonly role: "sender" | "receiver";
  readonly bytes: number;
  readonly count: number;
  /** One word: the number of broadcasts received. */
  readonly received: SharedArrayBuffer;
}

const TURN = 256;
const WINDOW_BYTES = 8_388_608;
const ROUNDS = 3;
const NO_REPORTS: AdapterReports = {
  onLost() {
    throw new Error("broadcasts were lost");
  },
  onConnected() {},
  onDisconnected() {},
  onError(error) {
    throw error;
  },
};

if (isMainThread) await main();
else await work(workerData as Job);

function makeAdapter({ kind, url, role }: Job): Adapter {
  if (kind === "memory") return new MemoryAdapter({ hub: "measure", nodeName: role });
  return makeRedisAdapter({
    clusterUrl: url,
    clusterName: "measure",
    nodeName: role,
    clusterQueueBytes: 2 ** 26,
  });
}

/**
 * Runs one of the two threads: reports its start, waits for the order to work, and reports its end.
 */
async function work(job: Job): Promise<void> {
  const port = parentPort;
  if (!port) throw new Error("must run on a worker");
  const received = new Int32Array(job.received);
  const adapter = makeAdapter(job);
  const onBroadcast = (): void => {
    if (Atomics.add(received, 0, 1) + 1 === job.count) port.postMessage("done");
  };
  await adapter.start(onBroadcast, () => {}, NO_REPORTS);
  port.postMessage("ready");
  await once(port, "message");
  if (job.role === "sender") await send(adapter, job, received);
  await once(port, "message");
  await adapter.stop();
}

async function send(adapter: Adapter, { bytes, count }: Job, received: Int32Array): Promise<void> {
  const envelope = new Uint8Array(bytes).fill(120);
  for (let sent = 0; sent < count;) {
    if ((sent - Atomics.load(received, 0)) * bytes < WINDOW_BYTES) {
      for (let n = 0; n < TURN && sent < count; n += 1, sent += 1) {
        adapter.broadcast("room:measured", envelope);
      }
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

async function measure(job: Omit<Job, "role" | "received">, redis?: TestRedis): Promise<string> {
  const received = new SharedArrayBuffer(4);
  const threads = (["receiver", "sender"] as const).map(
    (role) => new Worker(new URL(import.meta.url), { workerData: { ...job, role, received } }),
  );
  await Promise.all(threads.map((thread) => once(thread, "message")));
  const [before, redisBefore] = [process.cpuUsage(), (await redis?.cpuUs()) ?? 0];
  const startMs = performance.now();
  // The other thread ends later, but its failure ends this measurement too.
  const done = Promise.race([
    once(threads[0] as Worker, "message"),
    once(threads[1] as Worker, "exit"),
  ]);
  for (const thread of threads) thread.postMessage("go");
  await done;
  const tookMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(before);
  const redisUs = ((await redis?.cpuUs()) ?? 0) - redisBefore;
  const ended = Promise.all(threads.map((thread) => once(thread, "exit")));
  for (const thread of threads) thread.postMessage("stop");
  await ended;
  const perSecond = Math.round((job.count / tookMs) * 1_000);
  const [nodesUs, serverUs] = [(user + system) / job.count, redisUs / job.count];
  return `${job.kind} ${job.bytes} B: ${perSecond}/s, both nodes ${nodesUs.toFixed(2)} µs, server ${serverUs.toFixed(2)} µs each`;
}

async function main(): Promise<void> {
  if (noRedis) throw new Error(noRedis);
  const redis = await TestRedis.start();
  try {
    for (const [bytes, count] of [
      [200, 200_000],
      [16_384, 20_000],
    ] as const) {
      for (let round = 0; round < ROUNDS; round += 1) {
        console.log(await measure({ kind: "memory", url: "", bytes, count }));
        console.log(await measure({ kind: "redis", url: redis.url, bytes, count }, redis));
      }
    }
  } finally {
    await redis.kill();
  }
}
