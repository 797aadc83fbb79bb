import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ok } from "../../src/callbacks/results.ts";
import type { ChannelSocket } from "../../src/channel/channel-socket.ts";
import { TestNode } from "../support/members.ts";
import { channel, World } from "../support/world.ts";

type AnySocket = ChannelSocket<Record<string, unknown>>;

const CRASHED = '["11","11","room:1","phx_error",{"reason":"channel_crash"}]';

/** Joins a channel, and runs a function of the test in one of its handlers. */
function doing(
  work: (socket: AnySocket) => void,
  vsn: "1.0.0" | "2.0.0" = "2.0.0",
): { frames: string[]; world: World } {
  const world = new World({ channels: { "room:*": channel({ handleIn: { do: work } }) } });
  const client = world.joined(vsn === "2.0.0" ? ["room:1"] : [], { vsn });
  if (vsn === "2.0.0") return { frames: client.asked('["11","2","room:1","do",{}]'), world };
  client.send('{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}');
  client.taken();
  const frames = client.asked('{"topic":"room:1","event":"do","payload":{},"ref":"2"}');
  return { frames, world };
}

describe("a push", () => {
  it("reaches its own client, with the join_ref and without a ref", () => {
    const { frames } = doing((socket) => {
      socket.push("one", { n: 1 });
      socket.push("none");
    });
    assert.deepEqual(frames, [
      '["11",null,"room:1","one",{"n":1}]',
      '["11",null,"room:1","none",{}]',
    ]);
  });

  it("has no join_ref in version 1, and may be any JSON value", () => {
    const { frames } = doing((socket) => socket.push("one", [1]), "1.0.0");
    assert.deepEqual(frames, ['{"topic":"room:1","event":"one","payload":[1],"ref":null}']);
  });

  it("has the join's ref if the client sent no join_ref", () => {
    const world = new World({
      channels: { "room:*": channel({ handleIn: { do: (socket) => socket.push("e") } }) },
    });
    const client = world.connect();
    client.send('[null,"7","room:1","phx_join",{}]');
    assert.deepEqual(client.asked('[null,"8","room:1","do",{}]'), [
      '[null,"7","room:1","phx_reply",{"status":"ok","response":{}}]',
      '["7",null,"room:1","e",{}]',
    ]);
  });

  it("of a payload that cannot be sent crashes the channel, and sends no broken frame", () => {
    for (const [payload, got] of [
      [[1], "array"],
      ["text", "string"],
      [null, "null"],
      [7, "number"],
    ] as const) {
      const { frames, world } = doing((socket) => socket.push("e", payload));
      assert.deepEqual(frames, [CRASHED]);
      assert.equal(world.lastError(), `payload must be an object, got ${got}`);
    }
    for (const payload of [{ n: 1n }, { toJSON: () => undefined }, new Date(0)]) {
      assert.deepEqual(doing((socket) => socket.push("e", payload)).frames, [CRASHED]);
    }
    for (const event of [undefined, 5, null]) {
      const { frames, world } = doing((socket) => socket.push(event as never));
      assert.deepEqual(frames, [CRASHED]);
      assert.match(world.lastError(), /^event must be a string, got /);
    }
  });

  it("of bytes with names longer than 255 crashes the channel, and sends no broken frame", () => {
    for (const [length, isSent] of [
      [255, true],
      [256, false],
    ] as const) {
      const { frames } = doing((socket) => socket.push("e".repeat(length), Uint8Array.of(1)));
      assert.equal(frames.length, 1);
      assert.equal(frames[0] !== CRASHED, isSent);
    }
  });

  it("from a channel that has ended is not sent", () => {
    const sockets: AnySocket[] = [];
    const { world } = doing((socket) => void sockets.push(socket));
    const client = world.joined();
    client.send('["11","2","room:1","do",{}]', '["11","3","room:1","phx_leave",{}]');
    client.taken();
    sockets[1]?.push("late");
    assert.deepEqual(client.taken(), []);
  });
});

