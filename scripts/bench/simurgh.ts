/**
 * Simurgh, as it is measured: `node simurgh.js --port 4100 --shards 2`.
 *
 * Runs on: the main thread of a process of its own.
 */

import { parseArgs } from "node:util";
import { serve } from "../../src/index.ts";

const { port, shards } = parseArgs({
  options: { port: { type: "string" }, shards: { type: "string" } },
}).values;

const server = await serve({
  app: new URL("./app.js", import.meta.url),
  host: "127.0.0.1",
  port: Number(port),
  shards: Number(shards),
  // Nothing is signed here; without one there would be a warning.
  secretKeyBase: "nobody has a secret in a benchmark: ".repeat(2),
});
process.once("SIGTERM", () => void server.close());
