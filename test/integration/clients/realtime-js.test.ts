/**
 * The unmodified `@supabase/realtime-js`: broadcasts between its clients, over both versions of the protocol.
 *
 * Version 1 works as it is. With version 2 the client sends broadcasts as binary frames of a kind that only
 * Supabase's own server knows. With an `encode` that writes them as Phoenix does, it works too.
 *
 * Runs on: the main thread of the tests; the server's two shards are threads of the same process.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { WebSocket } from "ws";
import { Arrivals } from "../../support/clients/arrivals.ts";
import { restartAll } from "../../support/dealing.ts";
import { disconnect, RealtimeClient } from "../../support/clients/realtime-js.ts";
import type {
  RealtimeChannel,
  RealtimeChannelOptions,
  RealtimeClientOptions,
} from "../../support/clients/realtime-js.ts";
import { startServer, type Server } from "../../support/server.ts";

const VERSIONS: Readonly<Record<string, Partial<RealtimeClientOptions>>> = {
  "version 1": { vsn: "1.0.0" },
  "version 2, with frames of Phoenix": {
    encode: ({ join_ref: joinRef, ref, topic, event, payload }, callback) =>
      callback(JSON.stringify([joinRef, ref, topic, event, payload])),
  },
};

interface Heard {
  readonly event: string;
  readonly payload: unknown;
}
interface System {
  readonly status: string;
}
interface Change {
  readonly new: unknown;
}

/** A channel, and what it receives. */
class Listener {
  readonly channel: RealtimeChannel;
  readonly statuses = new Arrivals<string>();
  readonly heard = new Arrivals<Heard>();
  readonly system = new Arrivals<System>();
  readonly changes = new Arrivals<Change>();

  constructor(channel: RealtimeChannel) {
    this.channel = channel;
    channel.on("broadcast", { event: "*" }, ({ event, payload }: Heard) =>
      this.heard.add({ event, payload }),
    );
    channel.on("system", {}, (payload: System) => this.system.add(payload));
    const filter = { event: "INSERT", schema: "public", table: "notes" };
    channel.on("postgres_changes", filter, (payload: Change) => this.changes.add(payload));
    channel.subscribe((status) => this.statuses.add(status));
  }

  async isNow(status: string): Promise<void> {
    assert.equal(await this.statuses.next(status), status);
  }
}

async function subscribed(
  client: RealtimeClient,
  topic: string,
  config?: RealtimeChannelOptions,
): Promise<Listener> {
  const listener = new Listener(client.channel(topic, config));
  await listener.isNow("SUBSCRIBED");
  return listener;
}

describe("realtime-js", () => {
  let server: Server;
  let clients: RealtimeClient[] = [];
  before(async () => {
    server = await startServer("realtime", { shards: 2 });
  });
  after(() => server.close());
  afterEach(async () => {
    await Promise.all(clients.map(disconnect));
    clients = [];
  });

  function connect(options: Partial<RealtimeClientOptions>): RealtimeClient {
    const client = new RealtimeClient(`ws://127.0.0.1:${server.port}/realtime/v1`, {
      transport: WebSocket,
      params: { apikey: "anon" },
      reconnectAfterMs: () => 20,
      // Pushes without an answer are kept by the client; they must not outlive the test.
      timeout: 2_000,
      ...options,
    });
    clients.push(client);
    return client;
  }

  for (const [version, options] of Object.entries(VERSIONS)) {
    it(`sends broadcasts to the others, on both shards, by ${version}`, async () => {
      const topic = `others by ${version}`;
      const all: Listener[] = [];
      for (let count = 0; count < 4; count += 1)
        all.push(await subscribed(connect(options), topic));
      const [speaker, ...others] = all;
      assert.ok(speaker);
      for (const n of [1, 2, 3]) {
        await speaker.channel.send({ type: "broadcast", event: "move", payload: { n } });
      }
      for (const listener of others) {
        for (const n of [1, 2, 3]) {
          assert.deepEqual(await listener.heard.next("a move"), { event: "move", payload: { n } });
        }
      }
      assert.equal(speaker.heard.size, 0);
    });

    it(`has broadcasts acknowledged, and gets its own, if it asks for that, by ${version}`, async () => {
      const config = { config: { broadcast: { ack: true, self: true } } };
      const listener = await subscribed(connect(options), `self by ${version}`, config);
      const message = { type: "broadcast", event: "move", payload: { n: 1 } } as const;
      assert.equal(await listener.channel.send(message), "ok");
      assert.deepEqual(await listener.heard.next("its own"), { event: "move", payload: { n: 1 } });
    });

    it(`is accepted by its token, and sends a new one when it changes, by ${version}`, async () => {
      const topic = `private by ${version}`;
      const config = { config: { private: true } };
      const stranger = new Listener(connect(options).channel(topic, config));
      await stranger.isNow("CHANNEL_ERROR");

      const client = connect(options);
      await client.setAuth("secret");
      const listener = await subscribed(client, topic, config);
      await client.setAuth("another");
      assert.equal((await listener.system.next("the answer to its token")).status, "error");
    });

    it(`gets the changes that it joined for, by ${version}`, async () => {
      const topic = `changes by ${version}`;
      const listener = await subscribed(connect(options), topic);
      server.broadcast(`realtime:${topic}`, "postgres_changes", {
        ids: [1],
        data: {
          type: "INSERT",
          schema: "public",
          table: "notes",
          columns: [{ name: "id", type: "int8" }],
          record: { id: 7 },
        },
      });
      assert.deepEqual((await listener.changes.next("the change")).new, { id: 7 });
    });

    it(`leaves, by ${version}`, async () => {
      const client = connect(options);
      const listener = await subscribed(client, `left by ${version}`);
      assert.equal(await client.removeChannel(listener.channel), "ok");
      await listener.isNow("CLOSED");
    });

    it(`rejoins by itself after its shard was restarted, by ${version}`, async () => {
      const listener = await subscribed(connect(options), `restart by ${version}`);
      const restarts = restartAll(server);
      await listener.isNow("CHANNEL_ERROR");
      await listener.isNow("SUBSCRIBED");
      await restarts;
    });
  }

  it("loses its connection by a frame of its own kind, as with any Phoenix but Supabase's", async () => {
    const listener = await subscribed(connect({}), "as it is");
    await listener.channel.send({ type: "broadcast", event: "move", payload: {} });
    await listener.isNow("CHANNEL_ERROR");
    await listener.isNow("SUBSCRIBED");
  });
});
