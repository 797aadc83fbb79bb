import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { error, ok, reply, stop } from "../../src/callbacks/results.ts";
import { channel, Deferred, turn, World } from "../support/world.ts";

const JOIN = '["11","1","room:1","phx_join",{}]';
const JOINED = '["11","1","room:1","phx_reply",{"status":"ok","response":{}}]';
const JOIN_CRASHED =
  '["11","1","room:1","phx_reply",{"status":"error","response":{"reason":"join crashed"}}]';
const CRASHED = '["11","11","room:1","phx_error",{"reason":"channel_crash"}]';
const CLOSED = '["11","11","room:1","phx_close",{}]';

/** A frame from the joined client. */
function push(event: string, ref = "2", payload: unknown = {}): string {
  return JSON.stringify(["11", ref, "room:1", event, payload]);
}

function replied(response: unknown, status = "ok", ref = "2"): string {
  return JSON.stringify(["11", ref, "room:1", "phx_reply", { status, response }]);
}

function boom(): never {
  throw new Error("boom");
}

/** Values that are not valid results of a handler. */
const NO_RESULTS: readonly [unknown, string][] = [
  [null, "null"],
  [true, "boolean"],
  ["ok", '"ok"'],
  [{ status: "ok", payload: {} }, "object"],
  [[], "array"],
  [ok, "function"],
];

