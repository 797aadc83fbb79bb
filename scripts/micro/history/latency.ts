/**
 * Measures what a history adds to the latency of a broadcast: the time from `server.broadcast` on the main thread
 * until a listener on a shard has the message, for a topic without and one with a history in turns.
 *
 * Runs on: the main thread; the shards and the keeper are threads of the same process.
 * Usage:   npm run build && node dist/scripts/micro/history/latency.js
 *
 * No connections take part, since sockets would cost more than what is measured. Messages are sent when they are
 * due by the clock, several in a turn if the timer is slower than the rate.
 */

import { setTimeout as wait } from "node:timers/promises";
import { BroadcastChannel } from "node:worker_threads";

import { serve, type Server } from "../../../src/index.ts";

/** Messages a second, and how many are sent in each round. */
const LOADS = [
  { perSecond: 1, count: 15 },
  { perSecond: 1_000, count: 5_000 },
  { perSecond: 100_000, count: 500_000 },
];
const ROUNDS = 3;
const TOPICS = ["plain:1", "kept:1"] as const;
const PADDING = "x".repeat(100);

for (const shards of [1, 2]) {
  const server = await serve({
    app: new URL("latency-app.js", import.meta.url),
    host: "127.0.0.1",
    port: 0,
    shards,
    logLevel: "error",
    secretKeyBase: "nobody has a secret in a measurement: ".repeat(2),
  });
  console.log(`${shards} shards, ${ROUNDS} rounds in turns`);
  await send(server, shards, "kept:1", { perSecond: 10_000, count: 50_000 });
  await send(server, shards, "plain:1", { perSecond: 10_000, count: 50_000 });
  for (const load of LOADS) await compare(server, shards, load);
  await server.close();
}

async function compare(
  server: Server,
  shards: number,
  load: (typeof LOADS)[number],
): Promise<void> {
  const delaysUs: Record<(typeof TOPICS)[number], number[]> = { "plain:1": [], "kept:1": [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const topic of TOPICS) {
      for (const delayUs of await send(server, shards, topic, load)) delaysUs[topic].push(delayUs);
    }
  }
  for (const topic of TOPICS) {
    const sorted = Float64Array.from(delaysUs[topic]).toSorted();
    const at = (share: number): string =>
      `${(sorted[Math.floor(sorted.length * share)] as number).toFixed(0)} µs`;
    console.log(
      `  ${String(load.perSecond).padStart(7)} a second  ${topic.padEnd(8)} p50 ${at(0.5)}, p99 ${at(0.99)}`,
    );
  }
}

/** Sends messages at a rate. @returns the delays of all shards (µs) */
async function send(
  server: Server,
  shards: number,
  topic: string,
  { perSecond, count }: (typeof LOADS)[number],
): Promise<number[]> {
  const results = new BroadcastChannel("history-latency");
  const delaysUs: number[] = [];
  let answers = 0;
  const done = new Promise<void>((resolve) => {
    results.addEventListener("message", (event) => {
      for (const delayUs of (event as unknown as { data: number[] }).data) delaysUs.push(delayUs);
      answers += 1;
      if (answers === shards) resolve();
    });
  });
  const startedMs = performance.now();
  for (let sent = 0; sent < count;) {
    const due = Math.min(count, ((performance.now() - startedMs) * perSecond) / 1_000);
    for (; sent < due; sent += 1) {
      const isLast = sent + 1 === count;
      server.broadcast(topic, "said", {
        sentNs: Number(process.hrtime.bigint()),
        isLast,
        padding: PADDING,
      });
    }
    await wait(Math.max(1, 1_000 / perSecond));
  }
  await done;
  results.close();
  if (delaysUs.length !== count * shards) {
    throw new Error(`all messages must arrive, got ${delaysUs.length} of ${count * shards}`);
  }
  return delaysUs;
}
