/**
 * Raw channels without a transport: what their handlers get, and what their clients see.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";

import { defineRawChannel } from "../../src/channel/raw-definition.ts";
import type {
  RawChannelHandle,
  RawChannelDefinition,
  RawChannelHandlers,
} from "../../src/channel/raw-definition.ts";
import { ok } from "../../src/callbacks/results.ts";
import type { ExitReason } from "../../src/callbacks/results.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import { channel, CONTEXT, Deferred, turn, World } from "../support/world.ts";

const JOIN = '["11","1","raw:1","phx_join",{"a":1}]';
const OK = '{"status":"ok","response":{}}';
const JOINED = `["11","1","raw:1","phx_reply",${OK}]`;
const CRASHED = '["11","11","raw:1","phx_error",{"reason":"channel_crash"}]';
const REFUSED =
  '["11","1","raw:1","phx_reply",{"status":"error","response":{"reason":"join crashed"}}]';

type Start = (channel: RawChannelHandle, payload: unknown) => RawChannelHandlers | undefined;

function raw(start: Start): RawChannelDefinition {
  return defineRawChannel(defineSocket<object>({ connect: () => ok({}) }), { start });
}

/** A world with raw channels, the channels that were created, and how they ended. */
function makeWorld(
  handlers: Partial<RawChannelHandlers> = {},
  start: (each: RawChannelHandle, payload: unknown) => void = (each) => each.accept(),
  joins: "async" | "serial" = "async",
): { readonly world: World; readonly made: RawChannelHandle[]; readonly ends: ExitReason[] } {
  const made: RawChannelHandle[] = [];
  const ends: ExitReason[] = [];
  const definition = raw((each, payload) => {
    made.push(each);
    start(each, payload);
    return {
      receive(message) {
        if (message.event !== "phx_leave") each.reply(message, "ok", message.payload);
        else {
          each.reply(message, "ok");
          each.close();
        }
      },
      ...handlers,
      end(reason) {
        ends.push(reason);
        return handlers.end?.(reason);
      },
    };
  });
  const world = new World({ channels: { "raw:*": definition, "room:*": channel() }, joins });
  return { world, made, ends };
}

