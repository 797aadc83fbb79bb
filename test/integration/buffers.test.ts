/**
 * What a node of two shards holds for its clients: those that hold most are closed, whatever shard they are on.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread.
 * Slow: sends megabytes that no client reads.
 */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { Client } from "../support/client.ts";
import { noSecondShard } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { startServer } from "../support/server.ts";
import type { Server } from "../support/server.ts";

const MIB = 1_048_576;
/** More than the buffers of the system. */
const MUCH_BYTES = 24 * MIB;
const DEADLINE_MS = 20_000;

let server: Server;
afterEach(async () => server.closeNow());

interface Member {
  readonly client: Client;
  readonly shard: number;
}

/** A client that has joined a topic. */
async function joinedTo(topic: string): Promise<Member> {
  const client = await Client.connect(server.port);
  const ref = client.join(topic);
  const { response } = await client.replyTo(ref);
  return { client, shard: (response as { shard: number }).shard };
}

/** Returns clients that do not read, of which one is on the first shard and all others on the second. */
async function onBothShards(): Promise<{ alone: Member; others: Member[] }> {
  const alone = await joinedTo("room:alone");
  const others: Member[] = [];
  while (others.length < 2) {
    const one = await joinedTo("room:others");
    if (one.shard === alone.shard) await one.client.close();
    else others.push(one);
  }
  for (const { client } of [alone, ...others]) client.pause();
  return { alone, others };
}

/** A client that has joined and reads, on a shard. */
async function witnessOn(shard: number): Promise<Client> {
  for (;;) {
    const one = await joinedTo("room:witness");
    if (one.shard === shard) return one.client;
    await one.client.close();
  }
}

async function untilShed(): Promise<number> {
  for (;;) {
    const { buffersShed } = server.stats().total;
    if (buffersShed > 0) return buffersShed;
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}

describe("A node that holds more than maxBufferBytes", { skip: noSecondShard }, () => {
  it("cuts the client for which most is unsent, on its shard, and nobody on the others", async () => {
    server = await startServer("slow", {
      shards: 2,
      maxBufferBytes: 24 * MIB,
      maxBackpressureBytes: 256 * MIB,
      data: { events: "unused" },
    });
    const { alone, others } = await onBothShards();
    const witness = await witnessOn(alone.shard);
    // First a little for two clients of one shard, then more than the limit for the one on the other.
    const pad = "x".repeat(32_768);
    for (let sent = 0; sent < 8 * MIB; sent += pad.length) {
      server.broadcast("room:others", "big", { pad });
    }
    for (let sent = 0; sent < 2 * MUCH_BYTES; sent += pad.length) {
      server.broadcast("room:alone", "big", { pad });
      if (sent % MIB !== 0) continue;
      // Main waits for the shard. Otherwise it could hold most itself.
      server.broadcast("room:witness", "so far", {});
      await witness.next("so far");
    }
    assert.equal(await within(untilShed(), "a cut", DEADLINE_MS), 1);
    alone.client.resume();
    assert.equal((await alone.client.closed(DEADLINE_MS)).code, 1006);
    const { shards } = server.stats();
    assert.deepEqual(
      [shards[alone.shard]?.buffersShed, shards[1 - alone.shard]?.buffersShed],
      [1, 0],
    );
    for (const { client } of others) client.resume();
    for (const { client } of others) assert.equal((await client.next()).event, "big");
    await Promise.all([...others.map(({ client }) => client), witness].map((one) => one.close()));
  });
});
