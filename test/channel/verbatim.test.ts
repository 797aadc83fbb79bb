/**
 * Verbatim handlers: the text that they receive, and the exact text that is sent.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";

import { defineChannel } from "../../src/channel/definition.ts";
import type { ChannelSocket } from "../../src/channel/channel-socket.ts";
import type { ChannelDefinition } from "../../src/channel/definition.ts";
import { ok, reply, stop } from "../../src/callbacks/results.ts";
import { verbatim } from "../../src/channel/verbatim.ts";
import { defineSerializer } from "../../src/protocol/custom-serializer.ts";
import type { ServerMessage } from "../../src/protocol/custom-serializer.ts";
import type { JsonText } from "../../src/protocol/json-text.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import { TestNode } from "../support/members.ts";
import { RawWebSocketClient } from "../support/raw-client.ts";
import { startShard } from "../support/shard.ts";
import { channel, Deferred, turn, World } from "../support/world.ts";
import type { WorldClient } from "../support/world.ts";

const CRASHED = '["11","11","room:1","phx_error",{"reason":"channel_crash"}]';
/** Text that JSON.stringify would not write: duplicate keys, spaces, escapes, and unusual numbers. */
const ODD = '{"a" :1.0,"a":\t"\\u0041\\/é\u2028", "__proto__":[], "big":12345678901234567890}';
/** The same payload, parsed and written again. */
const PARSED = '{"a":"A/é\u2028","__proto__":[],"big":12345678901234567000}';

const room = channel({
  handleIn: {
    echo: verbatim((_, payload) => ok(payload)),
    status: verbatim((_, payload) => reply("seen", payload)),
    stop: verbatim((_, payload) => stop("normal", ok(payload))),
    push: verbatim((socket, payload) => socket.push("pushed", payload)),
    shout: verbatim((socket, payload) => socket.broadcast("shout", payload)),
    others: verbatim((socket, payload) => socket.broadcastFrom("shout", payload)),
    within: verbatim((socket, payload) => socket.push("pushed", { payload })),
    parsed: (_, payload) => ok(payload),
  },
});

function worldOf(definition: ChannelDefinition = room): World {
  return new World({ channels: { "room:*": definition } });
}

/** Connects with version 1, and joins room:1. */
function joinedOld(world: World): WorldClient {
  const client = world.connect({ vsn: "1.0.0" });
  client.asked('{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}');
  return client;
}

function asText(payload: JsonText | Uint8Array): JsonText {
  assert.ok(!(payload instanceof Uint8Array));
  return payload;
}

/** Reports whether Node.js writes a text again that it has read; before version 26, its stack limits the depth. */
function canBeWritten(json: string): boolean {
  try {
    return JSON.stringify(JSON.parse(json)) === json;
  } catch {
    return false;
  }
}

