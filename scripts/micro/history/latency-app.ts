/**
 * The app of `latency`: one topic with a history, and one without, that each shard listens to.
 *
 * Runs on: shard.
 */

import { BroadcastChannel } from "node:worker_threads";

import { defineChannel, defineEndpoint, defineSocket, ok } from "../../../src/index.ts";

const socket = defineSocket({ connect: () => ok({}) });
const plain = defineChannel(socket, { join: () => ok() });
const kept = defineChannel(socket, {
  history: { size: 1_000, ttlMs: 300_000 },
  join: () => ok(),
});

export default defineEndpoint({
  sockets: { "/socket": { socket, channels: { "plain:*": plain, "kept:*": kept } } },
  start(context) {
    const results = new BroadcastChannel("history-latency");
    results.unref();
    let delaysUs: number[] = [];
    const listen = ({ payload }: { readonly payload: unknown }): void => {
      const { sentNs, isLast } = payload as { sentNs: number; isLast: boolean };
      delaysUs.push((Number(process.hrtime.bigint()) - sentNs) / 1_000);
      if (!isLast) return;
      results.postMessage(delaysUs);
      delaysUs = [];
    };
    context.subscribe("plain:1", listen);
    context.subscribe("kept:1", listen);
  },
});
