import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";

import { ok } from "../../src/callbacks/results.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import type { SocketLimits } from "../../src/socket/limits.ts";
import { channel, World, type WorldClient } from "../support/world.ts";

const JOIN = '["11","1","room:1","phx_join",{}]';
const HEARTBEAT = '[null,"9","phoenix","heartbeat",{}]';
const ALIVE = '[null,"9","phoenix","phx_reply",{"status":"ok","response":{}}]';
/** Number of refusals answered in a burst; further messages count as flooding. */
const ANSWERS = 100;

const handled: unknown[] = [];
const room = channel({
  handleIn: {
    echo: (_, payload) => {
      handled.push(payload);
      return ok(payload);
    },
  },
});

function makeWorld(limits: SocketLimits): World {
  handled.length = 0;
  return new World({ channels: { "room:*": room }, limits });
}

function echo(ref: string, payload = "{}"): string {
  return `["11","${ref}","room:1","echo",${payload}]`;
}

function echoed(ref: string, payload = "{}"): string {
  return `["11","${ref}","room:1","phx_reply",{"status":"ok","response":${payload}}]`;
}

function limited(ref: string, retryAfterMs: number, joinRef = "11"): string {
  const response = `{"reason":"rate_limited","retry_after":${retryAfterMs}}`;
  return `["${joinRef}","${ref}","room:1","phx_reply",{"status":"error","response":${response}}]`;
}

/** Sends until the client is no longer answered. */
function flood(client: WorldClient): void {
  for (let count = 0; count <= ANSWERS; count += 1) client.send(echo("7"));
  client.taken();
}

function refused(limits: unknown, message: string): void {
  assert.throws(() => defineSocket({ connect: () => ok({}), limits: limits as SocketLimits }), {
    code: "SIM_ERR_DEFINITION_INVALID",
    message,
  });
}

