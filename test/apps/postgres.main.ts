/**
 * A server with the PostgreSQL transport, which a test kills.
 *
 * Runs on: the main thread of a process of its own.
 */
import { serve } from "../../src/index.ts";

const server = await serve({
  app: new URL("./postgres.js", import.meta.url),
  host: "127.0.0.1",
  port: 0,
  shards: 1,
  secretKeyBase: "abcdefgh".repeat(8),
  logLevel: "warn",
});
console.log(`http://127.0.0.1:${server.port}`);

process.on("SIGTERM", () => void server.close());
