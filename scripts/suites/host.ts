/**
 * The server under test: `node host.js --app FILE --port 4100 --shards 2 --stats-port 4101`.
 *
 * All other options come from the environment. SIGTERM closes it, SIGHUP restarts its shards one by
 * one. The stats are served by main on a port of their own.
 *
 * Runs on: the main thread of its own process.
 */

import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { serve, type ServerStats } from "../../src/index.ts";
import { makeProbe, readProbe, type Probed } from "./probe.ts";

/** The answer of `GET /stats`. */
export interface HostStats extends Pick<ServerStats, "shards" | "total" | "index"> {
  readonly probed: readonly Probed[];
  readonly rssBytes: number;
  /** Figures of main itself. */
  readonly main: {
    readonly heapBytes: number;
    readonly externalBytes: number;
    readonly handles: number;
  };
  /** Restarts of a shard that failed. */
  readonly failedRestarts: readonly string[];
}

const { values } = parseArgs({
  options: {
    app: { type: "string" },
    port: { type: "string" },
    shards: { type: "string" },
    "stats-port": { type: "string" },
  },
});

const data = makeProbe();
const failedRestarts: string[] = [];
const server = await serve({
  app: new URL(values.app ?? ""),
  host: "127.0.0.1",
  port: Number(values.port),
  shards: Number(values.shards),
  data,
  secretKeyBase: "nothing is secret in a test server ".repeat(2),
});

const stats = createServer((_request, response) => {
  const { shards, total, index } = server.stats();
  const memory = process.memoryUsage();
  const answer: HostStats = {
    shards,
    total,
    index,
    probed: readProbe(data, server.shards),
    rssBytes: memory.rss,
    main: {
      heapBytes: memory.heapUsed,
      externalBytes: memory.external,
      handles: process.getActiveResourcesInfo().length,
    },
    failedRestarts,
  };
  response.end(JSON.stringify(answer));
}).listen(Number(values["stats-port"]), "127.0.0.1");

async function restart(): Promise<void> {
  for (let shard = 0; shard < server.shards; shard++) {
    try {
      await server.restartShard(shard);
    } catch (error) {
      failedRestarts.push(String(error));
    }
  }
}

process.on("SIGHUP", () => void restart());
process.once("SIGTERM", () => {
  stats.close();
  stats.closeAllConnections();
  void server.close();
});
