/**
 * A host that embeds the stuck app, reports what its server says, and exits when it is told to.
 *
 * Runs on: the main thread of a process of its own.
 */
import { subscribe } from "node:diagnostics_channel";
import { serve } from "../../src/index.ts";

const events: unknown[] = [];
for (const name of ["shard_stuck", "server_failed"]) {
  subscribe(`simurgh:${name}`, (event) => events.push([name, event]));
}
const server = await serve({
  app: new URL("./stuck.js", import.meta.url),
  host: "127.0.0.1",
  port: 0,
  secretKeyBase: "abcdefgh".repeat(8),
});
void server.failed.then((error) => console.log(`failed: ${String(error)}`));
process.on("message", (order) => {
  if (order === "exit") process.exit(7);
  const { main, shards } = server.stats();
  const slow = shards.map((shard) => shard?.slowCallbacks);
  process.send?.({ events, isReady: server.isReady, stuck: main.stuckShards, slow });
});
console.log(`host on http://127.0.0.1:${server.port}`);
