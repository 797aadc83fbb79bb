/**
 * Clients that do not read, over real sockets: what each policy does, and that it affects no others.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread.
 * Slow: sends megabytes that no client reads.
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Client, joined } from "../support/client.ts";
import type { ClientOptions } from "../support/client.ts";
import type { Message } from "../support/frames.ts";
import { startServer } from "../support/server.ts";
import type { Server } from "../support/server.ts";
import { ShardEvents } from "../support/shard-events.ts";

/** More than the system's buffers and any limit of these tests, for one connection. */
const BROADCASTS = 400;
const PAD = "x".repeat(32_768);
const PING = "p".repeat(125);
const PINGS = 100_000;
const CLIENTS = 200;
const DEAF_CLIENTS = 20;

let events: ShardEvents;
let server: Server;

async function start(options: Parameters<typeof startServer>[1] = {}): Promise<void> {
  // With a callback timeout of 800 ms, the sweep ticks at least every 100 ms.
  const defaults = { shards: 1, handlerTimeoutMs: 800, slowClientMs: 50 };
  server = await startServer("slow", { ...defaults, data: { events: events.name }, ...options });
}

async function connected(topics: readonly string[], options?: ClientOptions): Promise<Client> {
  const client = await Client.connect(server.port, options);
  for (const topic of topics) await joined(client, topic);
  return client;
}

/** Broadcasts from the host, and waits until the shard has published all of it. */
async function broadcastAll(
  topic: string,
  count: number,
  eventOf: (n: number) => string = () => "big",
): Promise<void> {
  const witness = await connected(["witness"]);
  for (let n = 0; n < count; n += 1) {
    server.broadcast(topic, eventOf(n), { n, pad: PAD });
    // The host's broadcasts arrive in order, whatever their topic.
    if (n % 50 === 49 || n === count - 1) {
      server.broadcast("witness", "so far", { n });
      assert.equal(numberOf(await witness.next("so far")), n);
    }
  }
  await witness.close();
}

function numberOf({ payload }: Message): number {
  return (payload as { readonly n: number }).n;
}

/** Reads messages up to the first of another event, which it returns, and checks their order. */
async function takeOrdered(client: Client, event: string): Promise<[number, Message]> {
  for (let count = 0; ; count += 1) {
    const message = await client.next();
    if (message.event !== event) return [count, message];
    assert.equal(numberOf(message), count);
  }
}

beforeEach(() => {
  events = new ShardEvents();
});

afterEach(async () => {
  await server.closeNow();
  events.close();
});

