/**
 * The stats that a server under load serves: the counters of its shards, and the system's thread
 * ids of the shards.
 *
 * Node.js threads have no names in the system, so each shard looks up its own thread id when it
 * starts and writes it into a word of shared memory. A request for the stats costs one HTTP request
 * on the main thread, which serves no client.
 *
 * Runs on: `serveStats` on the main thread of the server, `tellThread` on each shard.
 * Owns: each shard writes the word of its own index.
 */

import { readlinkSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import type { Server } from "../../src/index.ts";

/** The maximum number of shards of a server. */
const MAX_SHARDS = 64;

/** Passed to the shards as `data` of `serve`. */
export interface ShardThreads {
  readonly threads: SharedArrayBuffer;
}

/**
 * Creates the shared words for the thread ids of shards. They are 0 until a shard writes its id.
 */
export function makeShardThreads(): ShardThreads {
  return { threads: new SharedArrayBuffer(MAX_SHARDS * Int32Array.BYTES_PER_ELEMENT) };
}

/** Writes the system's id of this shard's thread. Does nothing on systems other than Linux. */
export function tellThread(shard: number, { threads }: ShardThreads): void {
  if (process.platform !== "linux") return;
  // The link differs for each thread that reads it: `4100/task/4107`, for example.
  const thread = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
  Atomics.store(new Int32Array(threads), shard, thread);
}

/** Serves the cheap parts of `server.stats()` and the thread ids as `GET /stats` on the loopback. */
export function serveStats(
  server: Pick<Server, "shards" | "stats">,
  { threads }: ShardThreads,
  port: number,
): HttpServer {
  const ids = new Int32Array(threads);
  const http = createServer((request, response) => {
    const isKnown = request.method === "GET" && request.url === "/stats";
    response.writeHead(isKnown ? 200 : 404, { "content-type": "application/json" });
    // Omits the index, because counting it takes milliseconds, which would distort the figures.
    const { shards, main, total } = server.stats();
    const answer = { shards, main, total, threads: [...ids.subarray(0, server.shards)] };
    response.end(JSON.stringify(isKnown ? answer : {}));
  });
  return http.listen(port, "127.0.0.1");
}
