/**
 * The requests of every generation of the unmodified official client that polls.
 *
 * Runs on: the main thread of the tests; the server's two shards are threads of the same process.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { Arrivals } from "../../support/clients/arrivals.ts";
import { Front } from "../../support/clients/front.ts";
import { GENERATIONS } from "../../support/clients/generations.ts";
import { PageClient } from "../../support/clients/page-client.ts";
import type { PageClientOptions } from "../../support/clients/page-client.ts";
import { startServer, type Server } from "../../support/server.ts";

let server: Server;
before(async () => {
  server = await startServer("clients", { shards: 2 });
});
after(() => server.close());

for (const generation of GENERATIONS.filter(({ can }) => !can.longpoll)) {
  it(`${generation.name} ${generation.version} polls, and takes texts for objects`, async () => {
    const client = await PageClient.connect(generation, server.port, { carrier: "longpoll" });
    const got = new Arrivals<unknown>();
    // The client's own handler would throw.
    Reflect.set(client.socket, "onConnMessage", ({ data }: { readonly data: string }) =>
      got.add(JSON.parse(data)),
    );
    client.channel("room:1").join();
    assert.match(String(await got.next("an answer to the join")), /^\{"topic":"room:1",/);
    client.close();
  });
}

for (const generation of GENERATIONS.filter(({ can }) => can.longpoll)) {
  const { can } = generation;
  describe(`${generation.name} ${generation.version}, polling`, () => {
    let front: Front;
    let clients: PageClient[] = [];
    beforeEach(async () => {
      front = await Front.start(server.port);
    });
    afterEach(async () => {
      for (const client of clients) client.close();
      clients = [];
      await front.close();
    });

    async function connect(options: PageClientOptions = {}): Promise<PageClient> {
      const client = await PageClient.connect(generation, front.port, {
        carrier: "longpoll",
        ...options,
      });
      clients.push(client);
      return client;
    }

    it("polls again and again while nothing is sent, and then gets a message", async () => {
      const client = await connect({ mount: "/brief" });
      const channel = await client.joined("room:idle");
      await front.polls.take(front.polls.size + 4, "poll");
      assert.deepEqual([client.closes.size, client.errors.size], [0, 0]);
      server.broadcast("room:idle", "shout", { n: 1 });
      assert.deepEqual(await channel.next("shout"), { n: 1 });
    });

    if (can.batches) {
      it("sends the pushes of one turn in one request, at most a hundred, in order", async () => {
        const channel = await (await connect()).joined("room:batch");
        await front.posts.next("the join");
        const pushes = Array.from({ length: 205 }, (_, n) => n);
        for (const n of pushes) channel.channel.push("shout", { n });
        for (const n of pushes) assert.deepEqual(await channel.next("shout"), { n });
        const posts = await front.posts.take(3, "post");
        assert.deepEqual(
          posts.map((lines) => lines.length),
          [100, 100, 5],
        );
      });
    } else {
      it("sends each push in a request of its own", async () => {
        const channel = await (await connect()).joined("room:batch");
        await front.posts.next("the join");
        const answers = [1, 2, 3].map((n) => channel.push("echo", { n }));
        for (const [at, answer] of answers.entries()) {
          assert.deepEqual(await answer, { status: "ok", response: { n: at + 1 } });
        }
        const posts = await front.posts.take(3, "post");
        assert.deepEqual(
          posts.map((lines) => lines.length),
          [1, 1, 1],
        );
      });
    }

    const bytes = Uint8Array.of(0, 10, 13, 128, 255).buffer;
    if (can.postsBytes) {
      it("sends bytes", async () => {
        const channel = await (await connect()).joined("room:bytes");
        assert.deepEqual(await channel.push("size", bytes), {
          status: "ok",
          response: { size: 5 },
        });
      });
    } else {
      it("loses its session by sending bytes, and rejoins", async () => {
        const channel = await (await connect()).joined("room:bytes");
        channel.channel.push("size", bytes);
        await channel.errors.next("the end of the session");
        await channel.rejoined();
        assert.deepEqual(await channel.push("echo", {}), { status: "ok", response: {} });
      });
    }
  });
}