describe("a join", () => {
  it("that is accepted is answered with the payload of ok", () => {
    for (const [result, response] of [
      [ok(), {}],
      [ok({ hello: "world" }), { hello: "world" }],
      [ok("text"), "text"],
      [ok(null), null],
      [reply("ok", [1]), [1]],
    ] as const) {
      const world = new World({ channels: { "room:*": channel({ join: () => result }) } });
      assert.deepEqual(world.connect().asked(JOIN), [replied(response, "ok", "1")]);
      assert.equal(world.count, 1);
      assert.deepEqual(world.troubles(), []);
    }
  });

  it("that is refused is answered with error and nothing more", () => {
    for (const [result, response] of [
      [error(), {}],
      [error({ reason: "unauthorized" }), { reason: "unauthorized" }],
      [error("a string"), "a string"],
    ] as const) {
      const world = new World({ channels: { "room:*": channel({ join: () => result }) } });
      const client = world.connect();
      assert.deepEqual(client.asked(JOIN), [replied(response, "error", "1")]);
      assert.equal(world.count, 0);
      assert.equal(world.member.pubsub.registry.size, 0);
      assert.match(client.asked(push("echo"))[0] ?? "", /unmatched topic/);
    }
  });

  it("gets the payload, and a socket with topic, id and assigns", () => {
    const seen: unknown[] = [];
    const join = channel({
      join: (socket, payload) => {
        const { topic, id, assigns, joinRef, transport, shard, context } = socket;
        seen.push({ topic, id, assigns, joinRef, transport, shard, context, payload });
        return ok();
      },
    });
    const world = new World({ channels: { "room:*": join } });
    world
      .connect({ id: "users:7", assigns: { userId: 7 } })
      .send('["11","1","room:1","phx_join",{"n":1}]');
    assert.deepEqual(seen, [
      {
        topic: "room:1",
        id: "users:7",
        assigns: { userId: 7 },
        joinRef: "11",
        transport: "recording",
        shard: 0,
        context: { name: "context" },
        payload: { n: 1 },
      },
    ]);
  });

  it("that throws, or returns an invalid result, is answered with join crashed", () => {
    for (const [join, message] of [
      [
        (): never => {
          throw new Error("boom");
        },
        "boom",
      ],
      ...[...NO_RESULTS, [undefined, "undefined"], [reply("maybe"), "object"]].map(
        ([result, got]) =>
          [
            (): never => result as never,
            `join must return ok(payload?) or error(payload?), got ${got as string}`,
          ] as const,
      ),
      [(): never => stop("normal") as never, /^join must return/],
    ] as const) {
      const world = new World({ channels: { "room:*": channel({ join }) } });
      assert.deepEqual(world.connect().asked(JOIN), [JOIN_CRASHED]);
      assert.deepEqual(world.troubles(), ["join crashed"]);
      if (message instanceof RegExp) assert.match(world.lastError(), message);
      else assert.equal(world.lastError(), message);
      assert.equal(world.count, 0);
      assert.equal(world.member.pubsub.registry.size, 0);
    }
  });

  it("whose answer cannot be written as JSON is answered with join crashed, and nothing else", () => {
    for (const result of [ok({ n: 1n }), error({ n: 1n })]) {
      const world = new World({ channels: { "room:*": channel({ join: () => result }) } });
      const client = world.connect();
      assert.deepEqual(client.asked(JOIN), [JOIN_CRASHED]);
      assert.equal(world.count, 0);
      assert.equal(world.member.pubsub.registry.size, 0);
      assert.deepEqual(world.publisher.topics.get("0:room:1")?.size ?? 0, 0);
      assert.match(client.asked(push("echo"))[0] ?? "", /unmatched topic/);
    }
  });

  it("may be asynchronous, and settle in any way", async () => {
    for (const [settle, frame] of [
      [(join: Deferred): void => join.resolve(ok()), JOINED],
      [(join: Deferred): void => join.resolve(error({})), replied({}, "error", "1")],
      [(join: Deferred): void => join.reject(new Error("boom")), JOIN_CRASHED],
      [(join: Deferred): void => join.reject(undefined), JOIN_CRASHED],
      [(join: Deferred): void => join.resolve(undefined), JOIN_CRASHED],
    ] as const) {
      const join = new Deferred();
      const world = new World({
        channels: { "room:*": channel({ join: () => join.promise as never }) },
      });
      const client = world.connect();
      assert.deepEqual(client.asked(JOIN), []);
      settle(join);
      await turn();
      assert.deepEqual(client.taken(), [frame]);
    }
  });

  it("may not push or broadcast, and gets an error that says what to do instead", () => {
    const messages: string[] = [];
    for (const name of ["push", "broadcast", "broadcastFrom"] as const) {
      const world = new World({
        channels: {
          "room:*": channel({
            join: (socket) => {
              assert.throws(
                () => socket[name]("e", {}),
                (thrown: unknown) => {
                  assert.ok(thrown instanceof Error && "code" in thrown);
                  assert.equal(thrown.code, "SIM_ERR_NOT_JOINED");
                  messages.push(thrown.message);
                  return true;
                },
              );
              return ok();
            },
          }),
        },
      });
      assert.deepEqual(world.connect().asked(JOIN), [JOINED]);
    }
    assert.deepEqual(
      messages.map((message) => message.split(" ")[0]),
      ["push", "broadcast", "broadcastFrom"],
    );
  });

  it("may send itself a message, which is handled after the answer", () => {
    const world = new World({
      channels: {
        "room:*": channel({
          join: (socket) => {
            socket.send("after_join");
            return ok();
          },
          handleInfo: (socket, message) => socket.push(String(message), {}),
        }),
      },
    });
    assert.deepEqual(world.connect().asked(JOIN), [JOINED, '["11",null,"room:1","after_join",{}]']);
  });

  it("does not receive what it broadcasts through the context, nor what came before its answer", async () => {
    const join = new Deferred();
    const world = new World({
      channels: { "room:*": channel({ join: () => join.promise as never }) },
    });
    const client = world.connect();
    client.send(JOIN);
    world.member.broadcast("room:1", "early", {});
    join.resolve(ok());
    await turn();
    world.member.broadcast("room:1", "late", {});
    assert.deepEqual(client.taken(), [JOINED, '[null,null,"room:1","late",{}]']);
  });

  it("that takes too long is answered with join timeout, and its later result is ignored", async () => {
    const join = new Deferred();
    const ended: unknown[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          join: () => join.promise as never,
          terminate: (_, reason) => void ended.push(reason),
        }),
      },
      joinTimeoutMs: 1_000,
      handlerTimeoutMs: 60_000,
    });
    const client = world.connect();
    client.send(JOIN);
    world.passTime(900);
    assert.deepEqual(client.taken(), []);
    world.passTime(1_001);
    assert.deepEqual(client.taken(), [replied({ reason: "join timeout" }, "error", "1")]);
    assert.equal(world.lastError(), "a join must settle within 1000 (ms)");
    join.resolve(ok());
    await turn();
    world.member.broadcast("room:1", "e", {});
    assert.deepEqual(client.taken(), []);
    assert.equal(world.count, 0);
    assert.equal(world.member.pubsub.registry.size, 0);
    assert.deepEqual(ended, [], "as with a join that throws");
    assert.match(client.asked(push("echo"))[0] ?? "", /unmatched topic/);
    await world.callbacks.live.allGone();
  });

  it("that took too long cannot do later what its channel could have done", async () => {
    const join = new Deferred();
    const world = new World({
      channels: {
        "room:*": channel({
          join: async (socket) => {
            await join.promise;
            socket.subscribe("room:other");
            socket.send("late");
            socket.sendAfter(0, "later");
            socket.push("pushed");
            return ok();
          },
          handleInfo: () => assert.fail("handleInfo"),
        }),
      },
    });
    const client = world.connect();
    client.send(JOIN);
    world.passTime(1_001);
    client.taken();
    join.resolve(undefined);
    await turn();
    assert.equal(world.member.pubsub.registry.size, 0);
    assert.deepEqual(client.taken(), []);
  });

  it("that took too long leaves its topic free, and the next join is independent", async () => {
    const joins = [new Deferred(), new Deferred(), new Deferred()];
    let next = 0;
    const world = new World({
      channels: { "room:*": channel({ join: () => joins[next++]?.promise as never }) },
    });
    const client = world.connect();
    // The second one waits behind the first, like a client's own retry.
    client.send(JOIN, '["12","2","room:1","phx_join",{}]');
    assert.equal(next, 1);
    world.passTime(1_001);
    assert.deepEqual(client.taken(), [replied({ reason: "join timeout" }, "error", "1")]);
    assert.equal(next, 2);
    joins[0]?.resolve(ok({ late: true }));
    await turn();
    assert.deepEqual(client.taken(), []);
    joins[1]?.resolve(ok({ second: true }));
    await turn();
    assert.deepEqual(client.taken(), [
      '["12","2","room:1","phx_reply",{"status":"ok","response":{"second":true}}]',
    ]);
    assert.equal(world.count, 1);
    world.member.broadcast("room:1", "e", {});
    assert.deepEqual(client.taken(), ['[null,null,"room:1","e",{}]']);
  });

  it("has the time limit of its channel", () => {
    const never = new Deferred();
    const join = (): never => never.promise as never;
    const world = new World({
      channels: {
        "quick:*": channel({ join, joinTimeoutMs: 50 }),
        "patient:*": channel({ join, joinTimeoutMs: 5_000 }),
      },
      joinTimeoutMs: 1_000,
    });
    const client = world.connect();
    client.send('["11","1","quick:1","phx_join",{}]', '["12","2","patient:1","phx_join",{}]');
    world.passTime(900);
    assert.match(client.taken().join(""), /"1","quick:1".*join timeout/);
    world.passTime(4_900);
    assert.deepEqual(client.taken(), []);
    world.passTime(5_001);
    assert.match(client.taken().join(""), /"2","patient:1".*join timeout/);
  });

  it("that floods itself is answered with join crashed once, and is not joined", () => {
    const ended: unknown[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          join: (socket) => {
            for (let n = 0; n < 9; n += 1) socket.send(n);
            return ok();
          },
          terminate: (_, reason) => void ended.push(reason),
        }),
      },
      maxMailbox: 8,
    });
    const client = world.connect();
    assert.deepEqual(client.asked(JOIN), [JOIN_CRASHED]);
    assert.equal(world.lastError(), "the mailbox must hold at most 8 (messages)");
    assert.equal(world.count, 0);
    world.member.broadcast("room:1", "e", {});
    assert.deepEqual(client.taken(), []);
    assert.deepEqual(ended, []);
  });

  it("that floods itself while it is awaited is answered with join crashed once", async () => {
    const join = new Deferred();
    const world = new World({
      channels: {
        "room:*": channel({
          join: async (socket) => {
            await join.promise;
            for (let n = 0; n < 9; n += 1) socket.send(n);
            return ok();
          },
        }),
      },
      maxMailbox: 8,
    });
    const client = world.connect();
    client.send(JOIN);
    join.resolve(undefined);
    await turn();
    assert.deepEqual(client.taken(), [JOIN_CRASHED]);
    assert.equal(world.count, 0);
    assert.equal(world.member.pubsub.registry.size, 0);
  });

  it("has its own locals, created when they are first used", () => {
    let made = 0;
    const world = new World({
      channels: {
        "room:*": channel({
          locals: () => ({ n: (made += 1) }),
          handleIn: {
            more: (socket) => {
              socket.locals["count"] = Number(socket.locals["count"] ?? 0) + 1;
              return ok({ ...socket.locals });
            },
          },
        }),
      },
    });
    const client = world.joined();
    assert.equal(made, 0);
    client.send(push("more"));
    assert.deepEqual(client.taken(), [replied({ n: 1, count: 1 })]);
    assert.deepEqual(client.asked(push("more")), [replied({ n: 1, count: 2 })]);
    assert.equal(made, 1);
  });

  it("crashes the handler if its locals function throws", () => {
    const world = new World({
      channels: {
        "room:*": channel({
          locals: () => {
            throw new Error("no locals");
          },
          handleIn: { use: (socket) => ok(socket.locals) },
        }),
      },
    });
    assert.deepEqual(world.joined().asked(push("use")), [CRASHED]);
    assert.equal(world.lastError(), "no locals");
  });
});

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

  it("that is full still accepts a leave", async () => {
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
    // The handler no longer matters: only the other channel is still waited for.
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

describe("handleInfo", () => {
  it("answers a caller in the shard through a function in the message, in the channel's order", async () => {
    interface Question {
      readonly answer: (count: unknown) => void;
    }
    const sockets: { send: (message: unknown) => void }[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          locals: () => ({ count: 0 }),
          handleIn: {
            keep: (socket) => void sockets.push(socket),
            count: (socket) => void (socket.locals["count"] = Number(socket.locals["count"]) + 1),
          },
          handleInfo: (socket, message) => (message as Question).answer(socket.locals["count"]),
        }),
      },
    });
    const count = '["11","2","room:1","count",{}]';
    world.joined().send('["11","2","room:1","keep",{}]', count, count);
    const asked = new Promise((answer) => {
      sockets[0]?.send({ answer });
    });
    assert.equal(await asked, 2);
  });

  it("gets what the channel sends itself, after everything that waits already", () => {
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            do: (socket) => {
              socket.send({ n: 1 });
              socket.send({ n: 2 });
              socket.push("first", {});
              return ok();
            },
          },
          handleInfo: (socket, message) => socket.push("info", message),
        }),
      },
    });
    assert.deepEqual(world.joined().asked(push("do")), [
      '["11",null,"room:1","first",{}]',
      replied({}),
      '["11",null,"room:1","info",{"n":1}]',
      '["11",null,"room:1","info",{"n":2}]',
    ]);
  });

  it("may stop the channel, crash it, or return an invalid result, which crashes it", async () => {
    for (const [result, frame] of [
      [stop("normal"), CLOSED],
      [stop("other"), CRASHED],
      [ok(), CRASHED],
      [null, CRASHED],
      [Promise.resolve(stop("normal")), CLOSED],
      [Promise.resolve(7), CRASHED],
    ] as const) {
      const world = new World({
        channels: {
          "room:*": channel({
            handleIn: { do: (socket) => socket.send("x") },
            handleInfo: () => result as never,
          }),
        },
      });
      const client = world.joined();
      client.send(push("do"));
      await turn();
      assert.deepEqual(client.taken(), [frame]);
    }
  });

  it("lists its valid results", () => {
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: { do: (socket) => socket.send("x") },
          handleInfo: () => ok() as never,
        }),
      },
    });
    world.joined().send(push("do"));
    assert.equal(world.lastError(), "handleInfo must return nothing or stop(reason), got object");
  });

  it("that is missing causes a warning, and the channel goes on", () => {
    const world = new World({
      channels: {
        "room:*": channel({ handleIn: { do: (socket) => socket.send([]), echo: () => ok() } }),
      },
    });
    const client = world.joined();
    assert.deepEqual(client.asked(push("do"), push("echo", "3")), [replied({}, "ok", "3")]);
    assert.deepEqual(world.troubles(), ["a message was received, but there is no handleInfo"]);
    assert.deepEqual(world.log.find(({ fields }) => "got" in fields)?.fields, {
      topic: "room:1",
      got: "array",
    });
  });

  it("refuses a delay that timers do not support", () => {
    const refused: unknown[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            do: (socket) => {
              for (const delayMs of [-1, 2 ** 31, Number.NaN]) {
                try {
                  socket.sendAfter(delayMs, "never");
                } catch (thrown) {
                  refused.push(thrown instanceof Error ? thrown.message : thrown);
                }
              }
            },
          },
        }),
      },
    });
    world.joined().send(push("do"));
    const subject = "delayMs must be a number from 0 to 2147483647 (ms), got";
    assert.deepEqual(refused, [`${subject} -1`, `${subject} 2147483648`, `${subject} NaN`]);
  });

  it("gets a message after a delay, unless it is cancelled or the channel ends", (test) => {
    test.mock.timers.enable({ apis: ["setTimeout"] });
    const seen: unknown[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            do: (socket) => {
              socket.sendAfter(100, "first");
              const cancel = socket.sendAfter(100, "cancelled");
              socket.sendAfter(200, "late");
              cancel();
              cancel();
            },
          },
          handleInfo: (_, message) => void seen.push(message),
        }),
      },
    });
    const client = world.joined();
    client.send(push("do"));
    test.mock.timers.tick(99);
    assert.deepEqual(seen, []);
    test.mock.timers.tick(1);
    assert.deepEqual(seen, ["first"]);
    client.send(push("phx_leave", "3"));
    test.mock.timers.tick(1_000);
    assert.deepEqual(seen, ["first"]);
  });

  it("gets no timer's message after its channel has ended", (test) => {
    test.mock.timers.enable({ apis: ["setTimeout"] });
    const sockets: { sendAfter: (delayMs: number, message: unknown) => () => void }[] = [];
    const world = new World({
      channels: { "room:*": channel({ handleIn: { do: (socket) => void sockets.push(socket) } }) },
    });
    const client = world.joined();
    client.send(push("do"), push("phx_leave", "3"));
    const cancel = sockets[0]?.sendAfter(10, "x");
    test.mock.timers.tick(1_000);
    cancel?.();
    assert.deepEqual(world.troubles(), []);
  });

  it("gets broadcasts of other topics, once for each subscription", () => {
    const seen: unknown[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          join: (socket) => {
            socket.subscribe("news");
            return ok();
          },
          handleIn: {
            twice: (socket) => socket.subscribe("news"),
            stop: (socket) => socket.unsubscribe("news"),
          },
          handleInfo: (_, message) => void seen.push(message),
        }),
      },
    });
    const client = world.joined();
    const news = { topic: "news", event: "e", payload: { n: 1 } };
    world.member.broadcast("news", "e", { n: 1 });
    assert.deepEqual(seen.splice(0), [news]);
    client.send(push("twice"));
    world.member.broadcast("news", "e", { n: 1 });
    assert.deepEqual(seen.splice(0), [news, news]);
    client.send(push("stop", "3"));
    world.member.broadcast("news", "e", { n: 1 });
    assert.deepEqual(seen, []);
    assert.deepEqual(client.taken(), []);
    assert.equal(world.member.pubsub.registry.get("news"), undefined);
  });

  it("gets broadcasts of other topics from before its join was answered, after the answer", async () => {
    const join = new Deferred();
    const world = new World({
      channels: {
        "room:*": channel({
          join: async (socket) => {
            socket.subscribe("news");
            await join.promise;
            return ok();
          },
          handleInfo: (socket, message) => socket.push("info", message),
        }),
      },
    });
    const client = world.connect();
    client.send(JOIN);
    world.member.broadcast("news", "e", {});
    join.resolve(undefined);
    await turn();
    assert.deepEqual(client.taken(), [
      JOINED,
      '["11",null,"room:1","info",{"topic":"news","event":"e","payload":{}}]',
    ]);
  });

  it("gets nothing from other topics once the channel has ended, however it ended", () => {
    const room = channel({
      join: (socket, payload) => {
        socket.subscribe("news");
        if (payload === "throw") throw new Error("boom");
        return payload === "refuse" ? error() : ok();
      },
      handleIn: { boom: () => Promise.reject(new Error("boom")) },
    });
    const world = new World({ channels: { "room:*": room } });
    const client = world.connect();
    client.send(
      '["11","1","room:1","phx_join","throw"]',
      '["11","1","room:1","phx_join","refuse"]',
    );
    assert.equal(world.member.pubsub.registry.size, 0);
    client.send(JOIN, push("phx_leave"));
    assert.equal(world.member.pubsub.registry.size, 0);
    client.send(JOIN);
    client.connection.lose();
    assert.equal(world.member.pubsub.registry.size, 0);
  });
});

