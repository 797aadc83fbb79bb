/**
 * Connections without a channel: which of them are closed, and when.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";

import { ok } from "../../src/callbacks/results.ts";
import { defineChannel } from "../../src/channel/definition.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import { defineTransport, type TransportHost } from "../../src/transport/custom/definition.ts";
import {
  UnjoinedConnections,
  type JoiningSocket,
} from "../../src/transport/unjoined-connections.ts";
import { Client, joined } from "../support/client.ts";
import { within } from "../support/deadline.ts";
import { LongPollClient } from "../support/longpoll-client.ts";
import { startShard, type TestShard } from "../support/shard.ts";
import { SseReader } from "../support/sse-client.ts";

type Opened = JoiningSocket & { hasJoined: boolean };

/** The open connections of a transport. */
class Opens {
  readonly open = new Set<Opened>();

  get size(): number {
    return this.open.size;
  }

  sockets(): Iterable<Opened> {
    return this.open;
  }
}

class World {
  readonly first = new Opens();
  readonly second = new Opens();
  readonly unjoined: UnjoinedConnections;
  newest = -1;

  constructor(max: number, ticks: number) {
    this.unjoined = new UnjoinedConnections([this.first, this.second], max, ticks);
  }

  open(count: number, hasJoined = false, { open } = this.first): void {
    for (let n = 0; n < count; n += 1) {
      this.newest += 1;
      const socket: Opened = {
        connection: { id: this.newest },
        hasJoined,
        end: () => void open.delete(socket),
      };
      open.add(socket);
    }
  }

  /** Returns the numbers of the connections that a tick closes. */
  tick(): number[] {
    const excess = this.unjoined.excess(this.newest);
    for (const socket of excess) socket.end(1_008, "normal");
    return excess.map(({ connection }) => connection.id);
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
    for (const socket of world.first.sockets()) socket.hasJoined = socket.connection.id !== 2;
    assert.deepEqual(world.tick(), []);
  });

  it("count together, whatever their transports, and the oldest of all are closed first", () => {
    const world = new World(3, 1);
    world.open(2, false, world.second);
    world.open(2);
    world.open(2, false, world.second);
    world.tick();
    assert.deepEqual(world.tick(), [0, 1, 2]);
  });
});

describe("a shard with too many connections without a channel", () => {
  let shard: TestShard | undefined;
  afterEach(() => shard?.close());

  it("closes the oldest with 1008", async () => {
    const { port } = await serving();
    const [a, b] = [await Client.connect(port), await Client.connect(port)];
    const member = await Client.connect(port);
    await joined(member, "room:1");
    const c = await Client.connect(port);
    assert.equal((await a.closed(10_000)).code, 1008);
    for (const client of [b, c, member]) await client.nothingMore();
    assert.equal(shard?.counter("unjoinedClosed"), 1);
    await Promise.all([b, c, member].map(async (client) => client.close()));
  });

  it("closes those of long-poll, of server-sent events and of custom transports too", async () => {
    const { port, open } = await serving();
    const closed = open();
    // A later poll would open another session.
    const polled = (await LongPollClient.connect(port)).poll().answer;
    const stream = await SseReader.open(port, "/socket/sse?vsn=2.0.0");
    await stream.next();
    const topics = await SseReader.open(port, "/socket/sse?topic=room:1");
    await topics.next();
    const [a, b] = [await Client.connect(port), await Client.connect(port)];
    assert.equal(await within(closed, "the end of the custom connection"), 1008);
    assert.equal((await within(polled, "the answer to a poll")).status, 410);
    const code = '{"code":1008,"reason":""}';
    assert.deepEqual(await stream.end(), [{ id: "", event: "close", data: code }]);
    assert.equal(shard?.counter("unjoinedClosed"), 3);
    for (const client of [a, b]) await client.nothingMore();
    // A stream of topics has joined.
    assert.equal(topics.response.closed, false);
    topics.cut();
    await Promise.all([a, b].map(async (client) => client.close()));
  });

  interface Serving {
    readonly port: number;
    /** Opens a connection of a custom transport, and resolves with its close code. */
    readonly open: () => Promise<number>;
  }

  async function serving(): Promise<Serving> {
    const socket = defineSocket({ connect: () => ok({}) });
    const room = defineChannel(socket, { join: () => ok() });
    let host: TransportHost | undefined;
    const line = defineTransport({ name: "line", start: (given) => void (host = given) });
    const mount = { socket, channels: { "room:*": room }, longpoll: true, sse: true };
    shard = await startShard(
      { sockets: { "/socket": mount }, transports: [line] },
      { maxUnjoinedConnections: 2, unjoinedTimeoutMs: 250 },
    );
    const open = async (): Promise<number> => {
      const decision = await host?.connect({ path: "/socket", params: { vsn: "2.0.0" } });
      assert.ok(decision?.result === "ok");
      return new Promise((close) => {
        decision.open({ send: () => {}, close });
      });
    };
    return { port: shard.port, open };
  }
});
