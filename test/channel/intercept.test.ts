/**
 * Broadcasts that a channel intercepts.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ok, stop } from "../../src/callbacks/results.ts";
import { CRASHED, CLOSED, push, replied } from "../support/channel-frames.ts";
import { channel, World } from "../support/world.ts";

describe("intercept", () => {
  it("gets its event instead of the client, and may push anything", () => {
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            shout: (socket, payload) => {
              socket.broadcast("secret", payload);
              return ok();
            },
          },
          intercept: { secret: (socket, payload) => socket.push("told", payload) },
        }),
      },
    });
    const client = world.joined();
    // The handler's reply is first: the channel is busy with it.
    assert.deepEqual(client.asked(push("shout", "2", { n: 1 })), [
      replied({}),
      '["11",null,"room:1","told",{"n":1}]',
    ]);
    world.member.broadcast("room:1", "plain", {});
    assert.deepEqual(client.taken(), ['[null,null,"room:1","plain",{}]']);
  });

  it("gets a separate payload for each channel", () => {
    const world = new World({
      channels: {
        "room:*": channel({
          intercept: {
            e: (socket, payload) => {
              const mine = payload as { n: number };
              mine.n += 1;
              socket.push("e", mine);
            },
          },
        }),
      },
    });
    const clients = [world.joined(), world.joined()];
    world.member.broadcast("room:1", "e", { n: 1 });
    for (const client of clients) {
      assert.deepEqual(client.taken(), ['["11",null,"room:1","e",{"n":2}]']);
    }
  });

  it("may stop the channel or crash it", () => {
    for (const [result, frame] of [
      [stop("normal"), CLOSED],
      [stop("other"), CRASHED],
      [ok(), CRASHED],
    ] as const) {
      const world = new World({
        channels: { "room:*": channel({ intercept: { e: () => result as never } }) },
      });
      const client = world.joined();
      world.member.broadcast("room:1", "e", {});
      assert.deepEqual(client.taken(), [frame]);
    }
    const world = new World({
      channels: {
        "room:*": channel({
          intercept: {
            e: () => {
              throw new Error("boom");
            },
          },
        }),
      },
    });
    const client = world.joined();
    world.member.broadcast("room:1", "e", {});
    assert.deepEqual(client.taken(), [CRASHED]);
    assert.equal(world.log.at(-1)?.fields["event"], "e");
  });

  it("gets every event of the channel's own topic if the channel also subscribed to it", () => {
    const world = new World({
      channels: {
        "room:*": channel({
          join: (socket) => {
            socket.subscribe("room:1");
            return ok();
          },
          intercept: { e: (socket) => socket.push("told") },
        }),
      },
    });
    const client = world.joined();
    world.member.broadcast("room:1", "e", {});
    assert.deepEqual(client.taken(), [
      '["11",null,"room:1","told",{}]',
      '["11",null,"room:1","told",{}]',
    ]);
    world.member.broadcast("room:1", "other", {});
    assert.deepEqual(client.taken(), ['[null,null,"room:1","other",{}]', CRASHED]);
    assert.equal(world.lastError(), 'no handler in intercept for "other"');
  });

  it("does not get what its own channel sent with broadcastFrom", () => {
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: { shout: (socket) => socket.broadcastFrom("e", {}) },
          intercept: { e: (socket) => socket.push("told") },
        }),
      },
    });
    const [sender, other] = [world.joined(), world.joined()];
    sender.send(push("shout"));
    assert.deepEqual(sender.taken(), []);
    assert.deepEqual(other.taken(), ['["11",null,"room:1","told",{}]']);
  });

  it("may broadcast without affecting what is still to be delivered", () => {
    const world = new World({
      channels: {
        "room:*": channel({
          intercept: {
            e: (socket, payload) => {
              socket.broadcast("plain", { from: "e" });
              socket.push("told", payload);
            },
          },
        }),
      },
    });
    const [one, two] = [world.joined(), world.joined()];
    world.member.broadcast("room:1", "e", { n: "original" });
    const plain = '[null,null,"room:1","plain",{"from":"e"}]';
    const told = '["11",null,"room:1","told",{"n":"original"}]';
    assert.deepEqual(one.taken(), [plain, told, plain]);
    assert.deepEqual(two.taken(), [plain, plain, told]);
  });
});
