/**
 * A host that embeds the throwing app, and closes it on SIGTERM.
 *
 * Runs on: the main thread of a process of its own.
 */
import { serve } from "../../src/index.ts";

const server = await serve({
  app: new URL("./thrown.js", import.meta.url),
  host: "127.0.0.1",
  port: 0,
  shards: 1,
  secretKeyBase: "abcdefgh".repeat(8),
  logLevel: "error",
});

process.on("SIGTERM", () => void server.close());
console.log(`host on http://127.0.0.1:${server.port}`);
