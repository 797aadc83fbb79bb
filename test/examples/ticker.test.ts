/**
 * The README's example of a raw socket.
 *
 * Runs on: the test's thread; the server's shards are threads of the same process.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { serve } from "../../src/index.ts";
import { RawLongPollClient, RawWebSocketClient } from "../support/raw-client.ts";
import type { Server } from "../support/server.ts";

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

  it("tells what is asked for, over WebSocket and long-poll, until it is asked for no more", async () => {
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

  it("lets nobody in without a name, and takes no bytes", async () => {
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