describe("The limits of a socket", () => {
  it("refuse a message that exceeds them, which never reaches its handler", () => {
    const world = makeWorld({ messages: { limit: 2, perMs: 1_000 } });
    const client = world.joined();
    assert.deepEqual(client.asked(echo("2"), echo("3", '{"n":1}')), [
      echoed("2"),
      limited("3", 500),
    ]);
    assert.deepEqual(handled, [{}]);
    world.nowMs += 499;
    assert.deepEqual(client.asked(echo("4")), [limited("4", 1)]);
    world.nowMs += 1;
    assert.deepEqual(client.asked(echo("5")), [echoed("5")]);
    assert.deepEqual(world.limited, { refused: 2, ignored: 0, connects: 0 });
  });

  it("apply to each connection separately", () => {
    const world = makeWorld({ messages: { limit: 1, perMs: 1_000 } });
    world.joined();
    assert.deepEqual(world.connect().asked(JOIN), [
      '["11","1","room:1","phx_reply",{"status":"ok","response":{}}]',
    ]);
  });

  it("refuse a join that exceeds them, and the current channel goes on", () => {
    const world = makeWorld({ joins: { limit: 1, perMs: 60_000 } });
    const client = world.joined();
    assert.deepEqual(client.asked('["12","2","room:1","phx_join",{}]'), [
      limited("2", 60_000, "12"),
    ]);
    assert.deepEqual(client.asked(echo("3")), [echoed("3")]);
    assert.equal(world.count, 1);
  });

  it("count the bytes of whole frames, text and binary", () => {
    const world = makeWorld({ bytes: { limit: 1_000, perMs: 1_000, burst: 200 } });
    const client = world.joined();
    world.nowMs += 1_000;
    const euros = `{"b":"${"€".repeat(50)}"}`;
    assert.equal(Buffer.byteLength(echo("2", euros)), 185);
    assert.deepEqual(client.asked(echo("2", euros)), [echoed("2", euros)]);
    // echo("3") has 29 bytes, and 15 are left.
    assert.deepEqual(client.asked(echo("3")), [limited("3", 14)]);
    world.nowMs += 1_000;
    const head = "00 02 01 06 04 3131 34 726f6f6d3a31 6563686f";
    client.sendHex(`${head} ${"00".repeat(182)}`);
    client.taken();
    client.sendHex(`${head} 00`);
    // A header of 18 bytes and 182 more: none are left, and 19 are needed.
    assert.deepEqual(client.taken(), [limited("4", 19)]);
  });

  it("do not apply to heartbeats and leaves, which are free", () => {
    const world = makeWorld({ messages: { limit: 1, perMs: 60_000 } });
    const client = world.joined();
    flood(client);
    for (let count = 0; count < 50; count += 1) assert.deepEqual(client.asked(HEARTBEAT), [ALIVE]);
    assert.deepEqual(client.asked('["11","2","room:1","phx_leave",{}]'), [
      '["11","2","room:1","phx_reply",{"status":"ok","response":{}}]',
      '["11","11","room:1","phx_close",{}]',
    ]);
  });

  it("apply to heartbeats and leaves that are longer than necessary", () => {
    const world = makeWorld({ bytes: { limit: 600, perMs: 60_000 } });
    const client = world.joined();
    const heavy = `{"a":"${"x".repeat(300)}"}`;
    assert.deepEqual(client.asked(`[null,"9","phoenix","heartbeat",${heavy}]`), [ALIVE]);
    assert.match(client.asked(`[null,"9","phoenix","heartbeat",${heavy}]`).join(), /rate_limited/);
    assert.match(client.asked(`["11","2","room:1","phx_leave",${heavy}]`).join(), /rate_limited/);
    assert.equal(world.count, 1);
    assert.deepEqual(client.asked(HEARTBEAT), [ALIVE]);
  });

  it("drop messages without a ref without an answer", () => {
    const world = makeWorld({ messages: { limit: 1, perMs: 1_000 } });
    const client = world.joined();
    assert.deepEqual(client.asked('["11",null,"room:1","echo",{}]'), []);
    assert.deepEqual(handled, []);
    assert.deepEqual(world.limited, { refused: 1, ignored: 0, connects: 0 });
  });

  it("are reported 100 times at once and then 50 times a second; further messages are dropped", () => {
    const world = makeWorld({ messages: { limit: 1, perMs: 60_000 } });
    const client = world.joined();
    const burst = Array.from({ length: 150 }, () => echo("7"));
    assert.deepEqual(
      client.asked(...burst),
      Array.from({ length: 100 }, () => limited("7", 60_000)),
    );
    assert.deepEqual(world.limited, { refused: 150, ignored: 50, connects: 0 });
    world.nowMs += 1_000;
    assert.equal(client.asked(...burst).length, 50);
  });

  it("leave long frames of a flooding client undecoded, but not its heartbeats", () => {
    const world = makeWorld({ messages: { limit: 1, perMs: 60_000 } });
    const client = world.joined();
    flood(client);
    // It would close the connection if it were decoded.
    assert.deepEqual(client.asked("x".repeat(257)), []);
    assert.deepEqual(client.asked(HEARTBEAT), [ALIVE]);
    assert.equal(world.limited.ignored, 2);
  });

  it("decode a long frame of a flooding client once it is within its limits again", () => {
    const world = makeWorld({ messages: { limit: 1_000, perMs: 1_000, burst: 1 } });
    const client = world.joined();
    flood(client);
    world.nowMs += 1;
    const payload = `{"b":"${"x".repeat(300)}"}`;
    assert.deepEqual(client.asked(echo("2", payload)), [echoed("2", payload)]);
  });

  it("close the connection of a flooding client with 1008, if configured", () => {
    const world = makeWorld({ messages: { limit: 1, perMs: 60_000 }, flood: "close" });
    const client = world.joined();
    for (let count = 0; count < ANSWERS; count += 1) client.send(echo("7"));
    assert.equal(client.connection.isOpen, true);
    client.send(echo("8"));
    assert.equal(client.connection.isOpen, false);
    assert.equal(client.connection.closeCode, 1008);
  });

  it("apply to all connections of an id together, and to no others", () => {
    const world = makeWorld({ perId: { messages: { limit: 3, perMs: 3_000 } } });
    const ann = world.joined(["room:1"], { id: "users:ann" });
    const too = world.joined(["room:1"], { id: "users:ann" });
    const bob = world.joined(["room:1"], { id: "users:bob" });
    const nobody = world.joined(["room:1"]);
    assert.deepEqual(ann.asked(echo("2")), [echoed("2")]);
    assert.deepEqual(too.asked(echo("2")), [limited("2", 1_000)]);
    assert.deepEqual(ann.asked(echo("3")), [limited("3", 1_000)]);
    assert.deepEqual(bob.asked(echo("2"), echo("3"), echo("4")), [
      echoed("2"),
      echoed("3"),
      limited("4", 1_000),
    ]);
    for (let count = 0; count < 9; count += 1) {
      assert.deepEqual(nobody.asked(echo("5")), [echoed("5")]);
    }
  });

  it("apply to all connections from an address together", () => {
    const world = makeWorld({ perAddress: { joins: { limit: 2, perMs: 2_000 } } });
    const address = "192.0.2.1";
    world.joined(["room:1"], { address });
    world.joined(["room:1"], { address });
    const third = world.connect({ address });
    assert.deepEqual(third.asked(JOIN), [limited("1", 1_000)]);
    world.joined(["room:1"], { address: "192.0.2.2" });
    assert.equal(world.count, 3);
    world.nowMs += 1_000;
    assert.deepEqual(third.asked(JOIN), [
      '["11","1","room:1","phx_reply",{"status":"ok","response":{}}]',
    ]);
  });

  it("add no field to a connection before they apply to it", () => {
    const unlimited = new World({ channels: { "room:*": room } });
    const client = unlimited.joined();
    client.asked(echo("2"));
    assert.equal(Object.hasOwn(client.socket, "buckets"), false);
    const limitedClient = makeWorld({ messages: { limit: 5, perMs: 1_000 } }).connect();
    assert.equal(Object.hasOwn(limitedClient.socket, "buckets"), false);
    limitedClient.asked(JOIN);
    assert.equal(Object.hasOwn(limitedClient.socket, "buckets"), true);
  });

  it("publish refused messages, but not ignored ones", () => {
    const seen: unknown[] = [];
    const note = (message: unknown): void => void seen.push(message);
    subscribe("simurgh:rate_limited", note);
    const world = makeWorld({ messages: { limit: 1, perMs: 60_000 } });
    const client = world.joined(["room:1"], { id: "users:ann" });
    flood(client);
    unsubscribe("simurgh:rate_limited", note);
    assert.equal(seen.length, ANSWERS);
    assert.deepEqual(seen[0], {
      scope: "socket",
      counted: "messages",
      connection: 0,
      id: "users:ann",
      topic: "room:1",
      event: "echo",
      retryAfterMs: 60_000,
    });
  });

  it("are logged at once, and then at most every 10 s, with the number of refusals", () => {
    const world = makeWorld({ messages: { limit: 1, perMs: 60_000 } });
    const client = world.joined();
    const lines = (): unknown[] =>
      world.log
        .filter(({ text }) => text.startsWith("rate limit"))
        .map(({ fields }) => fields["count"]);
    client.send(...Array.from({ length: 150 }, () => echo("7")));
    assert.deepEqual(lines(), [1]);
    world.nowMs += 9_999;
    client.send(echo("8"));
    assert.deepEqual(lines(), [1]);
    world.nowMs += 1;
    client.send(echo("9"));
    assert.deepEqual(lines(), [1, 151]);
  });

  it("are checked when they are defined", () => {
    refused([], "limits must be an object, got array");
    refused(
      { message: { limit: 1, perMs: 1 } },
      "limits may only have the keys messages, bytes, joins, perId, perAddress, address, flood, got message; did you mean messages?",
    );
    refused({ joins: 5 }, "limits.joins must be { limit, perMs, burst? }, got number");
    refused(
      { perId: { leaves: {} } },
      "limits.perId may only have the keys messages, bytes, joins, connects, got leaves",
    );
    refused(
      { perAddress: { connects: { limit: 65, perMs: 1 } } },
      "limit of limits.perAddress.connects must be at most 64 × perMs (64), got 65",
    );
    refused({ address: "x-real-ip" }, "limits.address must be a function, got string");
    refused({ flood: "ban" }, 'limits.flood must be "ignore" or "close", got "ban"');
  });
});
