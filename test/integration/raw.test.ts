/**
 * Raw sockets, raw channels and custom serializers with whole servers: the official client, several
 * shards, the host.
 *
 * Runs on: the main thread of the tests; the server's shards are threads of the same process.
 * Slow: each suite starts servers.
 */

import assert from "node:assert/strict";
import { LongPoll } from "phoenix";
import type { Channel, Socket } from "phoenix";
import { after, afterEach, before, describe, it } from "node:test";

import { Client } from "../support/client.ts";
import { within } from "../support/deadline.ts";
import {
  connectPhoenix,
  disconnect,
  join,
  leave,
  push,
  received,
} from "../support/phoenix-client.ts";
import { RawLongPollClient, RawWebSocketClient } from "../support/raw-client.ts";
import { startServer } from "../support/server.ts";
import type { Server } from "../support/server.ts";
import { Deferred } from "../support/world.ts";

/** Collects the ends that the app broadcasts on the topic `log`. */
async function heard(server: Server, count: number): Promise<() => Promise<unknown[]>> {
  const events: unknown[] = [];
  const all = new Deferred<unknown[]>();
  server.subscribe("log", ({ event, payload }) => {
    events.push([event, payload]);
    if (events.length === count) all.resolve(events);
  });
  await Promise.resolve();
  return () => within(all.promise, `${count} ends`);
}

for (const shards of [1, 2]) {
  for (const transport of ["websocket", "longpoll"] as const) {
    describe(`A raw channel, for the official client by ${transport}, with ${shards} shards`, () => {
      let server: Server;
      const sockets: Socket[] = [];
      before(async () => {
        server = await startServer("raw", { shards });
      });
      after(() => server.close());
      afterEach(async () => {
        await Promise.all(sockets.splice(0).map(disconnect));
      });

      async function connected(user: string): Promise<Socket> {
        const options = transport === "longpoll" ? { transport: LongPoll } : {};
        const socket = await connectPhoenix(server.port, { user_id: user }, options);
        sockets.push(socket);
        return socket;
      }

      async function joined(user: string, topic: string): Promise<Channel> {
        const channel = (await connected(user)).channel(topic, {});
        assert.deepEqual(await join(channel), { user, options: { n: 1 } });
        return channel;
      }

      it("joins, replies, leaves, and is joined again", async () => {
        const channel = await joined("ann", "raw:1");
        assert.deepEqual(await push(channel, "any", { n: 1 }), { n: 1 });
        await leave(channel);
        assert.equal(channel.state, "closed");
        const [socket] = sockets;
        const again = socket?.channel("raw:1", {}) ?? assert.fail("there is no socket");
        assert.deepEqual(await join(again), { user: "ann", options: { n: 1 } });
      });

      it("refuses a join, and other channels of the connection continue", async () => {
        const channel = await joined("ann", "raw:1");
        const [socket] = sockets;
        const other =
          socket?.channel("raw:2", { refuse: "full" }) ?? assert.fail("there is no socket");
        await assert.rejects(join(other), /error \{"reason":"full"\}/);
        await leave(other);
        assert.deepEqual(await push(channel, "any", {}), {});
      });

      it("is joined again by the client after an error", async () => {
        const channel = await joined("ann", "raw:1");
        const failed = new Deferred();
        channel.onError((reason) => failed.resolve(reason));
        channel.push("boom", {}, 1);
        await within(failed.promise, "phx_error");
        // The client keeps it until the channel is joined.
        assert.deepEqual(await push(channel, "any", { n: 2 }), { n: 2 });
      });

      it("pushes broadcasts in its own form, whoever sent them", async () => {
        const channels = [await joined("ann", "raw:news"), await joined("bob", "raw:news")];
        const [ann = assert.fail(), bob = assert.fail()] = channels;
        const shouts = channels.map((channel) => received(channel, "shout"));
        ann.push("shout", { n: 1 }, 1);
        assert.deepEqual(await Promise.all(shouts), [
          { said: { n: 1 }, to: "ann" },
          { said: { n: 1 }, to: "bob" },
        ]);
        const news = received(bob, "news");
        server.broadcast("raw:news", "news", { n: 2 });
        assert.deepEqual(await news, { said: { n: 2 }, to: "bob" });
        assert.equal(await server.subscribers("raw:news"), 2);
      });
    });
  }

  describe(`A raw socket, with ${shards} shards`, () => {
    let server: Server;
    before(async () => {
      server = await startServer("raw", { shards });
    });
    after(() => server.close());

    it("gets broadcasts of the host and of channels on every shard", async () => {
      const clients = [];
      const served = new Set<string>();
      while (served.size < server.shards) {
        const client = await RawWebSocketClient.connect(server.port);
        await client.send("shard");
        served.add(await client.next());
        clients.push(client);
      }
      const polling = await RawLongPollClient.connect(server.port);
      await polling.send("hi");
      assert.equal(await polling.next(), "hi");
      server.broadcast("news", "flash", { n: 1 });
      for (const client of [...clients, polling]) {
        assert.equal(await client.next(), '{"topic":"news","event":"flash","payload":{"n":1}}');
      }
      await Promise.all(clients.map((client) => client.close()));
    });

    it("ends by its id wherever it is, or by its own code, and learns why", async () => {
      const ends = await heard(server, 3);
      const banned = await RawWebSocketClient.connect(server.port, "user_id=ann");
      const polling = await RawLongPollClient.connect(server.port, "user_id=ann");
      const other = await RawWebSocketClient.connect(server.port, "user_id=bob");
      await banned.send("hi");
      assert.equal(await banned.next(), "hi");
      server.disconnect("users:ann");
      assert.deepEqual([await banned.closed(), await polling.closed()], ["1001", "ended"]);
      await other.send("bye");
      assert.equal(await other.closed(), "4000 bye");
      const disconnected = ["socket", { user: "ann", reason: '{"shutdown":"disconnected"}' }];
      const all = await ends();
      assert.deepEqual(all.slice(0, 2), [disconnected, disconnected]);
      assert.deepEqual(all[2], ["socket", { user: "bob", reason: "normal" }]);
    });
  });
}

