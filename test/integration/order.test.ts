/**
 * The promises of order (src/pubsub/README.md), one by one, each on the path that it names.
 *
 * Runs on: the main thread of the tests; the server's two shards are threads of the same process.
 * Slow: each test starts a server.
 */
import assert from "node:assert/strict";
import { afterEach, before, describe, it } from "node:test";

import type { Channel, Socket } from "phoenix";

import { SPINS } from "../apps/order.ts";
import { Client, joined } from "../support/client.ts";
import { noSecondShard, openedInTurn } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { connectPhoenix, disconnect, join } from "../support/phoenix-client.ts";
import { startServer, type Server } from "../support/server.ts";

/** The smallest rings: a record has at most 504 bytes, and larger ones are fragmented. */
const RING_BYTES = 4_096;
const TOPIC = "room:order";
/** The test releases a blocked shard; if that fails, it continues after this time. */
const SPIN_MS = 60_000;

let server: Server;
let clients: Client[] = [];
/** A shared word: a shard sets it when it blocks its loop, and the test to release the shard. */
let spins: Int32Array;
/** The promises also apply to shards that coalesce broadcasts. */
let coalesceMs = 0;
const WINDOWS = [
  { windowMs: 0, held: "" },
  { windowMs: 5, held: ", held for 5 ms" },
];

/** The speaker and a listener on its shard; two listeners on the other shard, one with version 1. */
interface Room {
  readonly speaker: Client;
  readonly near: Client;
  readonly far: Client;
  readonly farV1: Client;
  readonly listeners: readonly Client[];
  readonly farShard: number;
}

async function openRoom(options: Parameters<typeof startServer>[1] = {}): Promise<Room> {
  spins = new Int32Array(new SharedArrayBuffer(4));
  const data = { spins: spins.buffer };
  const own = { shards: 2, ringBytes: RING_BYTES, coalesceMs, data };
  server = await startServer("order", { ...own, ...options });
  const shards = new Map<Client, number>();
  clients = await openedInTurn(4, {
    server,
    async open(at) {
      const client = await Client.connect(server.port, at === 3 ? { vsn: "1.0.0" } : {});
      shards.set(client, ((await joined(client, TOPIC)) as { shard: number }).shard);
      return client;
    },
    shardOf: (client) => shards.get(client) ?? -1,
    close: (client) => void client.cut(),
  });
  const [speaker, far, near, farV1] = clients;
  assert.ok(speaker && near && far && farV1);
  const farShard = shards.get(far) ?? -1;
  return { speaker, near, far, farV1, listeners: [near, far, farV1], farShard };
}

/** Reads numbers, which must be exactly these. */
async function hears(client: Client, numbers: readonly number[]): Promise<void> {
  const heard: unknown[] = [];
  for (const _ of numbers) {
    const { payload } = await client.next("n");
    heard.push((payload as { n: number }).n);
  }
  assert.deepEqual(heard, numbers);
}

/** Releases the shard that blocks its loop. */
function release(): void {
  Atomics.store(spins, 0, SPINS.isReleased);
  Atomics.notify(spins, 0);
}

/** Waits until a shard blocks its loop. */
async function begun(): Promise<void> {
  const { value } = Atomics.waitAsync(spins, 0, 0);
  await within(Promise.resolve(value), "the spin");
}

function from(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => first + at);
}

/** Returns so many sizes, taken from `some` in turns. */
function sizes(count: number, some: readonly number[]): number[] {
  return Array.from({ length: count }, (_, at) => some[at % some.length] as number);
}

/** Waits until a condition on the server's counters is true. */
async function has(isSo: () => boolean): Promise<void> {
  // Each question makes a round trip to the shards before the next one.
  while (!isSo()) await server.subscribers(TOPIC);
}

/** Returns the number in a payload of text or bytes, if any. */
function numberOf(payload: unknown): number | undefined {
  if (payload instanceof ArrayBuffer) return new DataView(payload).getInt32(0);
  return (payload as { n?: number }).n;
}

