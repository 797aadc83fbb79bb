/**
 * Channels, with every generation of the unmodified official client, over all of its transports.
 *
 * Runs on: the main thread of the tests; the server's two shards are threads of the same process.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CLIENTS, carriersOf } from "../../support/clients/generations.ts";
import { PageClient } from "../../support/clients/page-client.ts";
import type { PageChannel, PageClientOptions } from "../../support/clients/page-client.ts";
import { startServer, type Server } from "../../support/server.ts";

let server: Server;
before(async () => {
  server = await startServer("clients", { shards: 2 });
});
after(() => server.close());

for (const generation of CLIENTS) {
  for (const carrier of carriersOf(generation)) {
    const { can } = generation;
    describe(`${generation.name} ${generation.version} over ${carrier}`, () => {
      const clients: PageClient[] = [];
      let client: PageClient;

      async function connect(options: PageClientOptions = {}): Promise<PageClient> {
        const opened = await PageClient.connect(generation, server.port, { carrier, ...options });
        clients.push(opened);
        return opened;
      }

      before(async () => {
        client = await connect();
      });
      after(() => {
        for (const each of clients) each.close();
      });

      /**
       * Joins a topic on three connections: the first and the third on one shard, the second on the other. If there is
       * one shard, all are on it.
       */
      async function trio(topic: string): Promise<[PageChannel, PageChannel, PageChannel]> {
        const byShard: PageChannel[][] = [[], []];
        for (let next = 0; ; next += 1) {
          const channel = (await connect()).channel(topic);
          channel.join();
          const { shard } = (await channel.rejoined()) as { shard: number };
          byShard[server.shards === 1 ? next % 2 : shard]?.push(channel);
          const [some, others] = byShard.toSorted((a, b) => b.length - a.length);
          if (some?.[0] && some[1] && others?.[0]) return [some[0], others[0], some[1]];
        }
      }

      /** Waits as long as the client needs to rejoin, if it does. */
      async function retried(): Promise<void> {
        const fence = await client.joined("room:fence");
        fence.channel.push("crash", {});
        await fence.rejoined();
        await fence.leave();
      }

      it("connects with its parameters and its version", async () => {
        const params = { user_id: "ann", nested: { deep: "yes" } };
        const channel = await (await connect({ params })).joined("room:told");
        const { response } = await channel.push("told");
        const { params: told, via } = response as { params: object; via: string };
        assert.deepEqual(
          { ...told, token: undefined },
          { ...params, vsn: generation.vsn, token: undefined },
        );
        assert.equal(via, carrier);
      });

      it("is told that it must not connect", async () => {
        const refused = new PageClient(generation, server.port, {
          carrier,
          params: { refuse: "1" },
        });
        clients.push(refused);
        refused.socket.connect();
        await refused.errors.next("the refusal");
        assert.equal(refused.opens.size, 0);
      });

      it("joins with a payload, and gets a response", async () => {
        const channel = client.channel("room:joined", { as: "guest" });
        channel.join();
        const { payload } = (await channel.rejoined()) as { payload: unknown };
        assert.deepEqual(payload, { as: "guest" });
        assert.equal(channel.state, "joined");
      });

      it("is told why a join is refused, and that one crashed", async () => {
        for (const [topic, reason] of [
          ["room:refused", "not today"],
          ["room:throws", "join crashed"],
          ["nowhere", "unmatched topic"],
        ] as const) {
          const channel = client.channel(topic);
          channel.join();
          assert.deepEqual(await channel.joins.next(topic), {
            status: "error",
            response: { reason },
          });
          if (can.retriesJoins) await channel.joins.next(`${topic} again`);
          else await retried();
          assert.equal(channel.joins.size, 0);
          await channel.leave();
        }
      });

      it("pushes, and gets replies of every status, or none in time", async () => {
        const channel = await client.joined("room:replies");
        const payload = { text: "naïve ☃ 🐦", list: [1, null, { deep: [] }] };
        assert.deepEqual(await channel.push("echo", payload), { status: "ok", response: payload });
        assert.deepEqual(await channel.push("fail", { n: 1 }), {
          status: "error",
          response: { n: 1 },
        });
        assert.deepEqual(await channel.push("maybe", { n: 2 }), {
          status: "maybe",
          response: { n: 2 },
        });
        assert.equal((await channel.push("silent", {}, 20)).status, "timeout");
        channel.channel.push("back", { n: 3 });
        assert.deepEqual(await channel.next("pushed"), { n: 3 });
      });

      it("gets the broadcasts of its own shard and of others, but not those that exclude it", async () => {
        const channels = await trio("room:broadcasts");
        for (const [from, speaker] of channels.entries()) {
          // One after the other: without batches each push is a request of its own, without an order.
          speaker.channel.push("shout_from", { from, others: true });
          for (const listener of channels) {
            if (listener === speaker) continue;
            assert.deepEqual(await listener.next("shout"), { from, others: true });
          }
          speaker.channel.push("shout", { from });
          for (const listener of channels) assert.deepEqual(await listener.next("shout"), { from });
        }
      });

      it("leaves, and gets nothing more", async () => {
        const [channel, listener] = await trio("room:left");
        await channel.leave();
        await channel.closes.next("the close");
        assert.equal(channel.state, "closed");
        listener.channel.push("shout", {});
        await listener.next("shout");
        assert.equal(channel.waiting("shout"), 0);
      });

      it("automatically rejoins a channel that crashed", async () => {
        const channel = await client.joined("room:crash");
        channel.channel.push("crash", {});
        await channel.errors.next("the crash");
        await channel.rejoined();
        assert.deepEqual(await channel.push("echo", { n: 1 }), {
          status: "ok",
          response: { n: 1 },
        });
      });

      it("does not rejoin a channel that the server stopped", async () => {
        const channel = await client.joined("room:stop");
        channel.channel.push("stop", {});
        await channel.closes.next("the close");
        assert.equal(channel.state, "closed");
        await retried();
        assert.equal(channel.joins.size, 0);
      });

      it("sends what was pushed before it was connected, in order", async () => {
        const early = new PageClient(generation, server.port, { carrier });
        clients.push(early);
        const channel = early.channel("room:early");
        channel.join();
        const answers = [1, 2, 3].map((n) => channel.push("echo", { n }));
        early.socket.connect();
        for (const [at, answer] of answers.entries()) {
          assert.deepEqual(await answer, { status: "ok", response: { n: at + 1 } });
        }
      });

      if (can.tellsJoinsApart) {
        it("ends only the older of two channels that join one topic", async () => {
          const older = await client.joined("room:twice");
          const newer = await client.joined("room:twice");
          await older.closes.next("the older one's close");
          await newer.push("shout", { n: 1 }, 20);
          assert.deepEqual(await newer.next("shout"), { n: 1 });
          assert.deepEqual([older.state, newer.state], ["closed", "joined"]);
          assert.deepEqual([older.waiting("shout"), newer.waiting("shout")], [0, 0]);
        });
      } else {
        it("ends both of two channels that join one topic: it cannot tell whose close it gets", async () => {
          const older = await client.joined("room:twice");
          const newer = client.channel("room:twice");
          newer.join();
          await older.closes.next("the older one's close");
          await newer.closes.next("the newer one's close");
        });
      }

      if (can.binary && carrier === "websocket") {
        it("sends bytes, and gets bytes in replies, pushes and broadcasts of every shard", async () => {
          const channels = await trio("room:bytes");
          const bytes = Uint8Array.of(0, 1, 127, 128, 255).buffer;
          for (const channel of channels) {
            assert.deepEqual(await channel.push("echo", bytes), { status: "ok", response: bytes });
            assert.deepEqual(await channel.push("fail", bytes), {
              status: "error",
              response: bytes,
            });
            channel.channel.push("back", bytes);
            assert.deepEqual(await channel.next("pushed"), bytes);
            channel.channel.push("shout", bytes);
            for (const each of channels) assert.deepEqual(await each.next("shout"), bytes);
          }
        });
      }

      if (!can.binary) {
        it("is told that it missed a broadcast of bytes, and rejoins", async () => {
          const channel = await client.joined("room:bytes");
          server.broadcast("room:bytes", "shout", Uint8Array.of(1));
          await channel.errors.next("the error");
          await channel.rejoined();
          server.broadcast("room:bytes", "shout", { n: 2 });
          assert.deepEqual(await channel.next("shout"), { n: 2 });
        });
      }
    });
  }
}
