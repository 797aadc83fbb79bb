/**
 * The mailbox of a channel: what waits for its callback, and what happens when it is full.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { error, ok, stop } from "../../src/callbacks/results.ts";
import type { Channel } from "../../src/channel/channel.ts";
import { CLOSED, push, replied } from "../support/channel-frames.ts";
import { channel, Deferred, turn, World } from "../support/world.ts";

/** Returns a frame of room:1 as a frame of room:2. */
function toRoom2(frame: string): string {
  return frame.replace("11", "12").replace("room:1", "room:2");
}

describe("a mailbox", () => {
  it("that is full ends its channel with mailbox full", async () => {
    const slow = new Deferred();
    const world = new World({
      channels: { "room:*": channel({ handleIn: { slow: () => slow.promise as never } }) },
      maxMailbox: 3,
    });
    const client = world.joined();
    client.send(push("slow"), push("a", "3"), push("b", "4"), push("c", "5"));
    assert.deepEqual(client.taken(), []);
    client.send(push("d", "6"));
    assert.deepEqual(client.taken(), [
      '["11","11","room:1","phx_error",{"reason":"mailbox full"}]',
    ]);
    assert.equal(world.lastError(), "the mailbox must hold at most 3 (messages)");
    slow.resolve(ok());
    await turn();
    assert.deepEqual(client.taken(), []);
    assert.equal(world.count, 0);
  });

  it("counts the bytes of waiting messages for the whole connection, which is closed beyond the limit", async () => {
    const slow = new Deferred();
    const handleIn = { slow: () => slow.promise as never, a: () => ok() };
    const world = new World({
      channels: { "room:*": channel({ handleIn }) },
      maxWaitingBytes: 2 * 26,
    });
    const [client, other] = [world.joined(["room:1", "room:2"]), world.joined()];
    assert.equal(push("a", "3").length, 26);
    client.send(push("slow"), toRoom2(push("slow")), push("a", "3"), toRoom2(push("a", "3")));
    assert.equal(client.socket.isEnded, false);
    client.send(toRoom2(push("a", "4")));
    assert.deepEqual([client.connection.closeCode, other.socket.isEnded], [1008, false]);
    assert.equal(world.callbacks.waiting.size, 0);
  });

  it("counts the bytes of binary messages too, behind a handler and behind a join", () => {
    const handleIn = { slow: () => new Promise(() => {}) as never, a: () => ok() };
    const late = channel({ join: () => new Promise(() => {}) as never });
    const channels = { "room:*": channel({ handleIn }), "late:*": late };
    const payload = "00".repeat(50);
    const frame = `00 02 01 06 01 ${Buffer.from("113room:1a").toString("hex")} ${payload}`;
    const lateFrame = frame.replace(
      Buffer.from("room").toString("hex"),
      Buffer.from("late").toString("hex"),
    );
    const bytes = frame.replaceAll(" ", "").length / 2;
    const world = new World({ channels, maxWaitingBytes: 2 * bytes });
    const [busy, joining] = [world.joined(), world.connect()];
    busy.send(push("slow"));
    joining.send('["11","11","late:1","phx_join",{}]');
    for (const [client, message] of [
      [busy, frame],
      [joining, lateFrame],
    ] as const) {
      client.sendHex(message, message);
      assert.equal(client.connection.closeCode, undefined);
      client.sendHex(message);
      assert.equal(client.connection.closeCode, 1008);
    }
  });

  it("closes the connection with most waiting bytes if all together have too many", () => {
    const handleIn = { slow: () => new Promise(() => {}) as never, a: () => ok() };
    const world = new World({
      channels: { "room:*": channel({ handleIn }) },
      maxTotalWaitingBytes: 4 * 26,
    });
    const [most, less, last] = [world.joined(), world.joined(), world.joined()];
    for (const client of [most, less, last]) client.send(push("slow"));
    most.send(push("a", "3"), push("a", "4"));
    less.send(push("a", "3"), push("a", "4"));
    assert.equal(world.callbacks.waiting.maxHeldBytes, 4 * 26);
    last.send(push("a", "3"));
    assert.deepEqual(
      [most, less, last].map(({ connection }) => connection.closeCode),
      [1008, undefined, undefined],
    );
    assert.equal(world.callbacks.waiting.maxHeldBytes, 3 * 26);
    // Then the one that adds has most itself.
    less.send(push("a", "5"), push("a", "6"));
    assert.deepEqual(
      [less, last].map(({ connection }) => connection.closeCode),
      [1008, undefined],
    );
    assert.equal(world.callbacks.waiting.maxHeldBytes, 26);
  });

  it("releases bytes as its messages are handled", async () => {
    const slow = new Deferred();
    const handleIn = { slow: () => slow.promise as never, a: () => ok() };
    const world = new World({
      channels: { "room:*": channel({ handleIn }) },
      maxWaitingBytes: 100,
    });
    const client = world.joined();
    client.send(push("slow"), push("a", "3"), push("a", "4"), push("a", "5"));
    assert.equal(world.callbacks.waiting.size, 1);
    slow.resolve(ok());
    await turn();
    assert.equal(client.taken().length, 4);
    assert.equal(world.callbacks.waiting.size, 0);
  });

  it("releases all bytes when its channel ends, even while terminate is awaited", async () => {
    for (const isJoined of [true, false]) {
      const [slow, end] = [new Deferred(), new Deferred()];
      const world = new World({
        channels: {
          "room:*": channel({
            join: () => (isJoined ? ok() : (slow.promise as never)),
            handleIn: { slow: () => slow.promise as never, a: () => ok() },
            terminate: () => end.promise as never,
          }),
        },
      });
      const client = world.joined();
      client.send(push("slow"), push("a", "3"));
      (client.socket.allChannels()[0] as Channel).receiveOut("e", {}, 20);
      assert.equal(world.callbacks.waiting.size, 1);
      slow.resolve(isJoined ? stop("normal") : error());
      await turn();
      assert.deepEqual([world.callbacks.waiting.size, world.closed], [0, []]);
      end.resolve(undefined);
      await world.callbacks.live.allGone();
    }
  });

  it("counts intercepted broadcasts too; beyond the limit they end the channel, not the connection", async () => {
    const slow = new Deferred();
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: { slow: () => slow.promise as never },
          intercept: { e: () => undefined },
        }),
      },
      maxWaitingBytes: 100,
    });
    const client = world.joined(["room:1", "room:2"]);
    client.send(push("slow"));
    const payload = { x: "y".repeat(42) };
    assert.equal(JSON.stringify(payload).length, 50);
    world.member.broadcast("room:1", "e", payload);
    world.member.broadcast("room:1", "e", payload);
    assert.deepEqual(client.taken(), []);
    world.member.broadcast("room:1", "e", payload);
    assert.deepEqual(client.taken(), [
      '["11","11","room:1","phx_error",{"reason":"mailbox full"}]',
    ]);
    const most = "100 (bytes, for all channels of a connection)";
    assert.equal(world.lastError(), `the mailbox must hold at most ${most}`);
    assert.deepEqual([client.socket.isEnded, world.count], [false, 1]);
    assert.equal(world.callbacks.waiting.size, 0);
  });

  it("names the limit in bytes if a handler's own broadcasts exceed it", () => {
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            flood(socket) {
              for (const n of [1, 2, 3]) socket.broadcast("e", { n });
            },
          },
          intercept: { e: () => undefined },
        }),
      },
      maxWaitingBytes: 15,
    });
    world.joined().send(push("flood"));
    const most = "15 (bytes, for all channels of a connection)";
    assert.equal(world.lastError(), `the mailbox must hold at most ${most}`);
  });

  it("that waits behind a join counts like one that waits behind a handler", async () => {
    const joined = new Deferred();
    const world = new World({
      channels: {
        "room:*": channel({ join: () => joined.promise as never, handleIn: { a: () => ok() } }),
      },
      maxWaitingBytes: 100,
    });
    const [one, two] = [world.connect(), world.connect()];
    for (const client of [one, two]) client.send('["11","11","room:1","phx_join",{}]');
    one.send(push("a", "3"), push("a", "4"), push("a", "5"));
    two.send(push("a", "3"), push("a", "4"), push("a", "5"), push("a", "6"));
    assert.deepEqual(
      [one, two].map(({ connection }) => connection.closeCode),
      [undefined, 1008],
    );
    assert.equal(world.callbacks.waiting.size, 1);
    joined.resolve(ok());
    await turn();
    assert.equal(one.taken().length, 4);
    assert.equal(world.callbacks.waiting.size, 0);
  });

  it("that is full still takes a leave", async () => {
    const slow = new Deferred();
    const world = new World({
      channels: {
        "room:*": channel({ handleIn: { slow: () => slow.promise as never, a: () => undefined } }),
      },
      maxMailbox: 1,
    });
    const client = world.joined();
    client.send(push("slow"), push("a", "3"), push("phx_leave", "4"));
    slow.resolve(ok());
    await turn();
    assert.deepEqual(client.taken(), [replied({}), replied({}, "ok", "4"), CLOSED]);
  });

  it("that a handler fills itself ends the channel once the handler has returned", () => {
    const calls: string[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            flood: (socket) => {
              for (let n = 0; n < 4; n += 1) socket.send(n);
              calls.push("flooded");
              return ok();
            },
          },
          handleInfo: () => void calls.push("info"),
          terminate: () => void calls.push("terminate"),
        }),
      },
      maxMailbox: 3,
    });
    const client = world.joined();
    const frames = client.asked(push("flood"));
    assert.equal(frames.at(-1), '["11","11","room:1","phx_error",{"reason":"mailbox full"}]');
    assert.deepEqual(calls, ["flooded", "terminate"]);
    assert.equal(world.count, 0);
  });

  it("that an asynchronous handler fills at once ends the channel once, and releases it once", async () => {
    const never = new Deferred();
    const other = new Deferred();
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            flood: async (socket) => {
              for (let n = 0; n < 4; n += 1) socket.send(n);
              await never.promise;
            },
          },
        }),
        "slow:*": channel({ terminate: () => other.promise as never }),
      },
      maxMailbox: 3,
    });
    const client = world.joined(["room:1", "slow:1"]);
    client.send(push("flood"));
    assert.deepEqual(client.taken(), [
      '["11","11","room:1","phx_error",{"reason":"mailbox full"}]',
    ]);
    // The shutdown no longer waits for this handler, only for the other channel.
    client.socket.end(1012, { shutdown: "draining" });
    let isEnded = false;
    const ended = world.callbacks.live.allGone().then(() => (isEnded = true));
    never.resolve(undefined);
    await turn();
    assert.equal(isEnded, false);
    other.resolve(undefined);
    await ended;
  });

  it("lets other channels run while one keeps sending to itself", async () => {
    let count = 0;
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: { loop: (socket) => socket.send("again"), echo: () => ok() },
          handleInfo: (socket) => {
            count += 1;
            if (count < 1_000) socket.send("again");
          },
        }),
      },
    });
    const client = world.joined(["room:1", "room:2"]);
    client.send(push("loop"), '["12","3","room:2","echo",{}]');
    assert.equal(client.taken().length, 1);
    assert.ok(count > 0 && count < 1_000, `${count} messages were handled at once`);
    for (let turns = 0; turns < 10; turns += 1) await turn();
    assert.equal(count, 1_000);
  });
});
