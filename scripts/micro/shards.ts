/**
 * Measures the cost of shards: time and CPU to start, and resident memory for each shard.
 *
 * Runs on: the server's main thread. For comparison, it also starts the same number of empty workers.
 * Usage:   npm run build && node dist/scripts/micro/shards.js [shards]
 *
 * Rings and index become resident only as they are used, so their address space is shown
 * separately. The figures exclude everything that is loaded once per process (the engine and
 * modules). The cost of an empty worker is shown separately, because every Node.js thread has this
 * cost.
 */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";

import { serve } from "../../src/index.ts";

const APP = new URL("../../src/demo/app.js", import.meta.url);
const EMPTY =
  "setInterval(() => {}, 1e6); require('node:worker_threads').parentPort.postMessage(0);";
const MIB = 1_048_576;

const shards = Number(process.argv[2] ?? 64);

function resident(): number {
  if (process.platform !== "linux") return process.memoryUsage().rss;
  const pages = readFileSync("/proc/self/statm", "utf8").split(" ")[1];
  return Number(pages) * 4_096;
}

function say(what: string, value: string): void {
  console.log(`${what.padEnd(34)} ${value.padStart(12)}`);
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

async function measureEmpty(): Promise<number> {
  const before = resident();
  const workers = Array.from({ length: shards }, () => new Worker(EMPTY, { eval: true }));
  await Promise.all(workers.map(async (worker) => once(worker, "message")));
  const each = (resident() - before) / shards;
  await Promise.all(workers.map(async (worker) => worker.terminate()));
  return each;
}

async function measureServer(count: number): Promise<{ bytes: number; ms: number; cpuMs: number }> {
  const [before, startMs, cpu] = [resident(), performance.now(), process.cpuUsage()];
  const server = await serve({
    app: APP,
    host: "127.0.0.1",
    port: 0,
    shards: count,
    logLevel: "silent",
    secretKeyBase: "measure".repeat(10),
  });
  const ms = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpu);
  const bytes = resident() - before;
  await server.close();
  return { bytes, ms, cpuMs: (user + system) / 1_000 };
}

const members = shards + 3;
// The first server loads everything that exists once per process.
await measureServer(1);
const { bytes, ms, cpuMs } = await measureServer(shards);
const empty = await measureEmpty();
say("shards", String(shards));
say("start, wall", `${(ms / 1_000).toFixed(1)} s`);
say("CPU to start each", `${Math.round(cpuMs / shards)} ms`);
say("resident, each", mib(bytes / shards));
say("resident, an empty worker", mib(empty));
say("address space of the index", mib(2 ** 20 * Math.ceil(members / 32) * 4));