describe("a verbatim handler", () => {
  it("replies with what the client wrote", () => {
    const client = worldOf().joined();
    assert.deepEqual(client.asked(`["11","2","room:1","echo",${ODD}]`), [
      `["11","2","room:1","phx_reply",{"status":"ok","response":${ODD}}]`,
    ]);
    assert.deepEqual(client.asked(`["11","3","room:1","parsed",${ODD}]`), [
      `["11","3","room:1","phx_reply",{"status":"ok","response":${PARSED}}]`,
    ]);
    assert.deepEqual(client.asked('["11","4","room:1","status",{"n":1.0}]'), [
      '["11","4","room:1","phx_reply",{"status":"seen","response":{"n":1.0}}]',
    ]);
    assert.deepEqual(client.asked('["11","5","room:1","stop",{"n":1.0}]'), [
      '["11","5","room:1","phx_reply",{"status":"ok","response":{"n":1.0}}]',
      '["11","11","room:1","phx_close",{}]',
    ]);
  });

  it("replies with any JSON value", () => {
    const client = worldOf().joined();
    for (const json of ["null", "1.0", '"\\u0041"', "[1, 2]", "true"]) {
      assert.deepEqual(client.asked(`["11","2","room:1","echo",${json}]`), [
        `["11","2","room:1","phx_reply",{"status":"ok","response":${json}}]`,
      ]);
    }
  });

  it("pushes what the client wrote", () => {
    assert.deepEqual(worldOf().joined().asked(`["11","2","room:1","push",${ODD}]`), [
      `["11",null,"room:1","pushed",${ODD}]`,
    ]);
  });

  it("broadcasts what the client wrote, in each version, on this thread and on others", () => {
    const node = new TestNode();
    const world = new World({ channels: { "room:*": room }, node });
    const remote = new World({ channels: { "room:*": room }, node, member: 1 });
    const [sender, other, old] = [world.joined(), world.joined(), joinedOld(world)];
    const [far, farOld] = [remote.joined(), joinedOld(remote)];
    const v2 = [`[null,null,"room:1","shout",${ODD}]`];
    const v1 = [`{"topic":"room:1","event":"shout","payload":${ODD},"ref":null}`];

    sender.send(`["11","2","room:1","shout",${ODD}]`);
    remote.member.drain();
    for (const client of [sender, other, far]) assert.deepEqual(client.taken(), v2);
    for (const client of [old, farOld]) assert.deepEqual(client.taken(), v1);

    sender.send(`["11","3","room:1","others",${ODD}]`);
    remote.member.drain();
    assert.deepEqual(sender.taken(), []);
    for (const client of [other, far]) assert.deepEqual(client.taken(), v2);
    for (const client of [old, farOld]) assert.deepEqual(client.taken(), v1);
  });

  it("finds the payload after topics with escapes and refs of any kind", () => {
    const client = worldOf().connect();
    const topic = '"room:\\"\\\\,[\\u00e9"';
    client.asked(`[7,7,${topic},"phx_join",{}]`);
    assert.deepEqual(client.asked(`[7,8.50,${topic},"echo",{"n":1.0}]`), [
      '[7,8.5,"room:\\"\\\\,[é","phx_reply",{"status":"ok","response":{"n":1.0}}]',
    ]);
    assert.deepEqual(client.asked(`[null,null,${topic},"\\u0065cho",{"n":1.0}]`), [
      '[7,null,"room:\\"\\\\,[é","phx_reply",{"status":"ok","response":{"n":1.0}}]',
    ]);
  });

  it("encodes the payload again if a frame has no single text for it", () => {
    const world = worldOf();
    const client = world.joined();
    assert.deepEqual(client.asked('["11","2","room:1","echo",{"n":1.0},{"m":2}]'), [
      '["11","2","room:1","phx_reply",{"status":"ok","response":{"n":1}}]',
    ]);
    assert.deepEqual(client.asked('["11",["2"],"room:1","echo",{"n":1.0}]'), [
      '["11",["2"],"room:1","phx_reply",{"status":"ok","response":{"n":1}}]',
    ]);
    const old = joinedOld(world);
    const frame = '{"topic":"room:1","event":"shout","payload":{"n":1.0},"ref":"2"}';
    assert.deepEqual(old.asked(frame), [
      '{"topic":"room:1","event":"shout","payload":{"n":1},"ref":null}',
    ]);
    assert.deepEqual(client.taken(), ['[null,null,"room:1","shout",{"n":1}]']);
  });

  it("sends no line breaks, which some transports treat as the end of a frame", () => {
    const client = worldOf().joined();
    const frame = '["11","2","room:1","shout",{"a":\n[null,null,"room:2","said",{}]\r\n}]';
    assert.deepEqual(client.asked(frame), [
      '[null,null,"room:1","shout",{"a": [null,null,"room:2","said",{}]  }]',
    ]);
  });

  it("gets bytes unchanged", () => {
    const seen: unknown[] = [];
    const client = worldOf(
      channel({
        handleIn: {
          bin: verbatim((socket, payload) => {
            seen.push(payload);
            socket.broadcast("bin", payload);
          }),
        },
      }),
    ).joined();
    client.sendHex("00 02 01 06 03 3131 32 726f6f6d3a31 62696e 6869");
    assert.deepEqual(client.taken(), ["hex 020603726f6f6d3a3162696e6869"]);
    assert.deepEqual(seen, [new Uint8Array([0x68, 0x69])]);
  });

  it("crashes its channel if it pushes or broadcasts something that is not an object", () => {
    for (const event of ["push", "shout", "others"]) {
      for (const [json, got] of [
        ["[1]", "array"],
        ["null", "null"],
        ['"{}"', "string"],
        [" 7", "number"],
      ] as const) {
        const world = worldOf();
        const [client, other] = [world.joined(), world.joined()];
        assert.deepEqual(client.asked(`["11","2","room:1","${event}",${json}]`), [CRASHED]);
        assert.deepEqual(other.taken(), []);
        assert.equal(world.lastError(), `payload must be an object, got ${got}`);
      }
    }
  });

  it("crashes its channel if the payload is nested too deep to be written again", (test) => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    if (canBeWritten(deep)) return test.skip("JSON.stringify of this Node.js writes any depth");
    const world = worldOf();
    const [client, other] = [world.joined(), world.joined()];
    assert.deepEqual(client.asked(`["11","2","room:1","shout",{"a":${deep}}]`), [CRASHED]);
    assert.deepEqual(other.taken(), []);
    assert.equal(world.lastError(), "payload must be serializable as JSON");
  });

  it("does not get malformed frames, which close the connection", () => {
    for (const frame of [
      '["11","2","room:1","echo",{"a":1]',
      '["11","2","room:1","echo",{"a":01}]',
      '["11","2","room:1","echo",{"a":"\\ud800"}]',
      '["11","2","room:1","echo"]',
      '["11","2","room:1","echo",{}]]',
    ]) {
      const client = worldOf().joined();
      assert.deepEqual(client.asked(frame), []);
      assert.equal(client.connection.closeCode, 1011, frame);
    }
  });

  it("may be asynchronous, and answer later", async () => {
    const gate = new Deferred();
    const client = worldOf(
      channel({
        handleIn: {
          slow: verbatim(async (_, payload) => {
            await gate.promise;
            return ok(payload);
          }),
          later: verbatim((socket, payload) => {
            const ref = socket.replyLater();
            socket.send(() => ref.reply("ok", payload));
          }),
        },
        handleInfo: (_, answer) => (answer as () => void)(),
      }),
    ).joined();
    // The second message waits in the mailbox.
    client.send('["11","2","room:1","slow",{"n":1.0}]', '["11","3","room:1","later",{"n":2.0}]');
    gate.resolve(undefined);
    await turn();
    assert.deepEqual(client.taken(), [
      '["11","2","room:1","phx_reply",{"status":"ok","response":{"n":1.0}}]',
      '["11","3","room:1","phx_reply",{"status":"ok","response":{"n":2.0}}]',
    ]);
  });

  it("gets payloads as they were written, even if they waited behind a join or on a serial socket", async () => {
    for (const joins of ["async", "serial"] as const) {
      const gate = new Deferred<ReturnType<typeof ok>>();
      const slow = channel({
        join: async () => gate.promise,
        handleIn: { echo: verbatim((_, payload) => ok(payload)) },
      });
      const client = new World({ channels: { "room:*": slow }, joins }).connect();
      client.send('["11","1","room:1","phx_join",{}]', `["11","2","room:1","echo",${ODD}]`);
      gate.resolve(ok());
      await turn();
      assert.deepEqual(client.taken().slice(1), [
        `["11","2","room:1","phx_reply",{"status":"ok","response":${ODD}}]`,
      ]);
    }
  });

  it("appears in log and telemetry with its payload parsed and filtered", () => {
    const world = worldOf();
    const client = world.joined();
    const events: { params?: unknown }[] = [];
    const take = (event: unknown): void => void events.push(event as { params?: unknown });
    subscribe("simurgh:channel_handled_in", take);
    try {
      client.send('["11","2","room:1","echo",{"n":1.0,"password":"x"}]');
      joinedOld(world).send('{"topic":"room:1","event":"echo","payload":{"n":2.0},"ref":"2"}');
    } finally {
      unsubscribe("simurgh:channel_handled_in", take);
    }
    const params = events.map((event) => event.params);
    assert.deepEqual(params, [{ n: 1, password: "x" }, { n: 2 }]);
    const lines = world.log.filter(({ text }) => text === "HANDLED INCOMING");
    const logged = lines.map(({ fields }) => fields["params"]);
    assert.deepEqual(logged, [{ n: 1, password: "[FILTERED]" }, { n: 2 }]);
  });
});

