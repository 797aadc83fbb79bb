/**
 * The suite for custom transports, with server-sent events. Each request has a connection of its own, so that they reach
 * all shards.
 *
 * Runs on: the test's thread; the server's shards are threads of the same process.
 * Slow: a server for each case.
 */

import { request, type IncomingMessage } from "node:http";
import { describe, it } from "node:test";

import { transportCases } from "../../../src/testing/index.ts";
import type {
  TransportConnect,
  TransportEvents,
  TransportTestClient,
} from "../../../src/testing/index.ts";
import { lineOf, tryFrame } from "../../../src/transport/sse/event.ts";
import { askHttp, SseReader } from "../../support/sse-client.ts";
import { Deferred } from "../../support/world.ts";
import { REFUSALS } from "../../support/transport-refusals.ts";

function connect(
  { port, path, params }: TransportConnect,
  events: TransportEvents,
): TransportTestClient {
  const url = `${path}/sse?${new URLSearchParams(params).toString()}`;
  const asked = request({ host: "127.0.0.1", port, path: url, agent: false });
  const opened = new Deferred<string>();
  // Of a client that is refused, nobody waits for it.
  opened.promise.catch(() => {});
  let response: IncomingMessage | undefined;
  asked.on("error", () => {});
  asked.on("close", () => {
    opened.reject(new Error("the stream has ended"));
    events.closed(1_006);
  });
  asked.on("response", (given) => {
    response = given;
    const refusal = REFUSALS[given.statusCode ?? 0];
    if (refusal) events.refused(refusal);
    else void read(new SseReader(given), opened, events);
  });
  asked.end();
  const headers = async (): Promise<Record<string, string>> => ({
    "x-simurgh-session": await opened.promise,
  });
  return {
    async send(frame) {
      const { status } = await askHttp(port, "POST", url, await headers(), lineOf(frame));
      if (status !== 204) throw new Error(`a POST must be answered with 204, got ${status}`);
    },
    async close() {
      await askHttp(port, "DELETE", url, await headers());
    },
    cut: () => asked.destroy(),
    pause: () => response?.pause(),
    resume: () => response?.resume(),
  };
}

async function read(
  reader: SseReader,
  opened: Deferred<string>,
  events: TransportEvents,
): Promise<void> {
  for (let event = await reader.next(); event; event = await reader.next()) {
    if (event.event === "open") {
      opened.resolve((JSON.parse(event.data) as { session: string }).session);
    } else if (event.event === "close") {
      events.closed((JSON.parse(event.data) as { code: number }).code);
    } else events.frame(tryFrame(event.data) ?? "");
  }
}

describe("the suite for transports, with server-sent events", { concurrency: 2 }, () => {
  for (const { name, run } of transportCases({
    app: new URL("../../apps/sse-suite.js", import.meta.url),
    connect,
    timeoutMs: 30_000,
  })) {
    it(name, run);
  }
});