describe("a task of a channel", () => {
  const room = channel({
    handleIn: {
      work: async (socket, payload) => ok(await socket.task("double", payload)),
      echo: () => ok(),
    },
  });

  it("returns its result to the handler that awaits it; other messages wait as well", async () => {
    const world = new World({ channels: { "room:*": room } });
    const client = world.joined();
    client.send(push("work", "2", 4), push("echo", "3"));
    const [task] = world.tasks.given;
    assert.deepEqual([task?.name, client.taken()], ["double", []]);
    task?.resolve(8);
    await turn();
    assert.deepEqual(client.taken(), [replied(8), replied({}, "ok", "3")]);
    client.connection.lose();
    assert.equal(task?.isCancelled, false);
  });

  it("that fails crashes the channel whose handler awaits it", async () => {
    const world = new World({ channels: { "room:*": room } });
    const client = world.joined();
    client.send(push("work"));
    world.tasks.given[0]?.reject(new Error("no"));
    await turn();
    assert.deepEqual(client.taken(), [CRASHED]);
    assert.equal(world.lastError(), "no");
  });

  it("is cancelled when its channel ends, and is not started after that", async () => {
    const sockets: { task: (name: string) => Promise<unknown> }[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            work: (socket) => {
              sockets.push(socket);
              void socket.task("endless");
            },
          },
        }),
      },
    });
    const client = world.joined();
    client.send(push("work"), push("phx_leave", "3"));
    assert.equal(world.tasks.given[0]?.isCancelled, true);
    void sockets[0]?.task("late");
    await turn();
    assert.equal(world.tasks.given.length, 1);
  });
});

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
    // The handler's reply is first: the channel is busy with it (WIRE §1.8).
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
