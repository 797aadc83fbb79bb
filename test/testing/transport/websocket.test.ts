/**
 * The suite for custom transports, with WebSocket: what it asks of others, the built-in transport does.
 *
 * Runs on: the test's thread; the server's shards are threads of the same process.
 * Slow: a server for each case.
 */

import { describe, it } from "node:test";

import { WebSocket } from "ws";

import { transportCases } from "../../../src/testing/index.ts";
import type {
  TransportConnect,
  TransportEvents,
  TransportTestClient,
} from "../../../src/testing/index.ts";
import { Deferred } from "../../support/world.ts";
import { REFUSALS } from "../../support/transport-refusals.ts";

function connect(
  { port, path, params }: TransportConnect,
  events: TransportEvents,
): TransportTestClient {
  const query = new URLSearchParams(params).toString();
  const ws = new WebSocket(`ws://127.0.0.1:${port}${path}/websocket?${query}`);
  const decided = new Deferred<void>();
  ws.on("open", () => decided.resolve());
  ws.on("close", () => decided.resolve());
  ws.on("error", () => {});
  ws.on("unexpected-response", (_, { statusCode = 0 }) => {
    events.refused(REFUSALS[statusCode] ?? "failed");
    ws.terminate();
  });
  ws.on("message", (data: Buffer, isBinary) => {
    events.frame(isBinary ? new Uint8Array(data) : data.toString());
  });
  ws.on("close", (code) => events.closed(code));
  return {
    async send(frame) {
      await decided.promise;
      ws.send(frame);
    },
    close: () => ws.close(1000),
    cut: () => ws.terminate(),
    pause: () => ws.pause(),
    resume: () => ws.resume(),
  };
}

describe("the suite for transports, with WebSocket", { concurrency: 2 }, () => {
  for (const { name, run } of transportCases({
    app: new URL("../../apps/any-transport.js", import.meta.url),
    connect,
    // The engine reads on, so a client like this is cut.
    without: ["stopReading"],
    timeoutMs: 30_000,
  })) {
    it(name, run);
  }
});
