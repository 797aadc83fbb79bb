import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { channel, World } from "../support/world.ts";
import type { WorldClient } from "../support/world.ts";

const PLAIN = '[null,null,"room:1","e",{"n":1}]';
const PLAIN_V1 = '{"topic":"room:1","event":"e","payload":{"n":1},"ref":null}';

/** Joins room:1 under version 1. */
function joinedV1(world: World): WorldClient {
  const client = world.connect({ vsn: "1.0.0" });
  client.send('{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}');
  client.taken();
  return client;
}

describe("the fastlane", () => {
  it("publishes once for all plain subscribers, whatever their channel is", () => {
    const world = new World({ channels: { "room:1": channel(), "room:*": channel() } });
    const clients = [1, 2, 3].map(() => world.joined(["room:1"]));
    world.member.broadcast("room:1", "e", { n: 1 });
    for (const client of clients) assert.deepEqual(client.taken(), [PLAIN]);
    assert.deepEqual(
      world.publisher.published.map(({ receivers }) => receivers),
      [3],
    );
  });

  it("publishes once for each version, under another name", () => {
    const world = new World({ channels: { "room:*": channel() } });
    const clients = [world.joined(), world.joined()];
    const olds = [joinedV1(world), joinedV1(world)];
    world.member.broadcast("room:1", "e", { n: 1 });
    for (const client of clients) assert.deepEqual(client.taken(), [PLAIN]);
    for (const old of olds) assert.deepEqual(old.taken(), [PLAIN_V1]);
    const names = world.publisher.published.map(({ nativeTopic }) => nativeTopic);
    assert.equal(new Set(names).size, 2);
  });

  it("sends frames one by one where a connection has no native topics", () => {
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

  it("gives an intercepted event to the channels that intercept it, and to the others natively", () => {
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

  it("hears no broadcast of a topic whose last subscriber left, and finds it again", () => {
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

  it("keeps native names of topics apart, however the topics are called", () => {
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

  it("tells all channels of a topic that they missed something", () => {
    const world = new World({
      channels: { "room:*": channel({ intercept: { x: () => undefined } }) },
    });
    const [one, two, old] = [world.joined(), world.joined(), joinedV1(world)];
    const elsewhere = world.joined(["room:2"]);
    const { index, pubsub } = world.member;
    pubsub.lapped(Int32Array.of(index.slotOf(pubsub.registry.hashOf("room:1"))));
    const missed = '["11","11","room:1","phx_error",{"reason":"missed broadcasts"}]';
    assert.deepEqual([one.taken(), two.taken()], [[missed], [missed]]);
    assert.match(old.taken()[0] ?? "", /"event":"phx_error"/);
    assert.deepEqual(elsewhere.taken(), []);
    assert.equal(world.count, 1);
  });
});
