/**
 * The Simurgh server under test: `node simurgh.js --port 4100 --shards 2 --stats-port 4101`.
 *
 * With `--attached`, an `http.Server` of Node.js has the port. Without `--shards`, the number of shards comes from the environment, like all other options.
 *
 * Runs on: the main thread of its own process.
 */

import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { serve } from "../../src/index.ts";
import { makeShardThreads, serveStats } from "./stats.ts";

const {
  port,
  shards,
  "stats-port": statsPort,
  app,
  attached: isAttached,
} = parseArgs({
  options: {
    port: { type: "string" },
    shards: { type: "string" },
    "stats-port": { type: "string" },
    app: { type: "string", default: "./app.js" },
    attached: { type: "boolean", default: false },
  },
}).values;

const data = makeShardThreads();
/** Serves what a web application would: the request by which the bench finds that the server is ready. */
const outer = isAttached ? createServer((_request, response) => response.end("ok")) : undefined;
const server = await serve({
  app: new URL(app, import.meta.url),
  ...(outer ? { attachTo: outer } : { host: "127.0.0.1", port: Number(port) }),
  ...(shards !== undefined && { shards: Number(shards) }),
  data,
  // Nothing is signed here, but a missing secret would cause a warning.
  secretKeyBase: "nobody has a secret in a benchmark: ".repeat(2),
});
outer?.listen({ host: "127.0.0.1", port: Number(port), backlog: 4_096 });
const stats = statsPort === undefined ? undefined : serveStats(server, data, Number(statsPort));
process.once("SIGTERM", () => {
  stats?.close();
  stats?.closeAllConnections();
  outer?.close();
  void server.close().then(() => outer?.closeAllConnections());
});
