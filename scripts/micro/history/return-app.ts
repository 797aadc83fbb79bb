/**
 * The app of `return`: a topic with a history, and how long the shard's event loop was held up.
 *
 * Runs on: shard.
 */

import { monitorEventLoopDelay } from "node:perf_hooks";
import { BroadcastChannel } from "node:worker_threads";

import { defineChannel, defineEndpoint, defineSocket, ok } from "../../../src/index.ts";

const NS_PER_MS = 1e6;

const socket = defineSocket({ connect: () => ok({}) });
const kept = defineChannel(socket, {
  history: { size: 1_000, ttlMs: 300_000 },
  join: () => ok(),
});

export default defineEndpoint({
  sockets: { "/socket": { socket, channels: { "kept:*": kept } } },
  start({ shard }) {
    const orders = new BroadcastChannel("history-return");
    orders.unref();
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    orders.addEventListener("message", (event) => {
      const { data } = event as unknown as { data: unknown };
      if (data === "begin") delay.reset();
      if (data !== "tell") return;
      const p99Ms = Math.round(delay.percentile(99) / NS_PER_MS);
      const maxMs = Math.round(delay.max / NS_PER_MS);
      orders.postMessage({ shard, p99Ms, maxMs });
    });
  },
});
