/**
 * Held broadcasts, in a shard without a transport. `integration/order` tests that other frames to a client
 * do not overtake them.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import type { ChannelSocket } from "../../src/channel/channel-socket.ts";
import { BURST, BurstWindow, CoalescingWindow } from "../../src/pubsub/holding-windows.ts";
import { TestNode } from "../support/members.ts";
import { channel, World, type WorldClient } from "../support/world.ts";

type Room = ChannelSocket<Record<string, unknown>>;

const BUFFER_BYTES = 262_144;
const CHANNEL = channel({
  handleIn: { from: (socket: Room, payload) => socket.broadcastFrom("e", payload) },
  intercept: { mine: (socket: Room, payload) => socket.push("mine", payload) },
});

let window: CoalescingWindow;
let world: World;

/** Returns the numbers sent to a client since the last call. */
function numbers(client: WorldClient): number[] {
  return client
    .taken()
    .flatMap((frame) => /"n":(\d+)/.exec(frame)?.[1] ?? [])
    .map(Number);
}

function say(n: number, filler = ""): void {
  world.member.broadcast("room:1", "e", { n, filler });
}

describe("broadcasts of a shard with a coalescing window", () => {
  beforeEach(() => {
    window = new CoalescingWindow(60_000);
    world = new World({ channels: { "room:*": CHANNEL }, window });
  });
  afterEach(() => window.end());

  it("are held until it ends, and arrive in order across all topics", () => {
    const client = world.joined(["room:1", "room:2"]);
    say(1);
    world.member.broadcast("room:2", "e", { n: 2 });
    say(3);
    assert.deepEqual(client.taken(), []);
    window.end();
    assert.deepEqual(numbers(client), [1, 2, 3]);
    say(4);
    assert.deepEqual(client.taken(), []);
    window.end();
    assert.deepEqual(numbers(client), [4]);
  });

  it("leave out their sender, and nobody else if the sender has ended since", () => {
    const [from, other, gone] = [world.joined(), world.joined(), world.joined()];
    from.send('["11","2","room:1","from",{"n":1}]');
    gone.send('["11","2","room:1","from",{"n":2}]');
    gone.connection.isOpen = false;
    window.end();
    assert.deepEqual([from, other].map(numbers), [[2], [1, 2]]);
    assert.deepEqual(
      world.publisher.published.map(({ receivers }) => receivers),
      [2, 3],
    );
  });

  it("reach a channel that leaves in the meantime, but not one that joins", () => {
    const [stays, leaves] = [world.joined(), world.joined()];
    say(1);
    leaves.send('["11","2","room:1","phx_leave",{}]');
    assert.deepEqual(numbers(leaves), [1]);
    say(2);
    const joins = world.joined();
    window.end();
    assert.deepEqual([stays, leaves, joins].map(numbers), [[1, 2], [], []]);
  });

  it("are sent at once if a serializer, an interception or a transport sends them one by one", () => {
    const polled = world.joined(["room:1"], { isNative: false });
    say(1);
    assert.deepEqual(numbers(polled), [1]);
    const native = world.joined();
    world.member.broadcast("room:1", "mine", { n: 2 });
    assert.deepEqual([native, polled].map(numbers), [[2], [2]]);
  });

  it("are not held again if they come from another thread", () => {
    const node = new TestNode();
    world = new World({ channels: { "room:*": CHANNEL }, window, node });
    const client = world.joined();
    const other = node.member(1);
    other.broadcast("room:1", "e", { n: 1 });
    world.member.drain();
    assert.deepEqual(numbers(client), [1]);
  });

  it("are copies: the sender's buffer can be reused at once", () => {
    const client = world.joined();
    for (const filler of ["a", "bb", "ccc"]) say(filler.length, filler);
    window.end();
    assert.deepEqual(
      client.taken().map((frame) => (JSON.parse(frame) as [0, 0, 0, 0, object])[4]),
      [
        { n: 1, filler: "a" },
        { n: 2, filler: "bb" },
        { n: 3, filler: "ccc" },
      ],
    );
  });

  it("are published early, in order, if the buffer is full", () => {
    const node = new TestNode({ overflowBytes: 1_000_000 });
    world = new World({ channels: { "room:*": CHANNEL }, window, node });
    const client = world.joined();
    const third = "x".repeat(BUFFER_BYTES / 3);
    for (const n of [1, 2]) say(n, third);
    assert.deepEqual(client.taken(), []);
    say(3, third);
    assert.deepEqual(numbers(client), [1, 2]);
    say(4, "x".repeat(BUFFER_BYTES));
    assert.deepEqual(numbers(client), [3, 4]);
    assert.equal(world.held?.isEmpty, true);
  });
});

describe("broadcasts of a shard in a burst", () => {
  it("are sent at once while there are few; the rest at the end of the turn, in order across all topics", async () => {
    world = new World({ channels: { "room:*": CHANNEL }, window: new BurstWindow() });
    const client = world.joined(["room:1", "room:2"]);
    const all = Array.from({ length: BURST + 4 }, (_, at) => at);
    for (const n of all) world.member.broadcast(n % 2 === 0 ? "room:1" : "room:2", "e", { n });
    assert.deepEqual(numbers(client), all.slice(0, BURST));
    await turn();
    assert.deepEqual(numbers(client), all.slice(BURST));
  });

  it("are not overtaken by later broadcasts from another thread", async () => {
    const node = new TestNode();
    world = new World({ channels: { "room:*": CHANNEL }, window: new BurstWindow(), node });
    const client = world.joined();
    const all = Array.from({ length: BURST + 4 }, (_, at) => at);
    for (const n of all) say(n);
    node.member(1).broadcast("room:1", "e", { n: 99 });
    world.member.drain();
    assert.deepEqual(numbers(client), [...all, 99]);
    await turn();
    assert.deepEqual(numbers(client), []);
  });
});
