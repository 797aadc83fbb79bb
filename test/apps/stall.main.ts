/**
 * A host that serves the stall app, floods a topic when it is told so, and says how it goes: its
 * memory, its counters, and which stalls main has seen.
 *
 * Runs on: the main thread of a process of its own.
 */
import { subscribe } from "node:diagnostics_channel";
import { setImmediate } from "node:timers/promises";
import { serve } from "../../src/index.ts";
import type { Flood } from "./stall.ts";

/** What it says when it is asked. */
export interface StallReport {
  /** Resident bytes when it was asked last, and the most since. */
  readonly rssBytes: number;
  readonly peakRssBytes: number;
  /** Of all threads. */
  readonly lapped: number;
  readonly waitedMs: number;
  /** For each stall that main saw begin or end: whether it began. */
  readonly stalls: readonly boolean[];
}

const stalls: boolean[] = [];
subscribe("simurgh:stalled", (stall) => {
  stalls.push((stall as { readonly isStalled: boolean }).isStalled);
});

const server = await serve({
  app: new URL("./stall.js", import.meta.url),
  host: "127.0.0.1",
  port: 0,
  shards: 3,
  secretKeyBase: "abcdefgh".repeat(8),
  logLevel: "error",
});

let rssBytes = process.memoryUsage.rss();
let peakRssBytes = rssBytes;
setInterval(() => {
  peakRssBytes = Math.max(peakRssBytes, process.memoryUsage.rss());
}, 20);

async function flood({ topic, from, count, bytes }: Flood): Promise<void> {
  const filler = "x".repeat(bytes);
  for (let n = 1; n <= count; n += 1) {
    server.broadcast(topic, "n", { from, n, filler });
    await setImmediate();
  }
}

function report(): StallReport {
  const { lapped, waitedMs } = server.stats().total;
  const said = { rssBytes, peakRssBytes, lapped, waitedMs, stalls: stalls.splice(0) };
  rssBytes = process.memoryUsage.rss();
  peakRssBytes = rssBytes;
  return said;
}

process.on("message", (order: Flood | "report") => {
  if (order === "report") process.send?.(report());
  else void flood(order);
});
console.log(`host on http://127.0.0.1:${server.port}`);
