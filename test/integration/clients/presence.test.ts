/**
 * Clients of every generation in one room, on two shards: each sees all of them join, update and leave.
 *
 * Runs on: the main thread of the tests; the server's shards are threads of the same process.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { CLIENTS, type Generation } from "../../support/clients/generations.ts";
import { PageClient, type PageChannel } from "../../support/clients/page-client.ts";
import { PagePresence } from "../../support/clients/page-presence.ts";
import { startServer, type Server } from "../../support/server.ts";

/** A client in a room. */
interface InRoom {
  readonly client: PageClient;
  readonly channel: PageChannel;
  readonly presence: PagePresence;
}

describe("A room of clients of every generation", () => {
  let server: Server;
  let clients: PageClient[] = [];
  before(async () => {
    server = await startServer("presences", { shards: 2 });
  });
  after(() => server.close());
  afterEach(() => {
    for (const client of clients) client.close();
    clients = [];
  });

  async function enter(generation: Generation, userId: string, topic: string): Promise<InRoom> {
    const client = await PageClient.connect(generation, server.port, {
      params: { user_id: userId },
    });
    clients.push(client);
    const channel = client.channel(topic, {});
    const presence = new PagePresence(generation.name, client, channel.channel);
    channel.join();
    await channel.rejoined(generation.name);
    return { client, channel, presence };
  }

  async function enterAll(topic: string, userIdOf: (name: string) => string): Promise<InRoom[]> {
    const all: InRoom[] = [];
    for (const generation of CLIENTS) {
      all.push(await enter(generation, userIdOf(generation.name), topic));
    }
    return all;
  }

  const names = CLIENTS.map(({ name }) => name);

  it("sees each under a key of its own, and no longer those that leave", async () => {
    const all = await enterAll("room:keys", (name) => name);
    for (const { presence } of all) await presence.sees(names.map((name) => `${name} 1`));
    const [first, second, ...others] = all as [InRoom, InRoom, ...InRoom[]];
    await first.channel.leave();
    second.client.close();
    for (const { presence } of others) {
      await presence.sees(names.slice(2).map((name) => `${name} 1`));
    }
  });

  it("sees all metas of one key, through updates and untracks", async () => {
    const all = await enterAll("room:metas", () => "ann");
    for (const { presence } of all) await presence.sees([`ann ${names.length}`]);
    for (const { channel } of all) {
      const { status } = await channel.push("update", { device: "watch" });
      assert.equal(status, "ok");
    }
    const [first] = all as [InRoom];
    await first.channel.push("untrack", {});
    for (const { presence } of all) await presence.sees([`ann ${names.length - 1}`]);
  });
});
