import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { error, ok, stop } from "../../src/callbacks/results.ts";
import { channel, Deferred, turn, World } from "../support/world.ts";

const JOIN = '["11","1","room:1","phx_join",{}]';
const JOINED = '["11","1","room:1","phx_reply",{"status":"ok","response":{}}]';
const PUSHED = '["11",null,"room:1","pushed",{}]';
const CLOSED = '["11","11","room:1","phx_close",{}]';

describe("joined", () => {
  it("runs after the answer of the join, and may push and broadcast", () => {
    const world = new World({
      channels: {
        "room:*": channel({
          joined(socket) {
            socket.push("pushed");
            socket.broadcast("said", { n: 1 });
          },
        }),
      },
    });
    assert.deepEqual(world.connect().asked(JOIN), [
      JOINED,
      PUSHED,
      '[null,null,"room:1","said",{"n":1}]',
    ]);
  });

  it("runs before messages that join sent to itself, and those that the client sent in the meantime", async () => {
    for (const joins of ["async", "serial"] as const) {
      const order: unknown[] = [];
      const answer = new Deferred();
      const world = new World({
        joins,
        channels: {
          "room:*": channel({
            async join(socket) {
              socket.send("from join");
              await answer.promise;
              return ok();
            },
            joined: () => void order.push("joined"),
            handleInfo: (_, message) => void order.push(message),
            handleIn: { say: () => void order.push("say") },
          }),
        },
      });
      world.connect().send(JOIN, '["11","2","room:1","say",{}]');
      answer.resolve(undefined);
      await turn();
      assert.deepEqual(order, ["joined", "from join", "say"], joins);
    }
  });

  it("delays what comes after it until its promise settles", async () => {
    const order: string[] = [];
    const greeting = new Deferred();
    const world = new World({
      channels: {
        "room:*": channel({
          async joined() {
            await greeting.promise;
            order.push("joined");
          },
          handleIn: { say: () => void order.push("say") },
        }),
      },
    });
    world.connect().send(JOIN, '["11","2","room:1","say",{}]');
    assert.deepEqual(order, []);
    greeting.resolve(undefined);
    await turn();
    assert.deepEqual(order, ["joined", "say"]);
  });

  it("comes after the end of the channel that a rejoin replaces", () => {
    const world = new World({
      channels: { "room:*": channel({ joined: (socket) => socket.push("pushed") }) },
    });
    const client = world.joined();
    assert.deepEqual(client.asked('["12","2","room:1","phx_join",{}]'), [
      '["12","2","room:1","phx_reply",{"status":"ok","response":{}}]',
      CLOSED,
      '["12",null,"room:1","pushed",{}]',
    ]);
  });

  it("does not run if the join was refused, or failed", () => {
    let count = 0;
    const world = new World({
      channels: {
        refused: channel({ join: () => error(), joined: () => void (count += 1) }),
        failed: channel({
          join: () => {
            throw new Error("boom");
          },
          joined: () => void (count += 1),
        }),
      },
    });
    const client = world.connect();
    client.send('["11","1","refused","phx_join",{}]', '["12","2","failed","phx_join",{}]');
    assert.deepEqual([count, client.taken().length, world.count], [0, 2, 0]);
  });

  it("ends the channel if it stops, throws or returns anything else", () => {
    const results: [() => unknown, string][] = [
      [() => stop("normal"), CLOSED],
      [() => "nonsense", '["11","11","room:1","phx_error",{"reason":"channel_crash"}]'],
      [
        () => {
          throw new Error("boom");
        },
        '["11","11","room:1","phx_error",{"reason":"channel_crash"}]',
      ],
    ];
    for (const [result, end] of results) {
      const world = new World({
        channels: { "room:*": channel({ joined: result as () => undefined }) },
      });
      assert.deepEqual(world.connect().asked(JOIN), [JOINED, end]);
      assert.equal(world.count, 0);
    }
  });

  it("must be a function", () => {
    assert.throws(() => channel({ joined: 1 as never }), {
      code: "SIM_ERR_DEFINITION_INVALID",
      message: "joined must be a function, got number",
    });
  });
});
