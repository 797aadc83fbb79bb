/**
 * A host that serves the stall app, floods a topic when told to, and reports its memory, its counters, and
 * the stalls that its main thread has seen.
 *
 * Runs on: the main thread of a process of its own.
 */
import { subscribe } from "node:diagnostics_channel";
import { setImmediate } from "node:timers/promises";
import { serve } from "../../src/index.ts";
import type { Flood } from "./stall.ts";

/** The report, sent on request. */
export interface StallReport {
  /** Resident bytes at the previous report, and the maximum since. */
  readonly rssBytes: number;
  readonly peakRssBytes: number;
  /** Sum of all threads. */
  readonly lapped: number;
  readonly waitedMs: number;
  /** One entry for each beginning (true) and end (false) of a stall. */
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
