/**
 * Joins of a channel: their results and time limits, and what a channel may do before it has joined.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { error, ok, reply, stop } from "../../src/callbacks/results.ts";
import { JOIN, NO_RESULTS, JOINED, CRASHED, push, replied } from "../support/channel-frames.ts";
import { unreadableOf } from "../support/whatever.ts";
import { channel, Deferred, turn, World } from "../support/world.ts";

const JOIN_CRASHED =
  '["11","1","room:1","phx_reply",{"status":"error","response":{"reason":"join crashed"}}]';

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

  it("whose result cannot be read is answered with join crashed, also if it is asynchronous", async () => {
    for (const result of [ok(), error(), error({ reason: 1 })]) {
      const unreadable = unreadableOf(result);
      const world = new World({
        channels: {
          "room:*": channel({ join: () => unreadable }),
          "late:*": channel({ join: () => Promise.resolve(unreadable) }),
        },
      });
      const client = world.connect();
      client.send(JOIN, JOIN.replace("room", "late"));
      await turn();
      assert.deepEqual(client.taken(), [JOIN_CRASHED, JOIN_CRASHED.replace("room", "late")]);
      assert.deepEqual(world.troubles(), ["join crashed", "join crashed"]);
      assert.deepEqual(client.socket.allChannels(), []);
      await world.callbacks.live.allGone();
    }
  });

  it("whose refusal has a reason that cannot be read is answered with join crashed", () => {
    const reason = { enumerable: true, get: () => assert.fail("read") };
    const join = (): never => error(Object.defineProperty({}, "reason", reason)) as never;
    const world = new World({ channels: { "room:*": channel({ join }) } });
    const client = world.connect();
    assert.deepEqual(client.asked(JOIN), [JOIN_CRASHED]);
    assert.deepEqual(world.troubles(), ["join crashed"]);
    assert.equal(client.socket.isEnded, false);
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

  it("that took too long can no longer subscribe, send or push", async () => {
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
