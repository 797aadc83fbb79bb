/**
 * Long-poll over real HTTP: sessions whose requests reach every shard, beside WebSocket clients.
 *
 * Runs on: the main thread of the tests; the server's shards are threads of the same process.
 * Slow: servers of 1 to 4 shards, and polls that run to their window.
 */
import assert from "node:assert/strict";
import { LongPoll } from "phoenix";
import type { Channel, Socket } from "phoenix";
import { after, before, describe, it } from "node:test";
import { Client, joined } from "../support/client.ts";
import { within } from "../support/deadline.ts";
import { noTurns } from "../support/dealing.ts";
import { ask, LongPollClient } from "../support/longpoll-client.ts";
import {
  connectPhoenix,
  disconnect,
  join,
  leave,
  push,
  received,
} from "../support/phoenix-client.ts";
import { startServer } from "../support/server.ts";
import type { Server } from "../support/server.ts";

const OK = { status: "ok", response: {} };

for (const shards of [1, 2, 4]) {
  describe(`Long-poll, with ${shards} shards`, () => {
    let server: Server;
    before(async () => {
      server = await startServer("channels", { shards, maxBodyBytes: 1_000_000 });
    });
    after(() => server.close());

    /** Two round trips to each shard, so that all earlier and all forwarded requests have been handled. */
    async function everyShard(): Promise<void> {
      for (let count = 0; count < 2 * shards; count += 1) {
        await ask(server.port, "OPTIONS", "/socket/longpoll").answer;
      }
    }

    /** Returns a client that has joined a topic and read its greeting. */
    async function polling(topic: string, query?: string): Promise<LongPollClient> {
      const client = await LongPollClient.connect(server.port, query);
      await client.join(topic);
      assert.deepEqual(await client.next(), ["1", null, topic, "welcome", {}]);
      return client;
    }

    /** Returns such a client over WebSocket. */
    async function connected(topic: string): Promise<Client> {
      const client = await Client.connect(server.port);
      await joined(client, topic);
      await client.next("welcome");
      return client;
    }

    it("joins, pushes and gets replies, whichever shard a request reaches", async () => {
      const client = await polling("room:replies");
      for (let n = 0; n < 4 * shards; n += 1) {
        const ref = String(n + 2);
        assert.equal((await client.send(["1", ref, "room:replies", "echo", { n }])).status, 200);
        const reply = ["1", ref, "room:replies", "phx_reply", { ...OK, response: { n } }];
        assert.deepEqual(await client.next(), reply);
      }
    });

    it("forwards only requests for sessions on another shard", async () => {
      const total = (): number => server.stats().total.requestsForwarded;
      const begun = total();
      const client = await LongPollClient.connect(server.port);
      const forwarded = async (): Promise<number> => {
        const earlier = total();
        await client.send([null, "1", "phoenix", "heartbeat", {}]);
        return total() - earlier;
      };
      if (noTurns !== false) {
        // Until the system has dealt requests to this shard and, if there are any, to others.
        const seen = new Set<number>();
        while (seen.size < Math.min(server.shards, 2)) seen.add(await forwarded());
        assert.deepEqual(seen, new Set(server.shards === 1 ? [0] : [0, 1]));
        return;
      }
      for (let n = 0; n < shards; n += 1) await forwarded();
      assert.equal(total() - begun, shards - 1);
    });

    it("shares topics with clients over WebSocket, in order", async () => {
      const client = await polling("room:both");
      const other = await connected("room:both");
      other.push("room:both", "shout", { n: 1 });
      assert.deepEqual(await client.next(), [null, null, "room:both", "shout", { n: 1 }]);
      await other.next("shout");
      const shouts = Array.from({ length: 20 }, (_, n) => ["1", null, "room:both", "shout", { n }]);
      await client.send(...shouts);
      for (let n = 0; n < 20; n += 1) {
        assert.deepEqual((await other.next("shout")).payload, { n });
        assert.deepEqual(await client.next(), [null, null, "room:both", "shout", { n }]);
      }
      await other.close();
    });

    it("carries messages larger than a part in both directions", async () => {
      const client = await polling("room:large");
      const text = "é".repeat(200_000);
      for (let n = 0; n < shards; n += 1) {
        const ref = String(n + 2);
        await client.send(["1", ref, "room:large", "echo", { text }]);
        const reply = ["1", ref, "room:large", "phx_reply", { ...OK, response: { text } }];
        assert.deepEqual(await client.next(), reply);
      }
    });

    it("loses nothing if polls are aborted", async () => {
      const client = await polling("room:aborted");
      const other = await connected("room:aborted");
      for (let n = 0; n < 10; n += 1) {
        const aborted = client.poll();
        await everyShard();
        aborted.abort();
        await everyShard();
        other.push("room:aborted", "shout", { n });
        await other.next("shout");
        assert.deepEqual(await client.next(), [null, null, "room:aborted", "shout", { n }]);
      }
      await other.close();
    });

    it("answers the newest of several polls", async () => {
      const client = await polling("room:polls");
      const older = Array.from({ length: shards }, () => client.poll());
      await everyShard();
      const newest = client.poll();
      await everyShard();
      await client.send(["1", "2", "room:polls", "echo", {}]);
      const { messages } = await within(newest.answer, "what came", 5_000);
      assert.deepEqual(messages, [["1", "2", "room:polls", "phx_reply", OK]]);
      for (const poll of older) poll.abort();
    });

    it("tells a client that polls that its session was disconnected, on every shard", async () => {
      const client = await polling("room:banned", "vsn=2.0.0&user_id=banned");
      const polls = Array.from({ length: shards }, () => client.poll());
      await everyShard();
      server.disconnect("users:banned");
      for (const { answer } of polls) {
        assert.equal((await within(answer, "the end of the session", 5_000)).status, 410);
      }
      assert.equal((await client.post("[]")).status, 410);
    });

    it("does not accept a token of another server", async () => {
      const { port } = server;
      const other = await startServer("channels", { shards });
      const stranger = await LongPollClient.connect(other.port);
      await other.close();
      const path = `/socket/longpoll?vsn=2.0.0&token=${stranger.token}`;
      assert.equal((await ask(port, "POST", path, "[]").answer).status, 410);
      const { status, token } = await ask(port, "GET", path).answer;
      assert.equal(status, 410);
      assert.notEqual(token, stranger.token);
    });
  });

  describe(`The official client over long-poll, with ${shards} shards`, () => {
    let server: Server;
    const sockets: Socket[] = [];
    before(async () => {
      server = await startServer("channels", { shards, maxBodyBytes: 1_000_000 });
      sockets.push(await connectPhoenix(server.port, { user_id: "ws" }));
      for (const name of ["lp1", "lp2"]) {
        sockets.push(await connectPhoenix(server.port, { user_id: name }, { transport: LongPoll }));
      }
    });
    after(async () => {
      await Promise.all(sockets.map(disconnect));
      await server.close();
    });

    async function everyone(topic: string): Promise<Channel[]> {
      const channels = sockets.map((socket) => socket.channel(topic, {}));
      const greetings = channels.map((channel) => received(channel, "welcome"));
      await Promise.all(channels.map(join));
      await Promise.all(greetings);
      return channels;
    }

    it("joins, pushes, gets replies and leaves", async () => {
      for (const channel of await everyone("room:replies")) {
        assert.deepEqual(await push(channel, "echo", { n: 1 }), { n: 1 });
        await leave(channel);
        assert.equal(channel.state, "closed");
      }
    });

    it("gets the broadcasts of every other connection, over any transport", async () => {
      const channels = await everyone("room:broadcasts");
      for (const [from, channel] of channels.entries()) {
        const heard = channels.map((other) => received(other, "shout"));
        channel.push("shout", { from });
        assert.deepEqual(
          await Promise.all(heard),
          channels.map(() => ({ from })),
        );
      }
    });

    it("reconnects and joins again when its session is gone", async () => {
      const channels = await everyone("room:again");
      const [, channel] = channels;
      assert.ok(channel);
      const greeting = received(channel, "welcome");
      server.disconnect("users:lp1");
      await greeting;
      assert.deepEqual(await push(channel, "echo", { back: true }), { back: true });
    });
  });
}
