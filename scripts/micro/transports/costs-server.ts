/**
 * The server of the costs of transports. Broadcasts as often as it is told.
 *
 * Runs on: a process of its own, with one shard.
 */

import { serve } from "../../../src/index.ts";
import { RATE, TOPIC } from "./costs-app.ts";

const server = await serve({
  app: new URL("costs-app.js", import.meta.url),
  host: "127.0.0.1",
  port: 0,
  shards: 1,
  logLevel: "warn",
  secretKeyBase: "nobody has a secret in a measurement: ".repeat(2),
});

process.on("message", (count: number) => {
  let sent = 0;
  const timer = setInterval(() => {
    const atMs = performance.timeOrigin + performance.now();
    server.broadcast(TOPIC, "said", { atMs, text: "x".repeat(50) });
    sent += 1;
    if (sent === count) clearInterval(timer);
  }, 1_000 / RATE);
});
process.send?.(server.port);
