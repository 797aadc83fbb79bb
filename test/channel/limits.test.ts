import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { defineChannel } from "../../src/channel/definition.ts";
import type { ChannelLimits } from "../../src/channel/limits.ts";
import { ok } from "../../src/callbacks/results.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import { channel, Deferred, turn, World } from "../support/world.ts";

const socket = defineSocket({ connect: () => ok({}) });
const ECHO = '["11","2","room:1","echo",{}]';
const JOINED = '"phx_reply",{"status":"ok","response":{}}]';

function makeWorld(limits: ChannelLimits): World {
  const handleIn = { echo: (_: object, payload: unknown) => ok(payload) };
  return new World({ channels: { "room:*": channel({ limits, handleIn }), "free:*": channel() } });
}

function limited(topic: string, ref: string, retryAfterMs: number, joinRef = "11"): string {
  const response = `{"reason":"rate_limited","retry_after":${retryAfterMs}}`;
  return `["${joinRef}","${ref}","${topic}","phx_reply",{"status":"error","response":${response}}]`;
}

describe("The limits of a channel", () => {
  it("refuse messages of one connection on one topic beyond them", () => {
    const world = makeWorld({ messages: { limit: 1, perMs: 1_000 } });
    const client = world.joined(["room:1", "room:2"]);
    assert.deepEqual(client.asked(ECHO, ECHO), [
      '["11","2","room:1","phx_reply",{"status":"ok","response":{}}]',
      limited("room:1", "2", 1_000),
    ]);
    assert.deepEqual(client.asked('["12","3","room:2","echo",{}]'), [
      '["12","3","room:2","phx_reply",{"status":"ok","response":{}}]',
    ]);
    assert.deepEqual(world.limited, { refused: 1, ignored: 0, connects: 0 });
  });

  it("do not refuse messages that are within them", () => {
    const world = makeWorld({ messages: { limit: 10, perMs: 1_000, burst: 1 } });
    const client = world.joined();
    for (let count = 0; count < 20; count += 1) {
      assert.equal(client.asked(ECHO).length, 1);
      world.nowMs += 100;
    }
    assert.equal(world.limited.refused, 0);
  });

  it("count the bytes of frames", () => {
    const world = makeWorld({ bytes: { limit: 1_000, perMs: 1_000, burst: ECHO.length } });
    const client = world.joined();
    assert.equal(client.asked(ECHO).length, 1);
    assert.deepEqual(client.asked(ECHO), [limited("room:1", "2", ECHO.length)]);
  });

  it("count the bytes of JSON in binary frames, which version 1 allows", () => {
    const frame = '{"topic":"room:1","event":"echo","payload":{},"ref":"2"}';
    const world = makeWorld({ bytes: { limit: 1_000, perMs: 1_000, burst: frame.length } });
    const client = world.connect({ vsn: "1.0.0" });
    client.asked('{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}');
    const hex = Buffer.from(frame).toString("hex");
    client.sendHex(hex, hex);
    const [accepted, refused] = client.taken();
    assert.match(accepted ?? "", /"status":"ok"/);
    assert.match(refused ?? "", /"reason":"rate_limited"/);
  });

  it("refuse joins of a definition, over all topics of a connection", () => {
    const world = makeWorld({ joins: { limit: 2, perMs: 2_000 } });
    const client = world.joined(["room:1", "room:2"]);
    assert.deepEqual(client.asked('["13","3","room:3","phx_join",{}]'), [
      limited("room:3", "3", 1_000, "13"),
    ]);
    const [free] = client.asked('["14","4","free:1","phx_join",{}]');
    assert.equal(free, `["14","4","free:1",${JOINED}`);
    assert.equal(world.connect().asked('["15","5","room:1","phx_join",{}]').length, 1);
    assert.equal(world.count, 4);
  });

  it("leave the channel as it is if a rejoin is refused", () => {
    const world = makeWorld({ joins: { limit: 1, perMs: 1_000 } });
    const client = world.joined();
    assert.deepEqual(client.asked('["12","3","room:1","phx_join",{}]'), [
      limited("room:1", "3", 1_000, "12"),
    ]);
    assert.equal(client.asked(ECHO).length, 1);
    world.nowMs += 1_000;
    assert.deepEqual(client.asked('["13","4","room:1","phx_join",{}]'), [
      `["13","4","room:1",${JOINED}`,
      '["11","11","room:1","phx_close",{}]',
    ]);
  });

  it("also count the bytes of messages that waited behind the join", async () => {
    const gate = new Deferred();
    const slow = channel({
      limits: { bytes: { limit: 1_000, perMs: 1_000, burst: ECHO.length } },
      join: () => gate.promise as never,
      handleIn: { echo: (_, payload) => ok(payload) },
    });
    const client = new World({ channels: { "room:*": slow } }).connect();
    client.send('["11","1","room:1","phx_join",{}]', ECHO, ECHO);
    gate.resolve(ok());
    await turn();
    assert.deepEqual(client.taken(), [
      `["11","1","room:1",${JOINED}`,
      `["11","2","room:1",${JOINED}`,
      limited("room:1", "2", ECHO.length),
    ]);
  });

  it("refuse an event beyond its own rate, and no other event", () => {
    const world = new World({
      channels: {
        "room:*": defineChannel(socket, {
          join: () => ok(),
          in: {
            say: { rate: { limit: 1, perMs: 1_000 } },
            draw: { rate: { limit: 2, perMs: 500 } },
          },
          handleIn: { say: () => ok(), draw: () => ok(), free: () => ok() },
        }),
      },
    });
    const client = world.joined(["room:1", "room:2"]);
    const send = (event: string, topic = "room:1", joinRef = "11"): string[] =>
      client.asked(`["${joinRef}","2","${topic}","${event}",{}]`);
    const passed = [`["11","2","room:1",${JOINED}`];
    assert.deepEqual(send("say"), passed);
    assert.deepEqual(send("say"), [limited("room:1", "2", 1_000)]);
    assert.deepEqual(send("say", "room:2", "12"), [`["12","2","room:2",${JOINED}`]);
    assert.deepEqual([send("draw"), send("draw")], [passed, passed]);
    assert.deepEqual(send("draw"), [limited("room:1", "2", 250)]);
    for (let count = 0; count < 9; count += 1) assert.deepEqual(send("free"), passed);
    world.nowMs += 1_000;
    assert.deepEqual(send("say"), passed);
  });

  it("are reported 100 times at once; further messages are dropped", () => {
    const world = makeWorld({ messages: { limit: 1, perMs: 60_000 } });
    const client = world.joined();
    assert.equal(client.asked(...Array.from({ length: 150 }, () => ECHO)).length, 101);
    assert.deepEqual(world.limited, { refused: 149, ignored: 49, connects: 0 });
  });

  it("add no field to a channel before they apply to it", () => {
    const [unlimited] = new World({ channels: { "room:*": channel() } })
      .joined()
      .socket.allChannels();
    assert.ok(unlimited);
    assert.equal(Object.hasOwn(unlimited, "buckets"), false);
  });

  it("are checked when they are defined", () => {
    assert.throws(() => channel({ limits: { connects: {} } as never }), {
      code: "SIM_ERR_DEFINITION_INVALID",
      message: "limits may only have the keys messages, bytes, joins, got connects",
    });
    const handleIn = { say: () => ok() };
    assert.throws(
      () =>
        defineChannel(socket, {
          join: () => ok(),
          in: { say: { rate: { limit: 0, perMs: 1 } } },
          handleIn,
        }),
      {
        code: "SIM_ERR_DEFINITION_INVALID",
        message:
          "limit of rate of in.say must be an integer from 1 to 1000000000 (per perMs), got 0",
      },
    );
  });
});
