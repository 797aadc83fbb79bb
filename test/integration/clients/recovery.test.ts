/**
 * Every generation of the unmodified official client: what it does when its connection ends, and what keeps
 * one open.
 *
 * Runs on: the main thread of the tests; the server's two shards are threads of the same process.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { Arrivals } from "../../support/clients/arrivals.ts";
import { CLIENTS, carriersOf } from "../../support/clients/generations.ts";
import type { Generation } from "../../support/clients/generations.ts";
import { PageClient } from "../../support/clients/page-client.ts";
import type { PageChannel, PageClientOptions } from "../../support/clients/page-client.ts";
import { startServer, type Server } from "../../support/server.ts";

let server: Server;
let clients: PageClient[] = [];
before(async () => {
  server = await startServer("clients", { shards: 2 });
});
after(() => server.close());
afterEach(() => {
  for (const client of clients) client.close();
  clients = [];
});

async function connect(
  generation: Generation,
  options: PageClientOptions = {},
): Promise<PageClient> {
  const client = await PageClient.connect(generation, server.port, options);
  clients.push(client);
  return client;
}

/** Joins on a connection to this shard; closes connections to others. */
async function joinedOn(
  shard: number,
  generation: Generation,
  options: PageClientOptions,
): Promise<{ client: PageClient; channel: PageChannel }> {
  for (;;) {
    const client = await connect(generation, options);
    const channel = client.channel("room:restart");
    channel.join();
    const joined = (await channel.rejoined()) as { shard: number };
    if (joined.shard === shard) return { client, channel };
    client.close();
  }
}

/** Every client over each of its transports. */
const WAYS = CLIENTS.flatMap((generation) =>
  carriersOf(generation).map((carrier) => ({
    generation,
    carrier,
    name: `${generation.name} ${generation.version} over ${carrier}`,
  })),
);

describe("A client that was disconnected by the id of its socket", () => {
  for (const { generation, carrier, name } of WAYS) {
    const { can } = generation;
    if (carrier === "websocket" || can.noticesLostSession) {
      it(`${name}: reconnects, rejoins and sends what it pushed meanwhile, in order`, async () => {
        const client = await connect(generation, { carrier, params: { user_id: name } });
        const channel = await client.joined("room:1");
        const listener = await (await connect(generation, { carrier })).joined("room:1");
        server.disconnect(`users:${name}`);
        assert.equal(await client.closes.next("the close"), carrier === "websocket" ? 1001 : 3410);
        for (const n of [1, 2, 3]) channel.channel.push("shout", { n });
        await client.opens.next("the next connection");
        await channel.rejoined();
        for (const n of [1, 2, 3]) assert.deepEqual(await listener.next("shout"), { n });
      });
    } else {
      it(`${name}: keeps polling, and is told that it joined nothing`, async () => {
        const client = await connect(generation, { carrier, params: { user_id: name } });
        const channel = await client.joined("room:1");
        const token = client.pollToken;
        server.disconnect(`users:${name}`);
        // It takes the next session for its old one, and may also take the answer that it is gone for a session.
        do await client.opens.next("the next session");
        while (client.pollToken === token);
        assert.equal(channel.state, "joined");
        assert.deepEqual(await channel.push("echo", {}), {
          status: "error",
          response: { reason: "unmatched topic" },
        });
      });
    }
  }
});

// This mount closes connections that were silent for 1 500 ms.
describe("A client that is idle", { concurrency: true }, () => {
  const byWebSocket = WAYS.filter(({ carrier }) => carrier === "websocket");

  for (const { generation, name } of byWebSocket) {
    it(`${name}: keeps its connection open by heartbeats`, async (test) => {
      const socket = { heartbeatIntervalMs: 200 };
      const client = await PageClient.connect(generation, server.port, { mount: "/brief", socket });
      test.after(() => client.close());
      const heartbeats = new Arrivals<void>();
      client.socket.onMessage(({ topic }) => {
        if (topic === "phoenix") heartbeats.add();
      });
      await heartbeats.take(12, "heartbeat");
      assert.equal(client.closes.size, 0);
    });

    it(`${name}: is closed without them, and reconnects`, async (test) => {
      const client = await PageClient.connect(generation, server.port, { mount: "/brief" });
      test.after(() => client.close());
      assert.equal(await client.closes.next("the close"), 1002);
      await client.opens.next("the next connection");
    });
  }
});

describe("A client whose shard is restarted", () => {
  it("reconnects and rejoins, whatever its generation", async () => {
    const ways = WAYS.filter(
      ({ generation, carrier }) => carrier === "websocket" || generation.can.noticesLostSession,
    );
    const all = await Promise.all(
      ways.map(async ({ generation, carrier, name }) => {
        return { name, carrier, ...(await joinedOn(0, generation, { carrier })) };
      }),
    );
    const restart = server.restartShard(0);
    for (const { name, carrier, client, channel } of all) {
      const code = await client.closes.next(`the close of ${name}`);
      if (carrier === "websocket") assert.equal(code, 1012, name);
      await channel.rejoined(name);
      const answer = await channel.push("echo", { name });
      assert.deepEqual(answer, { status: "ok", response: { name } });
    }
    await restart;
  });
});
