/**
 * Connections without a channel: which of them are closed, and when.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";

import { ok } from "../../../src/callbacks/results.ts";
import { defineChannel } from "../../../src/channel/definition.ts";
import { defineSocket } from "../../../src/socket/definition.ts";
import {
  UnjoinedConnections,
  type JoiningConnection,
} from "../../../src/transport/websocket/unjoined-connections.ts";
import { Client, joined } from "../../support/client.ts";
import { startShard, type TestShard } from "../../support/shard.ts";

class World {
  readonly connections = new Set<JoiningConnection & { socket: { hasJoined: boolean } }>();
  readonly unjoined: UnjoinedConnections<JoiningConnection>;
  newest = -1;

  constructor(max: number, ticks: number) {
    this.unjoined = new UnjoinedConnections(this.connections, max, ticks);
  }

  open(count: number, hasJoined = false): void {
    for (let n = 0; n < count; n += 1) {
      this.newest += 1;
      this.connections.add({ id: this.newest, socket: { hasJoined } });
    }
  }

  /** Returns the numbers of the connections that a tick closes. */
  tick(): number[] {
    const excess = this.unjoined.excess(this.newest);
    for (const connection of excess) this.connections.delete(connection as never);
    return excess.map(({ id }) => id);
  }
}

describe("connections without a channel", () => {
  it("may stay for ever while there are no more than the limit, however many have joined", () => {
    const world = new World(3, 2);
    world.open(3);
    world.open(10, true);
    for (let n = 0; n < 10; n += 1) assert.deepEqual(world.tick(), []);
  });

  it("are closed above it, the oldest first, once their time to join is over", () => {
    const world = new World(3, 2);
    world.open(5);
    world.open(10, true);
    assert.deepEqual([world.tick(), world.tick()], [[], []]);
    world.open(1);
    assert.deepEqual(world.tick(), [0, 1, 2]);
    assert.deepEqual(world.tick(), []);
  });

  it("that are new are not closed, however many there are", () => {
    const world = new World(1, 2);
    world.open(2);
    assert.deepEqual([world.tick(), world.tick()], [[], []]);
    world.open(100);
    assert.deepEqual(world.tick(), [0, 1]);
    assert.deepEqual(world.tick(), []);
    assert.equal(world.tick().length, 99);
  });

  it("that have joined in the meantime are kept", () => {
    const world = new World(1, 1);
    world.open(4);
    world.tick();
    for (const { id, socket } of world.connections) socket.hasJoined = id !== 2;
    assert.deepEqual(world.tick(), []);
  });
});

describe("a shard with too many connections without a channel", () => {
  let shard: TestShard | undefined;
  afterEach(() => shard?.close());

  it("closes the oldest with 1008", async () => {
    const socket = defineSocket({ connect: () => ok({}) });
    const room = defineChannel(socket, { join: () => ok() });
    shard = await startShard(
      { sockets: { "/socket": { socket, channels: { "room:*": room } } } },
      { maxUnjoinedConnections: 2, unjoinedTimeoutMs: 250 },
    );
    const { port } = shard;
    const [a, b] = [await Client.connect(port), await Client.connect(port)];
    const member = await Client.connect(port);
    await joined(member, "room:1");
    const c = await Client.connect(port);
    assert.equal((await a.closed(10_000)).code, 1008);
    for (const client of [b, c, member]) await client.nothingMore();
    assert.equal(shard.counter("unjoinedClosed"), 1);
    await Promise.all([b, c, member].map(async (client) => client.close()));
  });
});