describe("The end of a server with raw sockets and channels", () => {
  it("is reported to raw channels, which may still push, and closes all with 1012", async () => {
    const server = await startServer("raw", { shards: 2 });
    const ends = await heard(server, 2);
    const client = await Client.connect(server.port);
    await client.replyTo(client.join("raw:1"));
    const raw = await RawWebSocketClient.connect(server.port);
    await raw.send("hi");
    assert.equal(await raw.next(), "hi");
    const closed = server.close();
    await client.next("bye");
    assert.equal((await client.closed()).code, 1012);
    assert.equal(await raw.closed(), "1012");
    const told = (await ends()).map((event) => JSON.stringify(event)).toSorted();
    assert.deepEqual(told, [
      '["channel",{"reason":"{\\"shutdown\\":\\"draining\\"}"}]',
      '["socket",{"user":"nobody","reason":"shutdown"}]',
    ]);
    await closed;
  });
});

describe("A mount's own serializer", () => {
  let server: Server;
  before(async () => {
    server = await startServer("raw", { shards: 2 });
  });
  after(() => server.close());

  it("serves the versions that it is listed for, beside others, on all shards", async () => {
    const clients = [];
    for (let n = 0; n < 2; n += 1) {
      const client = await RawWebSocketClient.connect(server.port, "vsn=3.1.0", "/socket");
      await client.send("7 7 room:1 phx_join {}");
      assert.equal(await client.next(), '7 7 room:1 phx_reply {"status":"ok","response":{}}');
      clients.push(client);
    }
    const other = await Client.connect(server.port);
    await other.replyTo(other.join("room:1"));
    await clients[0]?.send('7 8 room:1 shout {"n":1}');
    for (const client of clients) {
      assert.equal(await client.next(), 'null null room:1 shout {"n":1}');
    }
    assert.deepEqual((await other.next("shout")).payload, { n: 1 });
    await other.close();
  });

  it("may belong to one transport, while another of the mount has Phoenix's", async () => {
    const refused = RawWebSocketClient.connect(server.port, "vsn=1.0.0", "/socket");
    await assert.rejects(refused, /403/);
    const client = await RawLongPollClient.connect(server.port, "vsn=1.0.0", "/socket");
    await client.send('{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}');
    assert.match(await client.next(), /^\{"topic":"room:1","event":"phx_reply"/);
  });
});