describe("a raw channel", () => {
  it("gets the topic, the payload and the data of the connection", () => {
    const seen: unknown[] = [];
    const { world, made } = makeWorld({}, (each, payload) => {
      seen.push(payload, each.isOpen);
      each.accept({ hello: 1 });
      seen.push(each.isOpen);
    });
    const client = world.connect({ id: "users:1", assigns: { user: 1 } });
    const reply = '["11","1","raw:1","phx_reply",{"status":"ok","response":{"hello":1}}]';
    assert.deepEqual(client.asked(JOIN), [reply]);
    const [each] = made;
    assert.ok(each);
    const { topic, id, assigns, joinRef, transport, shard, context, options } = each;
    assert.deepEqual([topic, id, assigns, joinRef], ["raw:1", "users:1", { user: 1 }, "11"]);
    assert.deepEqual([transport, shard, context, options], ["recording", 0, CONTEXT, undefined]);
    assert.deepEqual(seen, [{ a: 1 }, false, true]);
    assert.equal(world.count, 1);
  });

  it("has its route's assigns, which override the socket's, and its route's options", () => {
    const made: RawChannelHandle[] = [];
    const definition = raw((each) => {
      made.push(each);
      each.accept();
      return { receive() {} };
    });
    const route = { channel: definition, assigns: { b: 2 }, options: { starter: "x" } };
    const world = new World({ channels: { "raw:*": route } });
    world.connect({ assigns: { a: 1, b: 1 } }).send(JOIN);
    assert.deepEqual(made[0]?.assigns, { a: 1, b: 2 });
    assert.deepEqual(made[0]?.options, { starter: "x" });
  });

  it("gets messages unchanged, and answers them in every form", () => {
    const seen: unknown[] = [];
    const { world, made } = makeWorld({
      receive(message) {
        seen.push(message);
        made[0]?.push("pushed", { n: 1 });
        made[0]?.push("bytes", Buffer.from("hi"));
        made[0]?.reply(message, "maybe", [1]);
        made[0]?.reply(message, "ok", Buffer.from("hi!"));
        made[0]?.sendFrame('["any","frame"]');
        made[0]?.sendFrame(Buffer.from("ff", "hex"));
      },
    });
    const client = world.joined(["raw:1"]);
    assert.deepEqual(client.asked('["11","2","raw:1","say",{"b":2}]'), [
      '["11",null,"raw:1","pushed",{"n":1}]',
      `hex 00020505${Buffer.from("11raw:1byteshi").toString("hex")}`,
      '["11","2","raw:1","phx_reply",{"status":"maybe","response":[1]}]',
      `hex 0102010502${Buffer.from("112raw:1okhi!").toString("hex")}`,
      '["any","frame"]',
      "hex ff",
    ]);
    const message = { joinRef: "11", ref: "2", topic: "raw:1", event: "say", payload: { b: 2 } };
    assert.deepEqual(seen, [message]);
  });

  it("answers its leave itself, and is then gone", () => {
    const { world, ends } = makeWorld();
    const client = world.joined(["raw:1"]);
    assert.deepEqual(client.asked('["11","2","raw:1","phx_leave",{}]'), [
      `["11","2","raw:1","phx_reply",${OK}]`,
      '["11","11","raw:1","phx_close",{}]',
    ]);
    assert.deepEqual([ends, world.count], [["normal"], 0]);
    const unmatched = '{"status":"error","response":{"reason":"unmatched topic"}}';
    assert.deepEqual(client.asked('["11","3","raw:1","say",{}]'), [
      `[null,"3","raw:1","phx_reply",${unmatched}]`,
    ]);
  });

  it("does not get stale messages, and gets a leave without a join_ref", () => {
    const { world, ends } = makeWorld();
    const client = world.joined(["raw:1"]);
    assert.deepEqual(
      client.asked('["9","2","raw:1","say",{}]', '["9","3","raw:1","phx_leave",{}]'),
      [],
    );
    client.send('[null,"4","raw:1","phx_leave",{}]');
    assert.deepEqual(ends, ["normal"]);
  });

  it("refuses its join, at once or later, and does not exist afterwards", () => {
    const { world, made, ends } = makeWorld({}, (each, payload) => {
      if ((payload as { now?: boolean }).now) each.refuse({ reason: "no" });
    });
    const client = world.connect();
    const no = '{"status":"error","response":{"reason":"no"}}';
    assert.deepEqual(client.asked('["11","1","raw:1","phx_join",{"now":true}]'), [
      `["11","1","raw:1","phx_reply",${no}]`,
    ]);
    assert.deepEqual(client.asked('["12","2","raw:2","phx_join",{}]'), []);
    made[1]?.refuse({ reason: "no" });
    assert.deepEqual(client.taken(), [`["12","2","raw:2","phx_reply",${no}]`]);
    assert.deepEqual([ends, world.count], [["shutdown", "shutdown"], 0]);
    assert.equal(client.socket.allChannels().length, 0);
  });

  it("delays no other topic while its join is not answered, and then gets what has arrived", () => {
    const { world, made } = makeWorld({}, () => {});
    const client = world.connect();
    assert.deepEqual(client.asked(JOIN, '["11","2","raw:1","say",{"b":2}]'), []);
    assert.deepEqual(client.asked('["12","3","room:1","phx_join",{}]'), [
      `["12","3","room:1","phx_reply",${OK}]`,
    ]);
    made[0]?.accept();
    assert.deepEqual(client.taken(), [
      JOINED,
      '["11","2","raw:1","phx_reply",{"status":"ok","response":{"b":2}}]',
    ]);
  });

  it("delays all messages of a serial connection until its join is answered, as in Phoenix", () => {
    const { world, made } = makeWorld({}, () => {}, "serial");
    const client = world.connect();
    const heartbeat = '[null,"9","phoenix","heartbeat",{}]';
    assert.deepEqual(client.asked(JOIN, heartbeat), []);
    made[0]?.accept();
    assert.deepEqual(client.taken(), [JOINED, `[null,"9","phoenix","phx_reply",${OK}]`]);
  });

  it("fails to join if it does not answer in time; its later answer is ignored", () => {
    const { world, made, ends } = makeWorld({}, () => {});
    const client = world.connect();
    client.send(JOIN);
    world.passTime(500);
    assert.deepEqual(client.taken(), []);
    world.passTime(1_001);
    const late = '{"status":"error","response":{"reason":"join timeout"}}';
    assert.deepEqual(client.taken(), [`["11","1","raw:1","phx_reply",${late}]`]);
    made[0]?.accept();
    made[0]?.push("late");
    assert.deepEqual(client.taken(), []);
    assert.equal((ends[0] as { code?: string }).code, "SIM_ERR_JOIN_TIMEOUT");
  });

  it("answers its join once, and sends nothing before", () => {
    const errors: unknown[] = [];
    const attempt = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        errors.push((error as { code?: string }).code);
      }
    };
    const { world, made } = makeWorld({}, (each) => {
      attempt(() => each.push("early"));
      attempt(() => each.reply({ ref: "1" }, "ok"));
      attempt(() => each.sendFrame("early"));
      attempt(() => each.close());
      attempt(() => each.fail());
      attempt(() => each.accept(() => {}));
      each.accept();
      attempt(() => each.accept());
      attempt(() => each.refuse());
    });
    const client = world.connect();
    assert.deepEqual(client.asked(JOIN), [JOINED]);
    attempt(() => made[0]?.accept());
    assert.deepEqual(errors, [
      ...Array<string>(5).fill("SIM_ERR_NOT_JOINED"),
      "SIM_ERR_PAYLOAD",
      ...Array<string>(3).fill("SIM_ERR_JOIN_ANSWERED"),
    ]);
  });

  it("is replaced by a rejoin, in Phoenix's order", () => {
    const { world, ends } = makeWorld({}, (each) => {
      each.accept();
      each.push("hello");
    });
    const client = world.joined(["raw:1"]);
    assert.deepEqual(client.asked('["12","2","raw:1","phx_join",{}]'), [
      `["12","2","raw:1","phx_reply",${OK}]`,
      '["11","11","raw:1","phx_close",{}]',
      '["12",null,"raw:1","hello",{}]',
    ]);
    assert.deepEqual([ends, world.count], [[{ shutdown: "duplicate_join" }], 1]);
  });

  it("may end within start, and leaves its topic free", () => {
    const { world, ends } = makeWorld(
      {},
      (each) => {
        each.accept();
        each.close();
      },
      "serial",
    );
    const client = world.connect();
    const closed = '["11","11","raw:1","phx_close",{}]';
    assert.deepEqual(client.asked(JOIN), [JOINED, closed]);
    assert.deepEqual([client.asked(JOIN), world.count], [[JOINED, closed], 0]);
    assert.deepEqual(ends, ["normal", "normal"]);
  });

  it("gets messages that arrive while start runs after it, and none if it has ended there", () => {
    for (const isClosed of [false, true]) {
      const { world } = makeWorld({}, (each) => {
        each.accept();
        client.send('["11","2","raw:1","say",{"b":2}]');
        if (isClosed) each.close();
      });
      const client = world.connect();
      const unmatched = '{"status":"error","response":{"reason":"unmatched topic"}}';
      const after = isClosed
        ? ['["11","11","raw:1","phx_close",{}]', `[null,"2","raw:1","phx_reply",${unmatched}]`]
        : ['["11","2","raw:1","phx_reply",{"status":"ok","response":{"b":2}}]'];
      assert.deepEqual(client.asked(JOIN), [JOINED, ...after]);
    }
  });

  it("ends by fail with phx_error and the given reason", () => {
    const { world, made, ends } = makeWorld();
    const client = world.joined(["raw:1", "raw:2"]);
    made[0]?.fail();
    made[1]?.fail("out of date");
    assert.deepEqual(client.taken(), [
      CRASHED,
      '["12","12","raw:2","phx_error",{"reason":"out of date"}]',
    ]);
    assert.deepEqual(ends, ["channel_crash", "out of date"]);
  });

  const failing: Readonly<Record<string, Start>> = {
    "start throws": () => {
      throw new Error("boom");
    },
    "start returns no handlers": () => undefined,
    "start returns something else": () => ({ receive: 7 }) as never,
    "start returns a promise": () => Promise.reject(new Error("boom")) as never,
  };
  for (const [what, start] of Object.entries(failing)) {
    it(`has its join crash where ${what}`, () => {
      const world = new World({ channels: { "raw:*": raw(start), "room:*": channel() } });
      const client = world.joined(["room:1"]);
      assert.deepEqual(client.asked(JOIN), [REFUSED]);
      assert.deepEqual(world.troubles(), ["join crashed"]);
      assert.equal(client.socket.allChannels().length, 1);
    });
  }

  it("says what start must return", () => {
    const world = new World({ channels: { "raw:*": raw(() => undefined) } });
    world.connect().send(JOIN);
    const allowed = "{ receive, … } synchronously, or nothing after it has refused";
    assert.equal(world.lastError(), `start must return ${allowed}, got undefined`);
  });

  it("crashes with phx_error if start throws after it has accepted", () => {
    const { world, ends } = makeWorld({}, (each) => {
      each.accept();
      throw new Error("boom");
    });
    const client = world.connect();
    assert.deepEqual(client.asked(JOIN), [JOINED, CRASHED]);
    assert.deepEqual([ends, world.count, client.socket.allChannels().length], [[], 0, 0]);
  });

  for (const [what, boom] of Object.entries({
    throws: () => {
      throw new Error("boom");
    },
    rejects: async (): Promise<void> => Promise.reject(new Error("boom")),
  })) {
    it(`crashes where a handler ${what}, and harms no other`, async () => {
      const { world, made, ends } = makeWorld({ receive: boom, broadcast: boom });
      const client = world.joined(["raw:1", "raw:2", "room:1"]);
      client.send('["11","2","raw:1","say",{}]');
      made[1]?.subscribe("raw:2");
      world.member.broadcast("raw:2", "said");
      await turn();
      assert.deepEqual(client.taken(), [
        CRASHED,
        '["12","12","raw:2","phx_error",{"reason":"channel_crash"}]',
      ]);
      assert.deepEqual(ends.map(String), ["Error: boom", "Error: boom"]);
      assert.deepEqual(world.troubles(), ["channel crashed", "channel crashed"]);
      assert.equal(world.count, 1);
    });
  }

  it("crashes if a handler cannot be read, and harms no other", () => {
    const made: RawChannelHandlers[] = [];
    const definition = raw((each) => {
      each.accept();
      const handlers = { receive: () => {} };
      made.push(handlers);
      return handlers;
    });
    const world = new World({ channels: { "raw:*": definition, "room:*": channel() } });
    const client = world.joined(["raw:1", "room:1"]);
    for (const handlers of made) {
      Object.defineProperty(handlers, "receive", { get: () => assert.fail("read") });
    }
    assert.deepEqual(client.asked('["11","2","raw:1","say",{}]'), [CRASHED]);
    assert.deepEqual([client.socket.isEnded, world.count], [false, 1]);
  });

  it("is refused if the reason of its refusal can be read only once", () => {
    const { world } = makeWorld({}, (each) => {
      let reads = 0;
      const get = (): string => {
        reads += 1;
        return reads === 1 ? "banned" : assert.fail("read again");
      };
      each.refuse(Object.defineProperty({}, "reason", { enumerable: true, get }));
    });
    const client = world.connect();
    assert.deepEqual(client.asked(JOIN), [REFUSED.replace("join crashed", "banned")]);
    assert.deepEqual(world.troubles(), []);
    assert.equal(client.socket.allChannels().length, 0);
  });

  it("may get a message while it still handles another", async () => {
    const gate = new Deferred<void>();
    const seen: unknown[] = [];
    const { world } = makeWorld({
      async receive({ payload }) {
        seen.push(payload);
        await gate.promise;
      },
    });
    world.joined(["raw:1"]).send('["11","2","raw:1","say",1]', '["11","3","raw:1","say",2]');
    assert.deepEqual(seen, [1, 2]);
  });

  it("gets broadcasts of topics that it has subscribed to, which need not include its own", () => {
    const seen: unknown[] = [];
    const { world, made } = makeWorld({ broadcast: (broadcast) => void seen.push(broadcast) });
    const client = world.joined(["raw:1"]);
    world.member.broadcast("raw:1", "said", { n: 1 });
    made[0]?.subscribe("raw:1");
    made[0]?.subscribe("room:1");
    world.member.broadcast("raw:1", "said", { n: 2 });
    world.member.broadcast("room:1", "said", { n: 3 });
    made[0]?.unsubscribe("room:1");
    world.member.broadcast("room:1", "said", { n: 4 });
    assert.deepEqual(seen, [
      { topic: "raw:1", event: "said", payload: { n: 2 } },
      { topic: "room:1", event: "said", payload: { n: 3 } },
    ]);
    assert.deepEqual(client.taken(), []);
    made[0]?.close();
    assert.equal(world.member.pubsub.registry.size, 0);
    made[0]?.subscribe("room:1");
    assert.equal(world.member.pubsub.registry.size, 0);
  });

  it("is told of lost broadcasts; without a handler, its client rejoins", () => {
    const missed: string[] = [];
    const told = makeWorld({ missed: (topic) => void missed.push(topic) });
    told.world.joined(["raw:1"]);
    told.made[0]?.subscribe("room:1");
    told.world.member.pubsub.onLapped(1, "all");
    assert.deepEqual([missed, told.ends], [["room:1"], []]);
    const untold = makeWorld();
    const client = untold.world.joined(["raw:1"]);
    untold.made[0]?.subscribe("room:1");
    untold.world.member.pubsub.onLapped(1, "all");
    const lost = '["11","11","raw:1","phx_error",{"reason":"missed broadcasts"}]';
    assert.deepEqual(client.taken(), [lost]);
    const joining = makeWorld({}, (each) => each.subscribe("room:1"));
    const waiting = joining.world.connect();
    waiting.send(JOIN);
    joining.world.member.pubsub.onLapped(1, "all");
    assert.deepEqual(waiting.taken(), [REFUSED]);
  });

  it("is told of a drain while it may still push, and of every end of its connection", () => {
    const order: unknown[] = [];
    const { world, made } = makeWorld({
      drain() {
        made[0]?.push("bye");
        order.push("drain");
      },
      end: (reason) => void order.push(reason),
    });
    const client = world.joined(["raw:1", "room:1"]);
    client.socket.end(1012, { shutdown: "draining" });
    assert.deepEqual(client.taken(), ['["11",null,"raw:1","bye",{}]']);
    world.joined(["raw:1"]).connection.lose();
    assert.deepEqual(order, ["drain", { shutdown: "draining" }, { shutdown: "closed" }]);
    assert.equal(world.count, 0);
  });

  it("ends with its connection even if its join is not answered", () => {
    const { world, made, ends } = makeWorld({}, () => {});
    const client = world.connect();
    client.send(JOIN);
    client.connection.lose();
    made[0]?.accept();
    assert.deepEqual([ends, world.count], [[{ shutdown: "closed" }], 0]);
    world.passTime(1_001);
    assert.deepEqual(world.troubles(), []);
  });

  it("counts as live until its asynchronous end has settled", async () => {
    const gate = new Deferred<void>();
    const { world } = makeWorld({ end: () => gate.promise });
    const client = world.joined(["raw:1"]);
    client.connection.lose();
    const ended = world.callbacks.live.allGone();
    assert.equal(await Promise.race([ended, turn()]), undefined);
    gate.reject(new Error("boom"));
    await ended;
    assert.deepEqual(world.troubles(), ["terminate threw"]);
  });

  it("counts among the channels of its connection, joined or not", () => {
    const { world, made } = makeWorld({}, () => {});
    const client = world.connect();
    client.send(JOIN);
    const states = (): unknown[] =>
      client.socket.allChannels().map(({ topic, state, isLeaving }) => [topic, state, isLeaving]);
    assert.deepEqual(states(), [["raw:1", 0, false]]);
    made[0]?.accept();
    assert.deepEqual(states(), [["raw:1", 1, false]]);
  });

  it("is reported to log and telemetry like other channels", () => {
    const events: unknown[] = [];
    const names = ["channel_joined", "channel_left"] as const;
    const take = (event: unknown, name: string | symbol): void => {
      const { durationMs, ...rest } = event as Record<string, unknown>;
      events.push([String(name), typeof durationMs, rest]);
    };
    for (const name of names) subscribe(`simurgh:${name}`, take);
    const { world, made } = makeWorld();
    world.connect().send(JOIN);
    made[0]?.close();
    for (const name of names) unsubscribe(`simurgh:${name}`, take);
    assert.deepEqual(events, [
      ["simurgh:channel_joined", "number", { topic: "raw:1", params: { a: 1 }, result: "ok" }],
      ["simurgh:channel_left", "undefined", { topic: "raw:1", reason: "normal" }],
    ]);
    assert.deepEqual(
      world.log.map(({ text, fields }) => [text, fields["topic"], fields["params"]]),
      [["JOINED", "raw:1", { a: 1 }]],
    );
  });
});

describe("the definition of a raw channel", () => {
  it("requires start, and a valid log level", () => {
    const socket = defineSocket<object>({ connect: () => ok({}) });
    const refused = (callbacks: object, message: string): void => {
      assert.throws(() => defineRawChannel(socket, callbacks as never), {
        code: "SIM_ERR_DEFINITION_INVALID",
        message,
      });
    };
    refused({}, "start must be a function, got undefined");
    refused(
      { start: () => undefined, logJoin: 7 },
      'logJoin must be "debug", "info", "warn", "error" or false, got 7',
    );
  });
});
