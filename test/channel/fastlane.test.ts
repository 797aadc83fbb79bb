import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { ChannelSocket } from "../../src/channel/channel-socket.ts";
import { TestNode } from "../support/members.ts";
import { channel, World } from "../support/world.ts";
import type { WorldClient } from "../support/world.ts";

type Room = ChannelSocket<Record<string, unknown>>;

const PLAIN = '[null,null,"room:1","e",{"n":1}]';
const PLAIN_V1 = '{"topic":"room:1","event":"e","payload":{"n":1},"ref":null}';

/** Returns a binary frame as it is recorded. */
function hex(bytes: string): string {
  return `hex ${bytes.replaceAll(" ", "")}`;
}

/** Joins room:1 under version 1. */
function joinedV1(world: World): WorldClient {
  const client = world.connect({ vsn: "1.0.0" });
  client.send('{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}');
  client.taken();
  return client;
}

describe("the fastlane", () => {
  it("publishes once for all plain subscribers, whatever their channel", () => {
    const world = new World({ channels: { "room:1": channel(), "room:*": channel() } });
    const clients = [1, 2, 3].map(() => world.joined(["room:1"]));
    world.member.broadcast("room:1", "e", { n: 1 });
    for (const client of clients) assert.deepEqual(client.taken(), [PLAIN]);
    assert.deepEqual(
      world.publisher.published.map(({ receivers }) => receivers),
      [3],
    );
  });

  it("charges the turn for each broadcast that the engine sends, also one by one, and for no other", () => {
    const world = new World({
      channels: { "room:1": channel(), "slow:1": channel({ slow: "drop-oldest" }) },
      node: new TestNode({ overflowBytes: 1_048_576 }),
    });
    for (let n = 0; n < 48; n += 1) world.joined(["room:1"]);
    world.joined(["slow:1"]);
    const large = { x: "y".repeat(100_000) };
    for (const payload of [{ n: 1 }, large]) {
      world.member.broadcast("room:1", "e", payload);
      world.member.broadcast("slow:1", "e", payload);
    }
    const [bytes, largeBytes] = [PLAIN.length, PLAIN.length - 7 + JSON.stringify(large).length];
    assert.deepEqual(world.publisher.charged, [
      [48, bytes],
      [48, largeBytes],
    ]);
    assert.equal(world.publisher.published.length, 1);
  });

  describe("with a large broadcast", () => {
    const LENGTH = 100_000;
    const CLIENTS = 48;
    const payload = { x: "y".repeat(LENGTH) };
    const frame = `[null,null,"room:1","e",${JSON.stringify(payload)}]`;

    /** A world whose clients have joined, and the number of frames that each broadcast has sent. */
    function many(callbacks: object = {}): { world: World; clients: WorldClient[] } {
      const node = new TestNode({ overflowBytes: 1_048_576 });
      const world = new World({ channels: { "room:*": channel(callbacks) }, node });
      return { world, clients: Array.from({ length: CLIENTS }, () => world.joined()) };
    }

    it("sends it to one client after the other, in order with what comes before and after", () => {
      const { world, clients } = many();
      world.member.broadcast("room:1", "before", {});
      world.member.broadcast("room:1", "e", payload);
      world.member.broadcast("room:1", "after", {});
      for (const client of clients) {
        const [before, large, after, ...more] = client.taken();
        assert.deepEqual(
          [before, after, more],
          ['[null,null,"room:1","before",{}]', '[null,null,"room:1","after",{}]', []],
        );
        assert.ok(large === frame);
      }
      assert.equal(world.publisher.published.length, 2);
    });

    it("publishes it if it is small, or for few clients", () => {
      const { world } = many();
      world.member.broadcast("room:1", "e", { x: "y".repeat(60_000) });
      assert.equal(world.publisher.published.length, 1);
      const node = new TestNode({ overflowBytes: 1_048_576 });
      const few = new World({ channels: { "room:*": channel() }, node });
      few.joined();
      few.member.broadcast("room:1", "e", payload);
      assert.equal(few.publisher.published.length, 1);
    });

    it("leaves no more unsent than there is room for, and tells the others", () => {
      const { world, clients } = many();
      for (const { connection } of clients) connection.isDeaf = true;
      world.room.sampled(500_000);
      world.member.broadcast("room:1", "e", payload);
      // Half of the room is left, which five copies fill.
      const taken = clients.map((client) => client.taken());
      assert.equal(taken.filter(([first]) => first === frame).length, 5);
      const missed = '["11","11","room:1","phx_error",{"reason":"missed broadcasts"}]';
      assert.equal(taken.filter(([first]) => first === missed).length, CLIENTS - 5);
      assert.equal(world.count, 5);
      assert.equal(world.counter("broadcastsUnsent"), CLIENTS - 5);
      world.room.sampled(0);
      assert.deepEqual(
        [world.room.hasRoomFor(16_777_216), world.room.hasRoomFor(16_777_217)],
        [true, false],
      );
    });

    it("reaches the others unchanged if `terminate` of those who miss it broadcasts", () => {
      const { world, clients } = many({
        terminate: (socket: { broadcastFrom(event: string, payload: object): void }) =>
          socket.broadcastFrom("left", {}),
      });
      const [first, ...others] = clients;
      assert.ok(first);
      first.connection.heldBytes = 16_777_217;
      world.member.broadcast("room:1", "e", payload);
      const left = '[null,null,"room:1","left",{}]';
      for (const client of others) {
        const [large, then, ...more] = client.taken();
        assert.ok(large === frame, large?.slice(0, 60));
        assert.deepEqual([then, more], [left, []]);
      }
      assert.equal(world.count, CLIENTS - 1);
    });

    it("sends it to all who read, however many there are, and not to its sender", () => {
      const handleIn = {
        shout: (socket: { broadcastFrom(event: string, payload: object): void }) =>
          socket.broadcastFrom("e", payload),
      };
      const { world, clients } = many({ handleIn });
      const [sender, ...others] = clients;
      sender?.send('["11","2","room:1","shout",{}]');
      assert.deepEqual(sender?.taken(), []);
      for (const client of others) assert.ok(client.taken()[0] === frame);
      assert.equal(world.count, CLIENTS);
    });
  });

  it("publishes once for each version, under different native topics", () => {
    const world = new World({ channels: { "room:*": channel() } });
    const clients = [world.joined(), world.joined()];
    const olds = [joinedV1(world), joinedV1(world)];
    world.member.broadcast("room:1", "e", { n: 1 });
    for (const client of clients) assert.deepEqual(client.taken(), [PLAIN]);
    for (const old of olds) assert.deepEqual(old.taken(), [PLAIN_V1]);
    const names = world.publisher.published.map(({ nativeTopic }) => nativeTopic);
    assert.equal(new Set(names).size, 2);
  });

  it("sends frames one by one to connections that are not native", () => {
    const world = new World({
      channels: {
        "room:*": channel({ handleIn: { from: (socket) => socket.broadcastFrom("e", { n: 1 }) } }),
      },
    });
    const [native, plain, other] = [
      world.joined(),
      world.joined(["room:1"], { isNative: false }),
      world.joined(["room:1"], { isNative: false }),
    ];
    world.member.broadcast("room:1", "e", { n: 1 });
    for (const client of [native, plain, other]) assert.deepEqual(client.taken(), [PLAIN]);
    plain.send('["11","2","room:1","from",{}]');
    assert.deepEqual(
      [native, plain, other].map((client) => client.taken()),
      [[PLAIN], [], [PLAIN]],
    );
    native.send('["11","2","room:1","from",{}]');
    assert.deepEqual(
      [native, plain, other].map((client) => client.taken()),
      [[], [PLAIN], [PLAIN]],
    );
  });

  it("passes an intercepted event to the channels that intercept it, and publishes it natively to the others", () => {
    const world = new World({
      channels: {
        "room:*": channel({ intercept: { e: (socket, payload) => socket.push("mine", payload) } }),
      },
    });
    const client = world.joined();
    world.member.broadcast("room:1", "e", { n: 1 });
    world.member.broadcast("room:1", "f", {});
    assert.deepEqual(client.taken(), [
      '["11",null,"room:1","mine",{"n":1}]',
      '[null,null,"room:1","f",{}]',
    ]);
  });

  it("is not called for a topic whose last subscriber has left, until it has one again", () => {
    const world = new World({ channels: { "room:*": channel() } });
    const client = world.joined();
    client.send('["11","2","room:1","phx_leave",{}]');
    client.taken();
    world.member.broadcast("room:1", "e", { n: 1 });
    assert.deepEqual(client.taken(), []);
    client.send('["12","3","room:1","phx_join",{}]');
    client.taken();
    world.member.broadcast("room:1", "e", { n: 1 });
    assert.deepEqual(client.taken(), [PLAIN]);
  });

  it("keeps native topics apart, whatever the names of the topics", () => {
    const world = new World({ channels: { "*": channel() } });
    const topics = ["room:1", "0:room:1", "1:room:1", "0:0:room:1", ""];
    const clients = topics.map((topic) => world.joined([topic]));
    const old = joinedV1(world);
    for (const [at, topic] of topics.entries()) {
      world.member.broadcast(topic, "e", {});
      for (const [other, client] of clients.entries()) {
        assert.equal(client.taken().length, other === at ? 1 : 0, `${topic} and ${topics[other]}`);
      }
    }
    assert.equal(old.taken().length, 1);
  });

  it("publishes once for compressed and once for uncompressed connections", () => {
    const world = new World({ channels: { "room:*": channel() } });
    const clients = [true, false, true].map((isCompressed) =>
      world.joined(["room:1"], { isCompressed }),
    );
    world.member.broadcast("room:1", "e", { n: 1 });
    for (const client of clients) assert.deepEqual(client.taken(), [PLAIN]);
    assert.deepEqual(
      world.publisher.published.map(({ receivers, isCompressed }) => [receivers, isCompressed]),
      [
        [2, true],
        [1, false],
      ],
    );
  });

  describe("with bytes as payload", () => {
    const BYTES = Uint8Array.of(0, 255);
    // Kind 2, topic room:1, event e, payload 00 ff.
    const BINARY = hex("02 06 01 726f6f6d3a31 65 00ff");
    const MISSED_V1 =
      '{"topic":"room:1","event":"phx_error","payload":{"reason":"missed broadcasts"},"ref":null}';
    const SKIPPED = "a binary broadcast cannot be encoded for a client on version 1";

    it("sends a binary frame, natively and one by one, to all but the sender", () => {
      const handleIn = { from: (socket: Room) => socket.broadcastFrom("e", BYTES) };
      const world = new World({ channels: { "room:*": channel({ handleIn }) } });
      const clients = [
        world.joined(),
        world.joined(),
        world.joined(["room:1"], { isNative: false }),
      ];
      const taken = (): string[][] => clients.map((client) => client.taken());
      world.member.broadcast("room:1", "e", BYTES);
      assert.deepEqual(taken(), [[BINARY], [BINARY], [BINARY]]);
      clients[0]?.send('["11","2","room:1","from",{}]');
      assert.deepEqual(taken(), [[], [BINARY], [BINARY]]);
      clients[2]?.send('["11","2","room:1","from",{}]');
      assert.deepEqual(taken(), [[BINARY], [BINARY], []]);
    });

    it("passes separate bytes to each intercepting channel", () => {
      const seen: unknown[] = [];
      const intercept = {
        e: (socket: Room, payload: unknown) => {
          seen.push(payload);
          (payload as Uint8Array)[0] = 9;
          socket.push("mine", payload);
        },
      };
      const world = new World({ channels: { "room:*": channel({ intercept }) } });
      const clients = [world.joined(), world.joined()];
      world.member.broadcast("room:1", "e", BYTES);
      for (const client of clients) {
        assert.deepEqual(client.taken(), [hex("00 02 06 04 3131 726f6f6d3a31 6d696e65 09ff")]);
      }
      assert.ok(
        seen.every((payload) => payload instanceof Uint8Array && !Buffer.isBuffer(payload)),
      );
      assert.notEqual(seen[0], seen[1]);
    });

    it("skips channels on version 1, counts them, and tells them after all others have received it", () => {
      const world = new World({ channels: { "room:*": channel() } });
      const olds = [joinedV1(world), joinedV1(world)];
      const client = world.joined();
      world.member.broadcast("room:1", "e", BYTES);
      assert.deepEqual(client.taken(), [BINARY]);
      for (const old of olds) assert.deepEqual(old.taken(), [MISSED_V1]);
      assert.equal(world.skipped, 2);
      assert.equal(world.lastError(), SKIPPED);
      assert.equal(world.count, 1);
      // Their connections stay open: clients join again, and get broadcasts that can be encoded.
      olds[0]?.send('{"topic":"room:1","event":"phx_join","payload":{},"ref":"2"}');
      olds[0]?.taken();
      // They are told once, so that nobody can keep them from staying joined.
      world.member.broadcast("room:1", "e", BYTES);
      assert.deepEqual([olds[0]?.taken(), world.skipped], [[], 3]);
      world.member.broadcast("room:1", "e", { n: 1 });
      assert.deepEqual(olds[0]?.taken(), [PLAIN_V1]);
    });

    it("tells a channel on version 1 that broadcasts bytes itself after its callback has returned", () => {
      const steps: string[] = [];
      const shout = (socket: Room): void => {
        socket.broadcast("e", BYTES);
        steps.push("broadcast");
      };
      const terminate = (): void => void steps.push("terminate");
      const room = channel({
        handleIn: { shout, others: (socket) => socket.broadcastFrom("e", BYTES) },
        terminate,
      });
      const world = new World({ channels: { "room:*": room } });
      const [old, client] = [joinedV1(world), world.joined()];
      old.send('{"topic":"room:1","event":"others","payload":{},"ref":"2"}');
      assert.deepEqual([old.taken(), client.taken(), world.skipped], [[], [BINARY], 0]);
      old.send('{"topic":"room:1","event":"shout","payload":{},"ref":"3"}');
      assert.deepEqual([old.taken(), client.taken()], [[MISSED_V1], [BINARY]]);
      assert.deepEqual(steps, ["broadcast", "terminate"]);
    });

    it("reaches other threads, whatever the topic, in order with text", () => {
      const node = new TestNode();
      const topics = ["room:1", 'room:"\\\n', "room:é\u0001", "room:🙂"];
      const [here, there] = [0, 1].map(
        (member) => new World({ channels: { "room:*": channel() }, node, member }),
      );
      assert.ok(here && there);
      for (const topic of topics) {
        const client = there.joined([topic]);
        const heard: unknown[] = [];
        there.member.pubsub.subscribe(topic, {
          receive: (told) => heard.push(told),
          missed: () => assert.fail("missed"),
        });
        here.member.broadcast(topic, "a", { n: 1 });
        here.member.broadcast(topic, 'b"', BYTES);
        here.member.broadcast(topic, "c", { n: 2 });
        there.member.drain();
        const name = Buffer.from(topic);
        const length = name.length.toString(16).padStart(2, "0");
        assert.deepEqual(client.taken(), [
          `[null,null,${JSON.stringify(topic)},"a",{"n":1}]`,
          `hex 02${length}02${name.toString("hex")}622200ff`,
          `[null,null,${JSON.stringify(topic)},"c",{"n":2}]`,
        ]);
        assert.deepEqual(heard, [
          { topic, event: "a", payload: { n: 1 } },
          { topic, event: 'b"', payload: BYTES },
          { topic, event: "c", payload: { n: 2 } },
        ]);
      }
    });

    it("refuses the call if the topic is too long for a binary frame", () => {
      const world = new World({ channels: { "room:*": channel() } });
      const topic = `room:${"x".repeat(251)}`;
      const client = world.joined([topic]);
      assert.throws(() => world.member.broadcast(topic, "e", BYTES), { code: "SIM_ERR_PAYLOAD" });
      assert.deepEqual(client.taken(), []);
      world.member.broadcast(topic, "e", {});
      assert.equal(client.taken().length, 1);
    });
  });

  it("tells all channels of a topic that broadcasts were lost", () => {
    const world = new World({
      channels: { "room:*": channel({ intercept: { x: () => undefined } }) },
    });
    const [one, two, old] = [world.joined(), world.joined(), joinedV1(world)];
    const elsewhere = world.joined(["room:2"]);
    const { index, pubsub } = world.member;
    pubsub.onLapped(1, Int32Array.of(index.slotOf(pubsub.registry.hashOf("room:1"))));
    const missed = '["11","11","room:1","phx_error",{"reason":"missed broadcasts"}]';
    assert.deepEqual([one.taken(), two.taken()], [[missed], [missed]]);
    assert.match(old.taken()[0] ?? "", /"event":"phx_error"/);
    assert.deepEqual(elsewhere.taken(), []);
    assert.equal(world.count, 1);
  });
});
