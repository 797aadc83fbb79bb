/**
 * A server with 64 shards: 67 members, and so three words in each slot of the index.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread.
 * Slow: starts 64 shards.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { Client, joined } from "../support/client.ts";
import { isPortable, noSecondShard, openedOnEach } from "../support/dealing.ts";
import { startServer, type Server } from "../support/server.ts";

const SHARDS = 64;
/** It shares two cores with other tests. */
const DEADLINE_MS = 240_000;

describe("A server of 64 shards", { skip: noSecondShard, timeout: DEADLINE_MS }, () => {
  let server: Server;
  let clients: Client[] = [];
  before(async () => {
    server = await startServer("fragile", { shards: SHARDS });
  });
  after(async () => {
    await Promise.all(clients.map(async (client) => client.cut()));
    await server.close();
  });

  it("serves on each shard, and broadcasts of any shard reach all", async () => {
    let opened = 0;
    const dealt = await openedOnEach({
      server,
      async open() {
        opened += 1;
        const client = await Client.connect(server.port);
        clients.push(client);
        const { shard } = (await joined(client, "room:all")) as { shard: number };
        return { client, shard };
      },
      shardOf: ({ shard }) => shard,
      close: ({ client }) => client.cut(),
    });
    clients = dealt.map(({ client }) => client);
    assert.deepEqual(
      dealt.map(({ shard }) => shard),
      Array.from({ length: SHARDS }, (_, shard) => shard),
    );
    if (!isPortable(server)) assert.equal(opened, SHARDS);
    assert.equal(await server.subscribers("room:all"), SHARDS);

    server.broadcast("room:all", "from host", { n: 1 });
    for (const client of clients) {
      assert.deepEqual((await client.next("from host")).payload, { n: 1 });
    }
    // The first and the last shard, and those whose bits are the last and the first of a word.
    for (const shard of [0, 29, 30, 61, 62, 63]) {
      clients[shard]?.push("room:all", "shout", { shard });
      for (const client of clients) {
        assert.deepEqual((await client.next("shout")).payload, { shard });
      }
    }
    // If only one shard has a topic, broadcasts on it cause no records to other shards.
    const { index, total } = server.stats();
    const recordsBefore = total.records;
    const [first] = clients;
    assert.ok(first);
    await joined(first, "room:alone");
    assert.ok(server.stats().index.used > index.used, "the new topic has a slot");
    first.push("room:alone", "shout", { alone: true });
    assert.deepEqual((await first.next("shout")).payload, { alone: true });
    assert.equal(server.stats().total.records, recordsBefore);
    for (const client of clients) await client.nothingMore();
  });
});
