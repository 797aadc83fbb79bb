import assert from "node:assert/strict";
import diagnostics from "node:diagnostics_channel";
import { describe, it } from "node:test";

import type { ChannelDefinition } from "../../src/channel/definition.ts";
import { channel, Deferred, turn, World } from "../support/world.ts";
import type { WorldClient } from "../support/world.ts";

function conflating(queue = 8): ChannelDefinition {
  return channel({
    slow: "conflate",
    queue,
    missed: (socket, count) => socket.push("missed", { count }),
    handleIn: {
      push: (socket) => socket.push("pushed", {}),
      from: (socket) => socket.broadcastFrom("mine", {}),
    },
    intercept: { x: (socket, payload) => socket.push("x", payload) },
  });
}

function dropping(queue: number): ChannelDefinition {
  return channel({
    slow: "drop-oldest",
    queue,
    missed: (socket, count) => socket.push("missed", { count }),
  });
}

function broadcast(world: World, ...events: readonly (readonly [string, number])[]): void {
  for (const [event, n] of events) world.member.broadcast("room:1", event, { n });
}

/** Returns the frames sent to a client, as events and numbers. */
function taken(client: WorldClient): (readonly [string, unknown])[] {
  return client.taken().map((frame) => {
    const [, , , event, payload] = JSON.parse(frame) as [unknown, unknown, unknown, string, Told];
    return [event, payload.n ?? payload.count ?? payload.reason];
  });
}

interface Told {
  readonly n?: number;
  readonly count?: number;
  readonly reason?: string;
}

