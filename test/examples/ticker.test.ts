/**
 * The README's example of a raw socket, and the same app with very many topics.
 *
 * Runs on: the test's thread; the server's shards are threads of the same process, or the server has a
 * process of its own.
 * Slow: 100 000 topics, if the engine has several shards.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { serve } from "../../src/index.ts";
import { shardsOf } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { RawLongPollClient, RawWebSocketClient } from "../support/raw-client.ts";
import type { Server } from "../support/server.ts";

/** As fast as the host sends them, one shard would miss prices of 100 000 topics. */
const TOPICS = shardsOf(2) === 1 ? 20_000 : 100_000;
/** How long a round may take on a busy machine. */
const LONG_MS = 60_000;
/** Several times the usual memory of a topic. */
const MOST_BYTES_EACH = 4_000;

describe("the README's ticker", () => {
  let server: Server;
  before(async () => {
    server = await serve({
      app: new URL("./ticker/app.js", import.meta.url),
      host: "127.0.0.1",
      port: 0,
      shards: 2,
      logLevel: "silent",
    });
  });
  after(() => server.close());

  it("sends prices of subscribed topics over WebSocket and long-poll, until unsubscribed", async () => {
    const clients = [
      await RawWebSocketClient.connect(server.port, "user=ann", "/ticker"),
      await RawLongPollClient.connect(server.port, "user=bob", "/ticker"),
    ];
    for (const client of clients) {
      await client.send("+gold");
      assert.equal(await client.next(), "+gold ok");
    }
    server.broadcast("ticker:gold", "price", { eur: 7 });
    for (const client of clients) {
      assert.equal(await client.next(), 'ticker:gold {"eur":7}');
      await client.send("-gold");
      assert.equal(await client.next(), "-gold ok");
    }
    assert.equal(await server.subscribers("ticker:gold"), 0);
  });

  it("refuses clients without a name, and binary frames", async () => {
    await assert.rejects(RawWebSocketClient.connect(server.port, "", "/ticker"), /403/);
    const client = await RawWebSocketClient.connect(server.port, "user=ann", "/ticker");
    await client.send(Buffer.from("gold"));
    assert.equal(await client.closed(), "1003 text only");
  });

  it("disconnects a user", async () => {
    const client = await RawWebSocketClient.connect(server.port, "user=eve", "/ticker");
    server.disconnect("users:eve");
    assert.equal(await client.closed(), "1001");
  });
});

describe("the ticker with very many topics", () => {
  it("reaches the subscriber of each topic in each round", async () => {
    const main = fileURLToPath(new URL("./ticker/main.js", import.meta.url));
    const env = {
      ...process.env,
      SIMURGH_PORT: "0",
      SIMURGH_SHARDS: "2",
      SIMURGH_LOG_LEVEL: "error",
    };
    const child = spawn(process.execPath, [main, String(TOPICS)], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(child, "exit");
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const next = async (what: string): Promise<string> =>
      String((await within(lines.next(), what, LONG_MS)).value);

    const [topics, bytes] = numbersOf(
      await next("the topics"),
      /^(\d+) topics for 200 clients, (\d+) bytes of memory each$/,
    );
    assert.equal(topics, TOPICS);
    assert.ok(Number(bytes) < MOST_BYTES_EACH, `${bytes} bytes`);
    for (const round of [1, 2]) {
      const line = await next(`round ${round}`);
      const found = numbersOf(line, /^round (\d+): (\d+) prices, (\d+) heard in \d+ ms$/);
      assert.deepEqual(found, [round, TOPICS, TOPICS]);
    }
    child.kill("SIGTERM");
    assert.deepEqual(await within(exited, "its end", LONG_MS), [0, null]);
  });
});

function numbersOf(line: string, pattern: RegExp): number[] {
  const found = pattern.exec(line);
  assert.ok(found, line);
  return found.slice(1).map(Number);
}
