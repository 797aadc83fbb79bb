/**
 * Handlers of a channel's messages: their results, their crashes and their time limit.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { error, ok, reply, stop } from "../../src/callbacks/results.ts";
import type { Channel } from "../../src/channel/channel.ts";
import { CRASHED, CLOSED, NO_RESULTS, boom, push, replied } from "../support/channel-frames.ts";
import { unreadableOf } from "../support/whatever.ts";
import { channel, Deferred, turn, World, type WorldClient } from "../support/world.ts";

describe("a handler", () => {
  it("answers with each kind of result", async () => {
    for (const [result, frames] of [
      [undefined, []],
      [ok(), [replied({})]],
      [ok({ n: 1 }), [replied({ n: 1 })]],
      [error(), [replied({}, "error")]],
      [error({ reason: "no" }), [replied({ reason: "no" }, "error")]],
      [reply("maybe", [1, 2]), [replied([1, 2], "maybe")]],
      [reply("ok"), [replied({})]],
      [reply("ok", null), [replied(null)]],
      [stop("normal"), [CLOSED]],
      [stop("shutdown"), [CLOSED]],
      [stop({ shutdown: "kicked" }), [CLOSED]],
      [stop("other"), [CRASHED]],
      [stop(new Error("boom")), [CRASHED]],
      [stop("normal", ok({ bye: 1 })), [replied({ bye: 1 }), CLOSED]],
      [stop("normal", error()), [replied({}, "error"), CLOSED]],
      [stop("other", reply("maybe")), [replied({}, "maybe"), CRASHED]],
    ] as const) {
      for (const handle of [(): unknown => result, async (): Promise<unknown> => result]) {
        const world = new World({
          channels: { "room:*": channel({ handleIn: { do: handle as () => undefined } }) },
        });
        const client = world.joined();
        client.send(push("do"));
        await turn();
        assert.deepEqual(client.taken(), frames);
        const isEnded = frames.some((frame) => frame === CLOSED || frame === CRASHED);
        assert.equal(world.count, isEnded ? 0 : 1);
      }
    }
  });

  it("that returns an invalid result crashes its channel, and the log lists the valid ones", async () => {
    for (const [result, got] of NO_RESULTS) {
      for (const handle of [(): unknown => result, async (): Promise<unknown> => result]) {
        const world = new World({
          channels: { "room:*": channel({ handleIn: { do: handle as () => undefined } }) },
        });
        const client = world.joined();
        client.send(push("do"));
        await turn();
        assert.deepEqual(client.taken(), [CRASHED]);
        assert.equal(
          world.lastError(),
          'handleIn of "do" must return nothing, ok(payload?), error(payload?), ' +
            `reply(status, payload?) or stop(reason, reply?), got ${got}`,
        );
      }
    }
  });

  it("whose result cannot be read crashes its channel, and no other of its connection", async () => {
    const results = [unreadableOf(ok()), unreadableOf(stop("normal")), stop("normal")];
    Object.defineProperty(results[2], "reason", { get: () => assert.fail("read") });
    for (const result of results) {
      const world = new World({
        channels: {
          "room:*": channel({
            handleIn: { now: () => result, later: async () => result },
            handleInfo: () => result as never,
          }),
        },
      });
      for (const act of [
        (client: WorldClient): void => client.send(push("now")),
        (client: WorldClient): void => client.send(push("later")),
        (client: WorldClient): void => (client.socket.allChannels()[0] as Channel).send("info"),
      ]) {
        const client = world.joined(["room:1", "room:2"]);
        act(client);
        await turn();
        assert.deepEqual(client.taken(), [CRASHED]);
        assert.deepEqual([client.socket.isEnded, client.socket.allChannels().length], [false, 1]);
      }
      assert.deepEqual(world.troubles(), Array(3).fill("channel crashed"));
    }
  });

  it("whose stop has an invalid reply crashes its channel, and sends no broken frame", () => {
    const world = new World({
      channels: {
        "room:*": channel({ handleIn: { do: () => stop("normal", { body: 1 } as never) } }),
      },
    });
    assert.deepEqual(world.joined().asked(push("do")), [CRASHED]);
  });

  it("whose status is not a string crashes its channel, and sends no broken frame", () => {
    for (const status of [undefined, 5, null, {}]) {
      const world = new World({
        channels: { "room:*": channel({ handleIn: { do: () => reply(status as never) } }) },
      });
      assert.deepEqual(world.joined().asked(push("do")), [CRASHED]);
    }
  });

  it("whose payload cannot be written as JSON crashes its channel, without a reply", () => {
    for (const result of [
      ok({ n: 1n }),
      stop(
        "normal",
        ok(() => {}),
      ),
    ]) {
      const world = new World({
        channels: { "room:*": channel({ handleIn: { do: () => result } }) },
      });
      assert.deepEqual(world.joined().asked(push("do")), [CRASHED]);
    }
  });

  it("that throws crashes its channel; what was pushed before arrives", async () => {
    const thrown = [new Error("boom"), "a string", undefined, null, { odd: true }];
    for (const what of thrown) {
      for (const isAsync of [false, true]) {
        const handle = (socket: { push: (event: string) => void }): never => {
          socket.push("before");
          // oxlint-disable-next-line typescript/only-throw-error
          throw what;
        };
        const world = new World({
          channels: {
            "room:*": channel({
              handleIn: { do: isAsync ? async (socket) => handle(socket) : handle },
            }),
          },
        });
        const client = world.joined();
        client.send(push("do"));
        await turn();
        assert.deepEqual(client.taken(), ['["11",null,"room:1","before",{}]', CRASHED]);
        assert.deepEqual(world.troubles(), ["channel crashed"]);
        assert.equal(world.log.at(-1)?.fields["event"], "do");
        assert.equal(world.log.at(-1)?.fields["topic"], "room:1");
        assert.ok(world.log.at(-1)?.fields["err"] instanceof Error);
      }
    }
  });

  it("that is missing crashes the channel", () => {
    for (const [event, shown] of [
      ["nope", '"nope"'],
      ["constructor", '"constructor"'],
      ["__proto__", '"__proto__"'],
      ["phx_reply", '"phx_reply"'],
      [7, "number"],
      [null, "null"],
      [{ a: 1 }, "object"],
    ] as const) {
      const world = new World({
        channels: { "room:*": channel({ handleIn: { do: () => ok() } }) },
      });
      const client = world.joined();
      client.send(JSON.stringify(["11", "2", "room:1", event, {}]));
      assert.deepEqual(client.taken(), [CRASHED]);
      assert.equal(world.lastError(), `no handler in handleIn for ${shown}`);
    }
  });

  it("may have any name, including those of every object's properties", () => {
    const handleIn = Object.fromEntries(
      ["constructor", "toString", "__proto__", "phx_reply", ""].map((name) => [
        name,
        (): ReturnType<typeof reply> => reply(name),
      ]),
    );
    const client = new World({ channels: { "room:*": channel({ handleIn }) } }).joined();
    for (const name of Object.keys(handleIn)) {
      assert.deepEqual(client.asked(push(name)), [replied({}, name)]);
    }
  });

  it("sees the ref of its message, and none outside a handler", async () => {
    const refs: unknown[] = [];
    const note = (socket: { readonly ref: unknown }): void => void refs.push(socket.ref);
    const handle = new Deferred();
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            sync: note,
            async: async (socket) => {
              note(socket);
              await handle.promise;
              note(socket);
            },
          },
          handleInfo: note,
          terminate: note,
        }),
      },
    });
    const client = world.joined();
    client.send(
      push("sync", "2"),
      '["11",null,"room:1","sync",{}]',
      '["11",[7],"room:1","sync",{}]',
    );
    client.send(push("async", "3"));
    client.send('["11","4","room:1","phx_leave",{}]');
    handle.resolve(undefined);
    await turn();
    assert.deepEqual(refs, ["2", null, [7], "3", "3", null]);
  });

  it("leaves no ref for terminate after it crashed", async () => {
    const refs: unknown[] = [];
    for (const isAsync of [false, true]) {
      const world = new World({
        channels: {
          "room:*": channel({
            handleIn: { boom: isAsync ? async (): Promise<never> => boom() : boom },
            terminate: (socket) => void refs.push(socket.ref),
          }),
        },
      });
      world.joined().send(push("boom"));
      await turn();
    }
    assert.deepEqual(refs, [null, null]);
  });

  it("answers a message without a ref with ref null", () => {
    const world = new World({ channels: { "room:*": channel({ handleIn: { do: () => ok() } }) } });
    const frames = world.joined().asked('["11",null,"room:1","do",{}]');
    assert.deepEqual(frames, ['["11",null,"room:1","phx_reply",{"status":"ok","response":{}}]']);
  });

  it("that is asynchronous delays messages of its own channel, in order, and of no other channel", async () => {
    const slow = new Deferred();
    const room = channel({
      handleIn: {
        slow: async () => {
          await slow.promise;
          return ok("slow");
        },
        echo: (_, payload) => ok(payload),
      },
    });
    const world = new World({ channels: { "room:*": room } });
    const client = world.joined(["room:1", "room:2"]);
    client.send(push("slow", "3"), push("echo", "4", 1), push("echo", "5", 2));
    client.send('["12","6","room:2","echo",{}]');
    assert.deepEqual(client.taken(), [
      '["12","6","room:2","phx_reply",{"status":"ok","response":{}}]',
    ]);
    slow.resolve(undefined);
    await turn();
    const rest = [replied("slow", "ok", "3"), replied(1, "ok", "4"), replied(2, "ok", "5")];
    assert.deepEqual(client.taken(), rest);
  });

  it("may return a thenable that throws, calls back twice, calls back synchronously, or does both", async () => {
    /* oxlint-disable unicorn/no-thenable */
    const thenables: readonly [unknown, string][] = [
      [
        {
          then: (): never => {
            throw new Error("then");
          },
        },
        CRASHED,
      ],
      [
        {
          then: (settle: (value: unknown) => void): void => {
            settle(ok(1));
            settle(ok(2));
          },
        },
        replied(1),
      ],
      [
        {
          then: (settle: (value: unknown) => void, fail: (error: unknown) => void): void => {
            settle(ok(1));
            fail(new Error("x"));
          },
        },
        replied(1),
      ],
      [
        { then: (_: unknown, fail: (error: unknown) => void): void => fail(new Error("x")) },
        CRASHED,
      ],
      [
        {
          get then(): never {
            throw new Error("getter");
          },
        },
        CRASHED,
      ],
    ];
    /* oxlint-enable unicorn/no-thenable */
    for (const [thenable, frame] of thenables) {
      const world = new World({
        channels: {
          "room:*": channel({ handleIn: { do: () => thenable as never, echo: () => ok() } }),
        },
      });
      const client = world.joined();
      client.send(push("do"));
      await turn();
      assert.deepEqual(client.taken(), [frame]);
      if (frame !== CRASHED)
        assert.deepEqual(client.asked(push("echo", "3")), [replied({}, "ok", "3")]);
    }
  });

  it("that never settles ends its channel with handler timeout, and its later result is ignored", async () => {
    const slow = new Deferred();
    const ended: unknown[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: { slow: () => slow.promise as never, echo: () => ok() },
          terminate: (_, reason) => void ended.push((reason as Error).message),
        }),
      },
      handlerTimeoutMs: 1_000,
    });
    const client = world.joined();
    client.send(push("slow"), push("echo", "3"));
    world.passTime(900);
    assert.deepEqual(client.taken(), []);
    world.passTime(1_001);
    assert.deepEqual(client.taken(), [
      '["11","11","room:1","phx_error",{"reason":"handler timeout"}]',
    ]);
    assert.deepEqual(ended, ["a callback must settle within 1000 (ms)"]);
    slow.resolve(ok());
    world.passTime(5_000);
    await turn();
    assert.deepEqual(client.taken(), []);
    assert.equal(world.count, 0);
  });

  it("has the full time limit for each message", async () => {
    const handles = [new Deferred(), new Deferred()];
    let next = 0;
    const world = new World({
      channels: {
        "room:*": channel({ handleIn: { slow: () => handles[next++]?.promise as never } }),
      },
      handlerTimeoutMs: 1_000,
    });
    const client = world.joined();
    client.send(push("slow", "2"), push("slow", "3"));
    handles[0]?.resolve(ok());
    await turn();
    world.passTime(900);
    handles[1]?.resolve(ok());
    await turn();
    assert.deepEqual(client.taken(), [replied({}, "ok", "2"), replied({}, "ok", "3")]);
  });
});