describe("a broadcast", () => {
  it("reaches all subscribers, including itself, in their versions", () => {
    const world = new World({
      channels: {
        "room:*": channel({ handleIn: { shout: (socket) => socket.broadcast("e", { n: 1 }) } }),
      },
    });
    const [sender, other] = [world.joined(), world.joined()];
    const old = world.connect({ vsn: "1.0.0" });
    old.send('{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}');
    old.taken();
    const elsewhere = world.joined(["room:2"]);
    sender.send('["11","2","room:1","shout",{}]');
    assert.deepEqual(sender.taken(), ['[null,null,"room:1","e",{"n":1}]']);
    assert.deepEqual(other.taken(), ['[null,null,"room:1","e",{"n":1}]']);
    assert.deepEqual(old.taken(), ['{"topic":"room:1","event":"e","payload":{"n":1},"ref":null}']);
    assert.deepEqual(elsewhere.taken(), []);
  });

  it("is sent before the reply of the handler that made it", () => {
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            shout: (socket) => {
              socket.broadcast("e");
              return ok();
            },
          },
        }),
      },
    });
    assert.deepEqual(world.joined().asked('["11","2","room:1","shout",{}]'), [
      '[null,null,"room:1","e",{}]',
      '["11","2","room:1","phx_reply",{"status":"ok","response":{}}]',
    ]);
  });

  it("takes only options that a broadcast to its own topic can have", () => {
    const wrong: readonly [object, string][] = [
      [{ scope: "node" }, "options of a broadcast may only be history, got scope"],
      [null as never, "options of a broadcast must be an object, got null"],
      [{ history: 0 }, "history must be true or false, got 0"],
    ];
    const { frames } = doing((socket) => {
      for (const [options, message] of wrong) {
        for (const name of ["broadcast", "broadcastFrom"] as const) {
          assert.throws(() => socket[name]("e", {}, options), {
            code: "SIM_ERR_OPTION_INVALID",
            message,
          });
        }
      }
      socket.push("checked");
    });
    assert.deepEqual(frames, ['["11",null,"room:1","checked",{}]']);
  });

  it("leaves out its channel with broadcastFrom, on this thread and on others", () => {
    const node = new TestNode();
    const room = channel({ handleIn: { shout: (socket) => socket.broadcastFrom("e", {}) } });
    const world = new World({ channels: { "room:*": room }, node });
    const remote = new World({ channels: { "room:*": room }, node, member: 1 });
    const [sender, other, far] = [world.joined(), world.joined(), remote.joined()];
    sender.send('["11","2","room:1","shout",{}]');
    remote.member.drain();
    assert.deepEqual(sender.taken(), []);
    assert.deepEqual(other.taken(), ['[null,null,"room:1","e",{}]']);
    assert.deepEqual(far.taken(), ['[null,null,"room:1","e",{}]']);
  });

  it("of a payload that cannot be sent crashes only the sender, and reaches nobody", () => {
    for (const payload of [[1], null, "x", { n: 1n }, new Date(0)]) {
      const world = new World({
        channels: {
          "room:*": channel({ handleIn: { shout: (socket) => socket.broadcast("e", payload) } }),
        },
      });
      const [sender, other] = [world.joined(), world.joined()];
      assert.deepEqual(sender.asked('["11","2","room:1","shout",{}]'), [CRASHED]);
      assert.deepEqual(other.taken(), []);
      assert.equal(world.count, 1);
    }
  });

  it("that is too large crashes only the sender, and reaches nobody", () => {
    const node = new TestNode({ overflowBytes: 65_536 });
    const large = "x".repeat(70_000);
    const room = channel({ handleIn: { shout: (socket) => socket.broadcast("e", { large }) } });
    const world = new World({ channels: { "room:*": room }, node });
    const [sender, other] = [world.joined(), world.joined()];
    assert.deepEqual(sender.asked('["11","2","room:1","shout",{}]'), [CRASHED]);
    assert.match(
      world.lastError(),
      /^a broadcast must fit into overflowBytes, got 70\d{3} \(bytes\)$/,
    );
    assert.deepEqual(other.taken(), []);
  });

  it("with any text as topic and event arrives as it was sent", () => {
    const topic = 'room:"é\\\n🙂';
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: { shout: (socket) => socket.broadcast('ev"\u2028', { ключ: "é" }) },
        }),
      },
    });
    const client = world.joined([topic]);
    client.send(JSON.stringify(["11", "2", topic, "shout", {}]));
    const [frame = ""] = client.taken();
    assert.deepEqual(JSON.parse(frame), [null, null, topic, 'ev"\u2028', { ключ: "é" }]);
  });
});

describe("assigns", () => {
  it("belong to each channel and are frozen; changes are merged, or returned by a function", () => {
    const seen: unknown[] = [];
    const world = new World({
      channels: {
        "room:*": {
          channel: channel({
            handleIn: {
              set: (socket) => socket.assign({ n: 2 }),
              raise: (socket) => socket.assign(({ n }) => ({ n: Number(n) + 5 })),
              spoil: (socket) => {
                (socket.assigns as Record<string, unknown>)["n"] = 9;
              },
              get: (socket) => void seen.push(socket.assigns),
            },
          }),
          assigns: { route: true, user: "route's" },
        },
      },
    });
    const client = world.joined(["room:1", "room:2"], { assigns: { user: "ann", n: 1 } });
    client.send('["11","3","room:1","set",{}]', '["11","4","room:1","get",{}]');
    client.send('["12","5","room:2","get",{}]');
    client.send('["11","6","room:1","raise",{}]', '["11","7","room:1","get",{}]');
    assert.deepEqual(seen, [
      { user: "route's", n: 2, route: true },
      { user: "route's", n: 1, route: true },
      { user: "route's", n: 7, route: true },
    ]);
    assert.deepEqual(client.asked('["11","6","room:1","spoil",{}]'), [CRASHED]);
    assert.match(world.lastError(), /read only/);
  });
});