describe("A client that does not read", () => {
  it("is cut by default", async () => {
    await start({ maxBackpressureBytes: 65_536 });
    const [deaf, reader] = [await connected(["room:1"]), await connected(["room:2"])];
    deaf.pause();
    await broadcastAll("room:1", BROADCASTS);
    const [found] = await events.until({ name: "slow_client" });
    assert.deepEqual(
      [found?.["policy"], found?.["cause"], found?.["channels"]],
      ["close", "behind", 1],
    );
    deaf.resume();
    assert.equal((await deaf.closed(10_000)).code, 1006);
    assert.equal(server.stats().total.slowCut, 1);
    await reader.nothingMore();
    await reader.close();
  });

  it("is cut if only the answers to its pings are unsent", async () => {
    await start({ maxBackpressureBytes: 65_536 });
    const deaf = await connected([]);
    deaf.pause();
    // More than the system's buffers, and less than the engine's own limit of 16 MiB.
    for (let n = 0; n < PINGS; n += 1) deaf.ping(PING);
    const [found] = await events.until({ name: "slow_client" });
    assert.deepEqual([found?.["policy"], found?.["cause"]], ["close", "behind"]);
    deaf.resume();
    assert.equal((await deaf.closed(10_000)).code, 1006);
  });

  it("gets phx_error on published topics once it reads, and has missed nothing before", async () => {
    await start({ maxBackpressureBytes: 65_536 });
    const deaf = await connected(["room:1", "room:2", "latest:1"], { path: "/telling" });
    deaf.pause();
    await broadcastAll("room:1", BROADCASTS);
    const [found] = await events.until({ name: "slow_client" });
    assert.deepEqual(
      [found?.["policy"], found?.["cause"], found?.["channels"]],
      ["error", "behind", 2],
    );
    assert.equal(server.stats().total.slowEnded, 2);
    // Nothing published from here on arrives, because its channel has ended.
    server.broadcast("room:1", "late", {});
    deaf.resume();
    // A fast machine has published them all before the client counts as slow.
    const [count, first] = await takeOrdered(deaf, "big");
    assert.ok(count > 0 && count <= BROADCASTS, `${count} of ${BROADCASTS} came`);
    const second = await deaf.next();
    for (const [topic, message] of [["room:1", first] as const, ["room:2", second] as const]) {
      assert.deepEqual(
        [message.topic, message.event, message.ref, message.payload],
        [topic, "phx_error", deaf.joinRef(topic), { reason: "client too slow" }],
      );
    }
    await joined(deaf, "room:1");
    server.broadcast("room:1", "again", {});
    server.broadcast("latest:1", "still", {});
    await deaf.next("again");
    assert.equal((await deaf.next("still")).topic, "latest:1");
    await deaf.nothingMore();
    await deaf.close();
  });

  it("learns what the engine skipped, and loses no frame that was sent to it alone", async () => {
    await start({ maxBackpressureBytes: 16_384 });
    const deaf = await connected(["room:1"], { path: "/telling" });
    deaf.pause();
    // In one turn: where 16 MiB wait already, the engine skips. The system takes at most 10 MB, so two of
    // these fit in, and after the third so much waits that nothing more is taken, whenever the system reads on.
    deaf.push("room:1", "burst", { count: 4, bytes: 9_000_000 });
    const [found] = await events.until({ name: "slow_client" });
    assert.deepEqual([found?.["policy"], found?.["cause"]], ["error", "skipped"]);
    assert.ok(server.stats().total.engineSkips >= 1);
    deaf.resume();
    const [count, next] = await takeOrdered(deaf, "big");
    assert.ok(count < 4, "nothing was skipped");
    assert.equal(next.event, "pushed");
    assert.deepEqual((await deaf.next("phx_error")).payload, { reason: "client too slow" });
    await joined(deaf, "room:1");
    await deaf.nothingMore();
    await deaf.close();
  });

  it("affects no other: of 200, 180 receive everything, and 20 are cut", async () => {
    await start();
    const topics = ["room:all"];
    const make = (deaf: number): Promise<Client> =>
      connected(deaf < DEAF_CLIENTS ? [...topics, "room:flood"] : topics);
    const clients: Client[] = [];
    while (clients.length < CLIENTS) {
      const from = clients.length;
      clients.push(...(await Promise.all(Array.from({ length: 50 }, (_, i) => make(from + i)))));
    }
    const [deaf, readers] = [clients.slice(0, DEAF_CLIENTS), clients.slice(DEAF_CLIENTS)];
    for (const client of deaf) client.pause();
    let sent = 0;
    const witness = readers[0] as Client;
    while (events.having({ name: "slow_client" }).length < DEAF_CLIENTS) {
      assert.ok(sent < 2_000, "the deaf are not found");
      for (let i = 0; i < 8; i += 1) server.broadcast("room:flood", "big", { pad: PAD });
      server.broadcast("room:all", "tick", { n: sent });
      assert.equal(numberOf(await witness.next("tick")), sent);
      sent += 1;
    }
    for (const reader of readers.slice(1)) {
      for (let n = 0; n < sent; n += 1) assert.equal(numberOf(await reader.next("tick")), n);
      await reader.nothingMore();
    }
    for (const client of deaf) {
      client.resume();
      assert.equal((await client.closed(10_000)).code, 1006);
    }
    const { total } = server.stats();
    assert.deepEqual([total.slowCut, total.connections], [DEAF_CLIENTS, CLIENTS - DEAF_CLIENTS]);
    await Promise.all(readers.map((reader) => reader.close()));
  });

  it("misses broadcasts on a channel that conflates, gets the latest of each event, and is told", async () => {
    await start();
    const deaf = await connected(["latest:1"]);
    deaf.pause();
    const names = ["a", "b", "c"];
    await broadcastAll("latest:1", BROADCASTS, (n) => names[n % 3] as string);
    const { got, missed } = await takenAfterPause(deaf);
    assert.equal(got.length + missed, BROADCASTS);
    assert.ok(missed > 0);
    const newest = got.slice(-3).map((message) => [message.event, numberOf(message)]);
    const expected = [3, 2, 1].map((back) => BROADCASTS - back).map((n) => [names[n % 3], n]);
    assert.deepEqual(newest, expected);
    assert.equal(server.stats().total.leftOut, missed);
    assert.equal(server.stats().total.slowCut, 0);
    await deaf.nothingMore();
    await deaf.close();
  });

  it("misses broadcasts on a channel that drops the oldest, gets the last ones, and is told", async () => {
    await start();
    const deaf = await connected(["last:1"]);
    deaf.pause();
    await broadcastAll("last:1", BROADCASTS);
    const { got, missed } = await takenAfterPause(deaf);
    assert.equal(got.length + missed, BROADCASTS);
    assert.ok(missed > 0);
    const numbers = got.map(numberOf);
    assert.deepEqual(
      numbers.slice(-4),
      [4, 3, 2, 1].map((back) => BROADCASTS - back),
    );
    // One gap, where the queue started to drop.
    const gaps = numbers.filter((n, at) => n !== (numbers[at - 1] ?? -1) + 1);
    assert.deepEqual(gaps, [BROADCASTS - 4]);
    assert.equal(server.stats().total.leftOut, missed);
    await deaf.nothingMore();
    await deaf.close();
  });
});

describe("A client that reads", () => {
  it("loses nothing and is not cut by a burst in one turn that is larger than the limit", async () => {
    await start({ maxBackpressureBytes: 1_048_576, slowClientMs: 10_000 });
    const clients = await Promise.all(
      Array.from({ length: 4 }, () => connected(["room:1", "latest:1"])),
    );
    const [first] = clients;
    // More than the system's buffers and the limit, less than eight times the limit.
    first?.push("room:1", "burst", { count: 128, bytes: 65_536 });
    for (const client of clients) {
      const [count, next] = await takeOrdered(client, "big");
      assert.equal(count, 128);
      if (client === first) {
        assert.equal(next.event, "pushed");
        await client.next("small");
      } else {
        assert.equal(next.event, "small");
      }
      await client.nothingMore();
    }
    const { total } = server.stats();
    assert.deepEqual([total.slowCut, total.engineSkips, events.seen], [0, 0, []]);
    await Promise.all(clients.map((client) => client.close()));
  });
});

/** Reads again, up to the message with the number of missed broadcasts. */
async function takenAfterPause(
  client: Client,
): Promise<{ readonly got: readonly Message[]; readonly missed: number }> {
  client.resume();
  const got: Message[] = [];
  let missed = 0;
  while (got.length + missed < BROADCASTS) {
    const message = await client.next();
    if (message.event === "missed") missed += (message.payload as { count: number }).count;
    else got.push(message);
  }
  return { got, missed };
}
