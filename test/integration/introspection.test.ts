/**
 * What a server reports about its topics, connections and channels, exact over all shards.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread.
 * Slow: a shard holds its loop for seconds.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { serve } from "../../src/index.ts";
import { AppFile, chatApp } from "../support/app-file.ts";
import { Client, joined } from "../support/client.ts";
import { openedInTurn } from "../support/dealing.ts";
import { SECRET_KEY_BASE, startServer, type Server } from "../support/server.ts";

let app: AppFile;
let server: Server;
let clients: Client[] = [];

async function connect(user?: string): Promise<Client> {
  return Client.connect(server.port, user === undefined ? {} : { params: { user } });
}

describe("A server with two shards", () => {
  before(async () => {
    app = new AppFile(chatApp(1));
    server = await serve({
      app: app.path,
      host: "127.0.0.1",
      port: 0,
      shards: 2,
      secretKeyBase: SECRET_KEY_BASE,
      logLevel: "silent",
      controlTimeoutMs: 2_000,
    });
    const topics = [["a", "b"], ["a"], ["a", "c"], ["b"], ["d"]];
    clients = await openedInTurn(topics.length, {
      server,
      open: async (at) => connect(at === 4 ? "ann" : undefined),
      close: (client) => void client.cut(),
    });
    for (const [at, client] of clients.entries()) {
      for (const topic of topics[at] ?? []) await joined(client, `room:${topic}`);
    }
  });
  after(async () => {
    await Promise.all(clients.map(async (client) => client.cut()));
    await server.close();
    app.remove();
  });

  it("counts the subscribers of a topic on all shards", async () => {
    assert.equal(await server.subscribers("room:a"), 3);
    assert.equal(await server.subscribers("room:c"), 1);
    assert.equal(await server.subscribers("room:none"), 0);
  });

  it("counts subscribers in code, and no longer those that left", async () => {
    const end = server.subscribe("room:c", () => undefined);
    const client = await connect();
    await joined(client, "room:other");
    await client.replyTo(client.push("room:other", "subscribe", { topic: "room:c" }));
    assert.equal(await server.subscribers("room:c"), 3);
    end();
    assert.equal(await server.subscribers("room:c"), 2);
    await client.replyTo(client.leave("room:other"));
    assert.equal(await server.subscribers("room:c"), 1);
    await client.close();
  });

  it("lets shards count their own subscribers", async () => {
    const [first] = clients;
    assert.ok(first);
    const { response } = await first.replyTo(first.push("room:a", "count"));
    // The third client is on the shard of the first.
    assert.deepEqual(response, { count: server.shards === 1 ? 3 : 2 });
  });

  it("lists topics by name, with a prefix and up to a limit", async () => {
    assert.deepEqual(await server.topics({ prefix: "room:", limit: 3 }), [
      { topic: "room:a", subscribers: 3 },
      { topic: "room:b", subscribers: 2 },
      { topic: "room:c", subscribers: 1 },
    ]);
    const all = await server.topics();
    assert.deepEqual(
      all.map(({ topic }) => topic),
      ["ann", "room:a", "room:b", "room:c", "room:d"],
    );
  });

  it("lists connections with their sockets", async () => {
    const sockets = await server.sockets();
    assert.equal(sockets.length, 5);
    for (const { connection, shard, transport, path } of sockets) {
      const place = [connection % server.shards, transport, path];
      assert.deepEqual(place, [shard, "websocket", "/socket"]);
    }
    assert.deepEqual(
      sockets.map(({ id }) => id).filter((id) => id !== null),
      ["ann"],
    );
    const numbers = sockets.map(({ connection }) => connection);
    assert.deepEqual(
      numbers,
      numbers.toSorted((one, other) => one - other),
    );
    assert.deepEqual(await server.sockets({ limit: 2 }), sockets.slice(0, 2));
  });

  it("lists the channels of a connection", async () => {
    const ann = (await server.sockets()).find(({ id }) => id === "ann");
    assert.deepEqual(await server.channels(ann?.connection ?? -1), [
      { topic: "room:d", status: "joined" },
    ]);
    assert.equal(await server.channels(4_000_000_001), undefined);
  });

  it("returns a channel of a connection, with its assigns", async () => {
    const ann = (await server.sockets()).find(({ id }) => id === "ann");
    const { connection = -1, shard } = ann ?? {};
    assert.deepEqual(await server.channel(connection, "room:d"), {
      connection,
      id: "ann",
      shard,
      transport: "websocket",
      path: "/socket",
      topic: "room:d",
      status: "joined",
      joinRef: "11",
      assigns: { user: "ann" },
    });
    assert.equal(await server.channel(connection, "room:x"), undefined);
    assert.equal(await server.channel(4_000_000_001, "room:d"), undefined);
  });

  it("accepts limits from 1 to 10000", async () => {
    for (const limit of [0, 1.5, 10_001]) {
      const code = "SIM_ERR_OPTION_INVALID";
      await assert.rejects(server.topics({ limit }), { code, message: /\(topics\), got / });
      await assert.rejects(server.sockets({ limit }), { code, message: /\(sockets\), got / });
    }
    assert.equal((await server.topics({ limit: 10_000 })).length, 5);
  });

  it("reports which shard does not answer in time", async () => {
    const client = await connect();
    const { shard } = (await joined(client, "room:spin")) as { shard: number };
    client.push("room:spin", "spin", { ms: 4_000 });
    // The shard is blocked when the next question arrives, whichever way the push takes.
    let error: unknown;
    while (error === undefined) {
      await server.subscribers("room:a").catch((caught: unknown) => {
        error = caught;
      });
    }
    assert.equal(
      error instanceof Error && error.message,
      `shard ${shard} must answer within 2000 (ms), got no answer`,
    );
  });
});

describe("A server that is closed", () => {
  it("answers no questions", async () => {
    const closed = await startServer("channels", { shards: 1 });
    await closed.close();
    const code = "SIM_ERR_SERVER_CLOSED";
    await assert.rejects(closed.subscribers("a"), { code });
    await assert.rejects(closed.topics(), { code });
    await assert.rejects(closed.sockets(), { code });
    await assert.rejects(closed.channels(1), { code });
    await assert.rejects(closed.channel(1, "a"), { code });
  });
});