describe("a channel that may miss broadcasts", () => {
  it("keeps no more bytes than may wait, except for a single broadcast", () => {
    const world = new World({ channels: { "room:*": dropping(8) }, maxQueueBytes: 100 });
    const client = world.joined();
    client.connection.setRoom(0);
    const frame = '[null,null,"room:1","a",{"n":1}]';
    assert.equal(frame.length, 32);
    broadcast(world, ["a", 1], ["a", 2], ["a", 3]);
    assert.deepEqual([world.queued.maxHeldBytes, world.leftOut], [96, 0]);
    broadcast(world, ["a", 4]);
    assert.deepEqual([world.queued.maxHeldBytes, world.leftOut], [96, 1]);
    world.member.broadcast("room:1", "large", { n: 5, pad: "x".repeat(200) });
    assert.equal(world.leftOut, 4);
    client.connection.setRoom(10);
    assert.deepEqual(taken(client), [
      ["large", 5],
      ["missed", 4],
    ]);
    assert.equal(world.queued.maxHeldBytes, 0);
  });

  it("counts a broadcast once, however many channels wait for it; a channel whose queue is shed ends", () => {
    const world = new World({ channels: { "room:*": dropping(8) } });
    const clients = [world.joined(), world.joined()];
    for (const { connection } of clients) connection.setRoom(0);
    broadcast(world, ["a", 1], ["a", 2]);
    assert.equal(world.queued.maxHeldBytes, 64);
    const held: number[] = [];
    world.queued.visitHeld((owner, bytes) => {
      held.push(bytes);
      if (held.length === 1) owner.shed();
    });
    assert.deepEqual(held, [32, 64]);
    assert.equal(world.queued.maxHeldBytes, 64);
    assert.equal(world.count, 1);
    for (const { connection } of clients) connection.setRoom(10);
    assert.deepEqual(taken(clients[0] as WorldClient).at(0), ["phx_error", "client too slow"]);
    assert.deepEqual(taken(clients[1] as WorldClient), [
      ["a", 1],
      ["a", 2],
    ]);
    assert.equal(world.queued.maxHeldBytes, 0);
  });

  it("is sent them one by one and at once while there is room, and is never published to", () => {
    const world = new World({ channels: { "room:*": conflating() } });
    const [one, two] = [world.joined(), world.joined()];
    broadcast(world, ["a", 1], ["a", 2]);
    for (const client of [one, two]) {
      assert.deepEqual(taken(client), [
        ["a", 1],
        ["a", 2],
      ]);
    }
    assert.deepEqual([world.publisher.published, world.publisher.topics.size], [[], 0]);
    assert.equal(world.leftOut, 0);
  });

  it("with conflate keeps the latest of each event, in the order of the broadcasts that are kept", () => {
    const world = new World({ channels: { "room:*": conflating() } });
    const [slow, fast] = [world.joined(), world.joined()];
    slow.connection.setRoom(0);
    broadcast(world, ["a", 1], ["b", 2], ["a", 3], ["c", 4], ["b", 5], ["a", 6]);
    assert.deepEqual(taken(slow), []);
    assert.equal(taken(fast).length, 6);
    assert.equal(world.leftOut, 3);
    slow.connection.setRoom(Infinity);
    assert.deepEqual(taken(slow), [
      ["c", 4],
      ["b", 5],
      ["a", 6],
      ["missed", 3],
    ]);
    broadcast(world, ["a", 7]);
    assert.deepEqual(taken(slow), [["a", 7]]);
  });

  it("with conflate keeps no more events than its queue holds", () => {
    const world = new World({ channels: { "room:*": conflating(2) } });
    const slow = world.joined();
    slow.connection.setRoom(0);
    broadcast(world, ["a", 1], ["b", 2], ["c", 3], ["d", 4]);
    slow.connection.setRoom(Infinity);
    assert.deepEqual(taken(slow), [
      ["c", 3],
      ["d", 4],
      ["missed", 2],
    ]);
  });

  it("with drop-oldest keeps the last broadcasts, whatever their events", () => {
    const world = new World({ channels: { "room:*": dropping(3) } });
    const slow = world.joined();
    slow.connection.setRoom(0);
    broadcast(world, ["a", 1], ["a", 2], ["b", 3], ["a", 4], ["a", 5]);
    assert.equal(world.leftOut, 2);
    slow.connection.setRoom(Infinity);
    assert.deepEqual(taken(slow), [
      ["b", 3],
      ["a", 4],
      ["a", 5],
      ["missed", 2],
    ]);
  });

  it("is sent only what there is room for, and the rest when there is room again", () => {
    const world = new World({ channels: { "room:*": dropping(4) } });
    const slow = world.joined();
    slow.connection.setRoom(0);
    broadcast(world, ["a", 1], ["a", 2], ["a", 3]);
    slow.connection.setRoom(2);
    assert.deepEqual(taken(slow), [
      ["a", 1],
      ["a", 2],
    ]);
    // It waits behind the other broadcast, although there is room for it now.
    slow.connection.gainRoom(9);
    broadcast(world, ["a", 4]);
    assert.deepEqual(taken(slow), []);
    slow.connection.setRoom(Infinity);
    assert.deepEqual(taken(slow), [
      ["a", 3],
      ["a", 4],
    ]);
  });

  it("is sent what was broadcast, even if the buffer was reused in the meantime", () => {
    const world = new World({ channels: { "room:*": dropping(4) } });
    const slow = world.joined();
    slow.connection.setRoom(0);
    broadcast(world, ["first", 1]);
    world.member.broadcast("room:2", "other", { n: 2 });
    slow.connection.setRoom(Infinity);
    assert.deepEqual(taken(slow), [["first", 1]]);
  });

  it("is sent bytes as bytes, at once and later, between texts", () => {
    const world = new World({ channels: { "room:*": dropping(4) } });
    const slow = world.joined();
    const binary = "hex 020601726f6f6d3a316200ff";
    world.member.broadcast("room:1", "b", Uint8Array.of(0, 255));
    assert.deepEqual(slow.taken(), [binary]);
    slow.connection.setRoom(0);
    broadcast(world, ["a", 1]);
    world.member.broadcast("room:1", "b", Uint8Array.of(0, 255));
    broadcast(world, ["a", 2]);
    slow.connection.setRoom(Infinity);
    const texts = [1, 2].map((n) => `[null,null,"room:1","a",{"n":${n}}]`);
    assert.deepEqual(slow.taken(), [texts[0], binary, texts[1]]);
  });

  it("is sent pushes and intercepted events before broadcasts that wait, and loses none of them", () => {
    const world = new World({ channels: { "room:*": conflating() } });
    const slow = world.joined();
    slow.connection.setRoom(0);
    broadcast(world, ["a", 1], ["x", 2], ["x", 3]);
    slow.send('["11","2","room:1","push",{}]');
    assert.deepEqual(taken(slow), [
      ["x", 2],
      ["x", 3],
      ["pushed", undefined],
    ]);
    slow.connection.setRoom(Infinity);
    assert.deepEqual(taken(slow), [["a", 1]]);
    assert.equal(world.leftOut, 0);
  });

  it("is left out of its own broadcastFrom, whether it has room or not", () => {
    const world = new World({ channels: { "room:*": conflating() } });
    const [sender, other] = [world.joined(), world.joined()];
    sender.connection.setRoom(0);
    sender.send('["11","2","room:1","from",{}]');
    sender.connection.setRoom(Infinity);
    assert.deepEqual([taken(sender), taken(other)], [[], [["mine", undefined]]]);
  });

  it("keeps the two protocol versions apart", () => {
    const world = new World({ channels: { "room:*": dropping(4) } });
    const old = world.connect({ vsn: "1.0.0" });
    old.send('{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}');
    old.taken();
    old.connection.setRoom(0);
    broadcast(world, ["a", 1]);
    old.connection.setRoom(Infinity);
    assert.deepEqual(old.taken(), ['{"topic":"room:1","event":"a","payload":{"n":1},"ref":null}']);
  });

  it("learns how many were left out when the queue is empty or ends, and nothing is sent after the end", async () => {
    const told: unknown[] = [];
    const listen = (event: unknown): void => void told.push(event);
    diagnostics.subscribe("simurgh:broadcasts_missed", listen);
    const world = new World({ channels: { "room:*": dropping(1) } });
    const [stays, leaves, goes] = [world.joined(), world.joined(), world.joined()];
    for (const client of [stays, leaves, goes]) client.connection.setRoom(0);
    broadcast(world, ["a", 1], ["a", 2], ["a", 3]);
    assert.deepEqual(told, []);
    leaves.send('["11","2","room:1","phx_leave",{}]');
    goes.connection.lose();
    stays.connection.setRoom(Infinity);
    await turn();
    diagnostics.unsubscribe("simurgh:broadcasts_missed", listen);
    const [at, topic, count] = [stays.connection.id, "room:1", 2];
    assert.deepEqual(told, [
      { topic, connection: leaves.connection.id, count },
      { topic, connection: goes.connection.id, count },
      { topic, connection: at, count },
    ]);
    leaves.taken();
    for (const client of [leaves, goes]) client.connection.setRoom(Infinity);
    assert.deepEqual([taken(leaves), taken(goes)], [[], []]);
    assert.deepEqual(
      world.troubles(),
      Array(3).fill("a slow client missed broadcasts of a channel"),
    );
  });

  it("is told of missed broadcasts after the running handler", async () => {
    const gate = new Deferred<void>();
    const slowly = channel({
      slow: "drop-oldest",
      queue: 1,
      missed: (socket, count) => socket.push("missed", { count }),
      handleIn: {
        wait: () => gate.promise,
      },
    });
    const world = new World({ channels: { "room:*": slowly } });
    const slow = world.joined();
    slow.send('["11","2","room:1","wait",{}]');
    slow.connection.setRoom(0);
    broadcast(world, ["a", 1], ["a", 2]);
    slow.connection.setRoom(Infinity);
    assert.deepEqual(taken(slow), [["a", 2]]);
    gate.resolve();
    await turn();
    assert.deepEqual(taken(slow), [["missed", 1]]);
  });
});