describe("a verbatim payload", () => {
  it("is parsed again by each call of json", () => {
    const kept: JsonText[] = [];
    const handleIn = { keep: verbatim((_, payload) => void kept.push(asText(payload))) };
    const world = worldOf(channel({ handleIn }));
    world.joined().send(`["11","2","room:1","keep", ${ODD} ]`);
    joinedOld(world).send(`{"topic":"room:1","event":"keep","payload":${ODD},"ref":"2"}`);
    assert.deepEqual(
      kept.map(({ text }) => text),
      [ODD, PARSED],
    );
    for (const payload of kept) {
      assert.deepEqual(payload.json(), JSON.parse(ODD));
      (payload.json() as Record<string, unknown>)["a"] = "changed";
      assert.equal(JSON.stringify(payload), PARSED);
    }
  });

  it("within another payload is written as its text", () => {
    assert.deepEqual(worldOf().joined().asked('["11","2","room:1","within",{"n":1.0}]'), [
      '["11",null,"room:1","pushed",{"payload":{"n":1}}]',
    ]);
  });

  it("is parsed for interceptors, listeners and other serializers", () => {
    const seen: unknown[] = [];
    const listening = channel({
      join(socket) {
        socket.subscribe("room:1");
        return ok();
      },
      handleInfo: (_, broadcast) => void seen.push(broadcast),
    });
    const intercepting = channel({
      handleIn: { shout: verbatim((socket, payload) => socket.broadcast("shout", payload)) },
      intercept: { shout: (socket, payload) => socket.push("shout", payload) },
    });
    const world = new World({ channels: { "room:*": intercepting, "other:*": listening } });
    const messages: unknown[] = [];
    const serializer = defineSerializer({
      decode: (frame) => JSON.parse(String(frame)) as never,
      encode: ({ event, payload }: ServerMessage) => {
        messages.push(payload);
        return `${event} ${typeof payload}`;
      },
    });
    const other = new World({ channels: { "room:*": room } }).connect({ serializer });
    world.joined(["other:1"]);
    const client = world.joined();
    assert.deepEqual(client.asked('["11","2","room:1","shout",{"n":1.0}]'), [
      '["11",null,"room:1","shout",{"n":1}]',
    ]);
    assert.deepEqual(seen, [{ topic: "room:1", event: "shout", payload: { n: 1 } }]);

    const message = { joinRef: "11", ref: "1", topic: "room:1", payload: {} };
    other.send(JSON.stringify({ ...message, event: "phx_join" }));
    for (const event of ["echo", "push", "shout"]) {
      other.send(JSON.stringify({ ...message, event, payload: { event } }));
    }
    assert.deepEqual(messages.slice(1), [
      { status: "ok", response: { event: "echo" } },
      { event: "push" },
      { event: "shout" },
    ]);
  });

  it("is sent over a WebSocket unchanged, and has the types of its socket", async () => {
    const socket = defineSocket({ connect: () => ok({ user: "ann" }) });
    const typed = defineChannel(socket, {
      locals: () => ({ drawn: 0 }),
      join: () => ok(),
      handleIn: {
        draw: verbatim(({ assigns, locals, topic }, payload) => {
          const text: string = payload instanceof Uint8Array ? "" : payload.text;
          locals.drawn += text.length;
          // @ts-expect-error These are the assigns of this socket.
          void assigns.admin;
          void [assigns.user.length, topic];
          return reply("drawn", payload);
        }),
        count: (each) => ok(each.locals.drawn),
        less: verbatim(() => {}),
        named: verbatim((each: ChannelSocket<{ user: string }, { drawn: number }>) => {
          each.locals.drawn += 1;
        }),
        // @ts-expect-error A verbatim payload is a JsonText or bytes.
        wrong: verbatim((_, payload: number) => ok(payload)),
      },
    });
    const shard = await startShard({
      sockets: { "/socket": { socket, channels: { "room:*": typed } } },
    });
    try {
      const client = await RawWebSocketClient.connect(shard.port, "vsn=2.0.0", "/socket");
      await client.send('["11","1","room:1","phx_join",{}]');
      await client.next();
      await client.send(`["11","2","room:1","draw",${ODD}]`);
      assert.equal(
        await client.next(),
        `["11","2","room:1","phx_reply",{"status":"drawn","response":${ODD}}]`,
      );
      await client.send('["11","3","room:1","count",{}]');
      assert.equal(
        await client.next(),
        `["11","3","room:1","phx_reply",{"status":"ok","response":${ODD.length}}]`,
      );
      await client.close();
    } finally {
      shard.close();
    }
  });
});
