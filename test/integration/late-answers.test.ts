/**
 * Connections that are closed after the engine's callback for the request has returned leave no memory behind
 * (transport/engine/close-phase).
 *
 * Runs on: the main thread of the tests; the server has a process of its own.
 * Slow: opens tens of thousands of connections for each kind of answer.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { ServerProcess } from "../../scripts/suites/server-process.ts";
import { exchanged, requestOf } from "../support/raw-http.ts";

const CLIENTS = 32;
const WARM_UP = 6_000;
const CONNECTIONS = 16_000;
/** The engine loses 280 bytes for each socket that is closed in the phase of immediates; 350 to 560 were measured. */
const MOST_BYTES = 170;
/** Memory may grow for other reasons, but not each time. */
const ROUNDS = 4;

const LAST = ["Connection: close"];

const REQUESTS: Readonly<Record<string, string>> = {
  "a request whose body has two lengths": requestOf(
    "POST /late",
    ["Content-Length: 1", "Content-Length: 1"],
    "x",
  ),
  "a late answer to a client that asks to close": requestOf("GET /late", LAST),
  "a stream to a client that asks to close": requestOf("GET /stream", LAST),
  "a stream that is torn": requestOf("GET /torn"),
};

let server: ServerProcess;
before(async () => {
  server = await ServerProcess.start({
    app: new URL("../apps/late.js", import.meta.url),
    shards: 1,
  });
});
after(async () => server.stop(10_000));

/** Makes connections that each send one request, and waits until the server has closed them. */
async function connections(count: number, request: string): Promise<void> {
  let left = count;
  const client = async (): Promise<void> => {
    for (; left > 0; left -= 1) await exchanged(server.port, request);
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

/** Returns by how much the server's memory grew for each connection. */
async function growth(request: string): Promise<number> {
  const beforeBytes = server.residentBytes() ?? 0;
  await connections(CONNECTIONS, request);
  return ((server.residentBytes() ?? 0) - beforeBytes) / CONNECTIONS;
}

describe(
  "A connection leaves no memory behind after",
  { skip: process.platform !== "linux" && "reads /proc" },
  () => {
    for (const [what, request] of Object.entries(REQUESTS)) {
      it(what, async (context) => {
        await connections(WARM_UP, request);
        let least = Infinity;
        for (let round = 0; round < ROUNDS && least > MOST_BYTES; round += 1) {
          least = Math.min(least, await growth(request));
        }
        context.diagnostic(`${least.toFixed(0)} bytes for each connection`);
        assert.ok(least <= MOST_BYTES, `${least.toFixed(0)} bytes for each connection`);
      });
    }
  },
);
