/**
 * What a server under load tells of its shards: their counters, and the system's ids of their threads.
 *
 * Node.js gives threads no names that the system would show, so a shard looks up its own id as it
 * starts and writes it into a word of shared memory. What it costs to be asked: one HTTP request on
 * the main thread, which serves no client.
 *
 * Runs on: `serveStats` on the main thread of the server, `tellThread` on each shard.
 * Owns: each shard writes the word of its own index.
 */

import { readlinkSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import type { Server } from "../../src/index.ts";

/** As many as a server may have shards. */
const MAX_SHARDS = 64;

/** What `serve` hands to the shards as `data`. */
export interface ShardThreads {
  readonly threads: SharedArrayBuffer;
}

/** Makes the words that shards write their threads' ids to; 0 until they have. */
export function makeShardThreads(): ShardThreads {
  return { threads: new SharedArrayBuffer(MAX_SHARDS * Int32Array.BYTES_PER_ELEMENT) };
}

/** Writes the id that the system has for this shard's thread. Nothing where it is not Linux. */
export function tellThread(shard: number, { threads }: ShardThreads): void {
  if (process.platform !== "linux") return;
  // A link such as `4100/task/4107`, of the thread that reads it.
  const thread = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
  Atomics.store(new Int32Array(threads), shard, thread);
}

/** Answers `GET /stats` with what of `server.stats()` costs nothing, and the threads' ids as JSON, on the loopback. */
export function serveStats(
  server: Pick<Server, "shards" | "stats">,
  { threads }: ShardThreads,
  port: number,
): HttpServer {
  const ids = new Int32Array(threads);
  const http = createServer((request, response) => {
    const isKnown = request.method === "GET" && request.url === "/stats";
    response.writeHead(isKnown ? 200 : 404, { "content-type": "application/json" });
    // Without the index: counting it takes milliseconds, which would be in the figures.
    const { shards, main, total } = server.stats();
    const answer = { shards, main, total, threads: [...ids.subarray(0, server.shards)] };
    response.end(JSON.stringify(isKnown ? answer : {}));
  });
  return http.listen(port, "127.0.0.1");
}