/** Resolves with the numbers in a channel's messages, including replies, once there are so many. */
async function numbersOf(channel: Channel, count: number): Promise<number[]> {
  const numbers: number[] = [];
  const all = new Promise<number[]>((resolve) => {
    channel.onMessage = (event, payload) => {
      const isReply = event === "phx_reply";
      const told = isReply ? (payload as { response: unknown }).response : payload;
      const number = isReply || event === "n" ? numberOf(told) : undefined;
      if (number !== undefined) numbers.push(number);
      if (numbers.length === count) resolve(numbers);
      return payload;
    };
  });
  return within(all, `${count} numbers on ${channel.topic}`, 20_000);
}

for (const { windowMs, held } of WINDOWS) {
  describe(`What one sender broadcasts on one topic${held}`, { timeout: 120_000 }, () => {
    before(() => void (coalesceMs = windowMs));
    afterEach(async () => {
      await Promise.all(clients.map(async (client) => client.cut()));
      clients = [];
      await server.close();
    });

    it("arrives in order at every subscriber, of its own shard and of others", async () => {
      const { speaker, listeners } = await openRoom();
      for (let n = 1; n <= 100; n += 1) speaker.push(TOPIC, "broadcast", { first: n, sizes: [10] });
      for (const listener of listeners) await hears(listener, from(1, 100));
    });

    it("arrives in order if large records, in fragments, are among small ones", async () => {
      const { speaker, listeners } = await openRoom();
      const mixed = sizes(120, [10, 3_000, 200, 450, 1_500, 0]);
      for (let at = 0; at < 120; at += 6) {
        speaker.push(TOPIC, "broadcast", { first: at + 1, sizes: mixed.slice(at, at + 6) });
      }
      for (const listener of listeners) await hears(listener, from(1, 120));
    });

    it("arrives in order if a record is larger than the ring itself", async () => {
      const { speaker, listeners } = await openRoom();
      const large = sizes(9, [10, 50_000, 300]);
      speaker.push(TOPIC, "broadcast", { first: 1, sizes: large });
      for (const listener of listeners) await hears(listener, from(1, 9));
    });

    it(
      "arrives in order into the overflow queue, out of it, and past it again",
      { skip: noSecondShard },
      async () => {
        const { speaker, near, far, farV1, listeners, farShard } = await openRoom();
        far.push(TOPIC, "spin", { ms: SPIN_MS });
        await near.next("spins");
        await begun();
        // The other shard is blocked: all of this but one ring waits in the queue.
        speaker.push(TOPIC, "broadcast", { first: 1, sizes: sizes(400, [400]) });
        await hears(near, from(1, 400));
        release();
        for (const client of [far, farV1]) {
          await client.next("spins");
          await hears(client, from(1, 400));
        }
        const peak = server.stats().shards[farShard]?.ringHighWaterBytes ?? 0;
        assert.ok(peak > RING_BYTES / 2, `the ring had at most ${peak} bytes`);
        await has(() => server.stats().total.overflowBytes === 0);
        // Nothing waits any more, so these go into the ring at once.
        for (let n = 401; n <= 420; n += 1)
          speaker.push(TOPIC, "broadcast", { first: n, sizes: [10] });
        for (const listener of listeners) await hears(listener, from(401, 20));
      },
    );

    it(
      "arrives without a gap up to phx_error if more is sent than can be queued",
      { skip: noSecondShard },
      async () => {
        const { speaker, near, far } = await openRoom({ overflowBytes: 65_536 });
        far.push(TOPIC, "spin", { ms: SPIN_MS });
        await near.next("spins");
        await begun();
        speaker.push(TOPIC, "broadcast", { first: 1, sizes: sizes(400, [1_000]) });
        await hears(near, from(1, 400));
        release();
        await far.next("spins");
        let last = 0;
        let message = await far.next();
        for (; message.event === "n"; message = await far.next()) {
          assert.equal((message.payload as { n: number }).n, last + 1);
          last += 1;
        }
        assert.ok(last > 0 && last < 400, `${last} heard`);
        assert.deepEqual(
          [message.event, message.payload],
          ["phx_error", { reason: "missed broadcasts" }],
        );
        await far.nothingMore();
      },
    );

    it("arrives in order at others if the sender leaves itself out of a part", async () => {
      const { speaker, listeners } = await openRoom();
      speaker.push(TOPIC, "broadcast_from", { first: 1, sizes: sizes(60, [10, 2_000]) });
      for (const listener of listeners) await hears(listener, from(1, 60));
      await hears(
        speaker,
        from(1, 60).filter((n) => n % 2 === 1),
      );
    });

    it("arrives in order from the host", async () => {
      const { speaker, listeners } = await openRoom();
      for (const [at, bytes] of sizes(90, [10, 6_000, 450]).entries()) {
        server.broadcast(TOPIC, "n", { n: at + 1, filler: "x".repeat(bytes) });
      }
      for (const client of [speaker, ...listeners]) await hears(client, from(1, 90));
    });
  });

  describe(
    `What a channel pushes, broadcasts and replies to its client${held}`,
    { timeout: 120_000 },
    () => {
      before(() => void (coalesceMs = windowMs));
      afterEach(async () => {
        await Promise.all(clients.map(async (client) => client.cut()));
        clients = [];
        await server.close();
      });

      for (const { event, isAsync } of [
        { event: "mixed_now", isAsync: false },
        { event: "mixed", isAsync: false },
        { event: "mixed", isAsync: true },
      ]) {
        const how = event === "mixed_now" ? "at once" : isAsync ? "after a wait" : "in a promise";
        it(`arrives in the order of the calls, made ${how}`, async () => {
          const { speaker, listeners } = await openRoom();
          const refs = from(0, 25).map((at) => speaker.push(TOPIC, event, { n: at * 4, isAsync }));
          for (const [at, ref] of refs.entries()) {
            await hears(speaker, from(at * 4, 3));
            const { response } = await speaker.replyTo(ref);
            assert.deepEqual(response, { n: at * 4 + 3 });
          }
          for (const listener of listeners) {
            await hears(
              listener,
              from(0, 25).map((at) => at * 4 + 1),
            );
          }
        });
      }
    },
  );

  describe(`Texts and bytes${held}`, { timeout: 120_000 }, () => {
    before(() => void (coalesceMs = windowMs));
    const sockets: Socket[] = [];
    afterEach(async () => {
      await Promise.all(sockets.splice(0).map(disconnect));
      await server.close();
    });

    /** Joins with the official client, whose messages may be bytes, on both shards. */
    async function joinBoth(): Promise<readonly [Channel, Channel]> {
      server = await startServer("order", { shards: 2, ringBytes: RING_BYTES, coalesceMs });
      const opened = await openedInTurn(2, {
        server,
        async open() {
          const socket = await connectPhoenix(server.port);
          sockets.push(socket);
          const channel = socket.channel(TOPIC, {});
          const { shard } = (await join(channel)) as { shard: number };
          return { socket, channel, shard };
        },
        shardOf: ({ shard }) => shard,
        close: ({ socket }) => void disconnect(socket),
      });
      return opened.map(({ channel }) => channel) as [Channel, Channel];
    }

    it("that one sender broadcasts arrive in order, also in fragments", async () => {
      const [speaker, far] = await joinBoth();
      const all = Promise.all([speaker, far].map(async (channel) => numbersOf(channel, 60)));
      speaker.push("broadcast_bytes", { first: 1, sizes: sizes(60, [10, 20, 3_000, 6_000, 0]) });
      assert.deepEqual(await all, [from(1, 60), from(1, 60)]);
    });

    it("that a channel pushes, broadcasts and replies arrive in the order of the calls", async () => {
      const [speaker, far] = await joinBoth();
      const own = numbersOf(speaker, 100);
      const others = numbersOf(far, 40);
      for (let n = 0; n < 100; n += 5) speaker.push("mixed_bytes", { n });
      assert.deepEqual(await own, from(0, 100));
      assert.deepEqual(
        await others,
        from(0, 100).filter((n) => n % 5 === 1 || n % 5 === 3),
      );
    });
  });
}
