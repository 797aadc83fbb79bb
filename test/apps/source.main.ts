/**
 * A node with the app `source`, which a test kills.
 *
 * Runs on: the main thread of a process of its own.
 */
import { serve } from "../../src/index.ts";

const server = await serve({
  app: new URL("./source.js", import.meta.url),
  host: "127.0.0.1",
  port: 0,
  shards: 2,
  secretKeyBase: "abcdefgh".repeat(8),
  logLevel: "silent",
});

console.log(`node on http://127.0.0.1:${server.port}`);
