/**
 * Connections that expire: what connect returns, what channels are told, and renewals.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";

import { expiryOf } from "../../src/callbacks/expiry.ts";
import { error, ok, stop } from "../../src/callbacks/results.ts";
import type { ChannelSocket } from "../../src/channel/channel-socket.ts";
import { defineRawChannel } from "../../src/channel/raw-definition.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import { channel, Deferred, turn, World } from "../support/world.ts";

type Socket = ChannelSocket<Record<string, unknown>>;

const START_MS = 1_800_000_000_000;
const JOIN = (topic: string): string => JSON.stringify(["11", "1", topic, "phx_join", {}]);

function invalid(message: RegExp): object {
  return { code: "SIM_ERR_OPTION_INVALID", message };
}

/** A world whose channels report what they are told, and renew their connection when asked. */
function makeWorld(ends: unknown[] = []): World {
  const room = channel({
    handleIn: {
      renew(socket, payload) {
        const { user, expiresAtMs } = payload as { user: string; expiresAtMs: number | undefined };
        return ok({ renewed: socket.renew({ user }, { expiresAtMs }) });
      },
      who: (socket: Socket) => ok({ user: socket.assigns["user"], until: socket.expiresAtMs }),
      crash: () => stop("crash"),
    },
    expiring: (socket, leftMs) => socket.push("expiring", { leftMs }),
    terminate: (_socket, reason) => void ends.push(reason),
  });
  const quiet = channel({});
  return new World({
    channels: { "room:*": room, "quiet:*": quiet },
    id: ({ assigns }) => `users:${(assigns as { readonly user?: string }).user}`,
  });
}

function asked(event: string, payload: object = {}, ref = "2"): string {
  return JSON.stringify(["11", ref, "room:1", event, payload]);
}

const ann = { assigns: { user: "ann" }, id: "users:ann", expiresAtMs: START_MS + 300_000 };

describe("an expiry", () => {
  it("is in milliseconds since 1970, undefined or Infinity for never; anything else is an error", () => {
    assert.equal(expiryOf({ expiresAtMs: START_MS }), START_MS);
    assert.equal(expiryOf({ expiresAtMs: START_MS + 0.5 }), START_MS + 0.5);
    assert.equal(expiryOf({ expiresAtMs: undefined }), undefined);
    assert.equal(expiryOf({ expiresAtMs: Infinity }), undefined);
    const wrong: readonly [unknown, RegExp][] = [
      [1_800_000_000, /got 1800000000, which looks like seconds: multiply by 1000/],
      [Number.NaN, /expiresAtMs must be a number, .* \(ms since 1970\), got NaN/],
      [3_600, /must be a time \(ms since 1970\), got 3600$/],
      [-Infinity, /got -Infinity/],
      [1.8e18, /must be at most 8640000000000000, or Infinity .* got 1800000000000000000/],
      ["2027-01-01", /got string/],
      [null, /got null/],
      [new Date(), /got object/],
    ];
    for (const [expiresAtMs, message] of wrong) {
      assert.throws(() => ok({}, { expiresAtMs: expiresAtMs as number }), invalid(message));
    }
    // With a misspelt name, the connection would never expire.
    assert.throws(
      () => ok({}, { expiresAt: START_MS } as never),
      invalid(/must have expiresAtMs, got \{ expiresAt \}/),
    );
  });

  it("has a warning time that is checked", () => {
    for (const expiringMs of [-1, Number.NaN, 86_400_001, "1m"]) {
      const callbacks = { connect: () => error(), expiringMs: expiringMs as number };
      assert.throws(() => defineSocket(callbacks), {
        code: "SIM_ERR_DEFINITION_INVALID",
        message: /expiringMs must be a number from 0 to 86400000 \(ms\), got/,
      });
    }
  });
});

describe("a connection that expires", () => {
  it("warns its channels before, and is closed with 3000, without a frame on any of them", () => {
    const ends: unknown[] = [];
    const world = makeWorld(ends);
    const client = world.joined(["room:1", "quiet:1"], ann);
    world.clockTo(START_MS + 240_000);
    assert.deepEqual(client.taken(), ['["11",null,"room:1","expiring",{"leftMs":60000}]']);
    world.clockTo(START_MS + 299_999);
    assert.deepEqual(client.taken(), []);
    world.clockTo(START_MS + 300_000);
    assert.deepEqual([client.taken(), client.connection.closeCode], [[], 3000]);
    assert.deepEqual(ends, [{ shutdown: "expired" }]);
    assert.deepEqual(world.troubles(), ["EXPIRED CONNECTION TO"]);
    assert.equal(world.expiries.size, 0);
  });

  it("is not in the book if it does not expire, or has ended", () => {
    const world = makeWorld();
    const { assigns, id } = ann;
    const client = world.joined(["room:1"], { assigns, id });
    assert.deepEqual(client.asked(asked("who")), [
      '["11","2","room:1","phx_reply",{"status":"ok","response":{"user":"ann"}}]',
    ]);
    assert.equal(world.expiries.size, 0);
    world.connect(ann).connection.close(1001);
    assert.equal(world.expiries.size, 0);
    world.clockTo(START_MS + 1_000_000);
    assert.equal(client.connection.closeCode, undefined);
  });

  it("lasts longer if a channel renews it, and later channels have its new assigns", () => {
    const world = makeWorld();
    const { id } = ann;
    const client = world.joined(["room:1"], { ...ann, assigns: { user: "ann", role: "guest" } });
    const until = START_MS + 900_000;
    assert.deepEqual(client.asked(asked("renew", { user: "ann", expiresAtMs: until })), [
      '["11","2","room:1","phx_reply",{"status":"ok","response":{"renewed":true}}]',
    ]);
    assert.deepEqual(client.socket.assigns, { user: "ann" });
    assert.equal(client.socket.id, id);
    client.asked(JOIN("room:2"));
    const both = client.socket.allChannels().map(({ topic, assigns }) => [topic, assigns]);
    assert.deepEqual(both, [
      ["room:1", { user: "ann", role: "guest" }],
      ["room:2", { user: "ann" }],
    ]);
    world.clockTo(START_MS + 300_000);
    assert.deepEqual([client.taken(), client.connection.closeCode], [[], undefined]);
    world.clockTo(START_MS + 840_000);
    assert.equal(client.taken().length, 2);
    world.clockTo(until);
    assert.equal(client.connection.closeCode, 3000);
  });

  it("is not renewed for a different id", () => {
    const world = makeWorld();
    const client = world.joined(["room:1"], ann);
    assert.deepEqual(
      client.asked(asked("renew", { user: "bob", expiresAtMs: START_MS + 900_000 })),
      ['["11","2","room:1","phx_reply",{"status":"ok","response":{"renewed":false}}]'],
    );
    assert.deepEqual(client.asked(asked("who")), [
      `["11","2","room:1","phx_reply",{"status":"ok","response":{"user":"ann","until":${START_MS + 300_000}}}]`,
    ]);
    world.clockTo(START_MS + 300_000);
    assert.equal(client.connection.closeCode, 3000);
  });

  it("does not expire if renewed forever, and ends at the next sweep if renewed into the past", () => {
    const world = makeWorld();
    const [forEver, past] = [world.joined(["room:1"], ann), world.joined(["room:1"], ann)];
    forEver.asked(asked("renew", { user: "ann" }));
    past.asked(asked("renew", { user: "ann", expiresAtMs: START_MS - 1 }));
    assert.equal(past.connection.closeCode, undefined);
    world.clockTo(START_MS + 1);
    assert.equal(past.connection.closeCode, 3000);
    world.clockTo(START_MS + 10_000_000);
    assert.equal(forEver.connection.closeCode, undefined);
  });

  it("loses only the channel that renews it with a time in seconds", () => {
    const world = makeWorld();
    const client = world.joined(["room:1"], ann);
    assert.deepEqual(client.asked(asked("renew", { user: "ann", expiresAtMs: 1_800_000_900 })), [
      '["11","11","room:1","phx_error",{"reason":"channel_crash"}]',
    ]);
    assert.match(world.lastError(), /looks like seconds/);
    assert.equal(client.socket.expiresAtMs, START_MS + 300_000);
  });

  it("is not renewed once it is gone", async () => {
    let kept: Socket | undefined;
    const room = channel({ join: (socket) => ((kept = socket), ok()) });
    const world = new World({ channels: { "room:*": room }, id: () => "users:ann" });
    const client = world.joined(["room:1"], ann);
    client.connection.close(1001);
    await turn();
    assert.equal(kept?.renew({}, { expiresAtMs: START_MS + 900_000 }), false);
    assert.deepEqual([kept?.expiresAtMs, world.expiries.size], [undefined, 0]);
  });

  it("warns raw channels too, which may renew it", () => {
    const raw = defineRawChannel<object, object>(
      {},
      {
        start(socket) {
          socket.accept();
          return {
            receive() {},
            expiring: (leftMs) => {
              const expiresAtMs = START_MS + 900_000;
              socket.push("renewed", { leftMs, renewed: socket.renew({}, { expiresAtMs }) });
            },
          };
        },
      },
    );
    const world = new World({ channels: { "room:*": raw }, id: () => "users:ann" });
    const client = world.joined(["room:1"], ann);
    world.clockTo(START_MS + 240_000);
    assert.deepEqual(client.taken(), [
      '["11",null,"room:1","renewed",{"leftMs":60000,"renewed":true}]',
    ]);
    assert.equal(client.socket.expiresAtMs, START_MS + 900_000);
  });

  it("warns a channel after everything that waits for it, even if its mailbox is full", async () => {
    const gate = new Deferred<void>();
    const room = channel({
      handleIn: {
        slow: async () => gate.promise,
        echo: () => ok(),
      },
      expiring: (socket) => socket.push("expiring", {}),
    });
    const world = new World({ channels: { "room:*": room }, maxMailbox: 1 });
    const client = world.joined(["room:1"], ann);
    client.send(asked("slow"), asked("echo", {}, "3"));
    world.clockTo(START_MS + 240_000);
    assert.deepEqual(client.taken(), []);
    gate.resolve();
    await turn();
    assert.deepEqual(client.taken(), [
      '["11","3","room:1","phx_reply",{"status":"ok","response":{}}]',
      '["11",null,"room:1","expiring",{}]',
    ]);
  });

  it("is published to telemetry", () => {
    const seen: unknown[] = [];
    const note = (event: unknown): void => void seen.push(event);
    subscribe("simurgh:socket_expired", note);
    const world = makeWorld();
    const client = world.joined(["room:1", "quiet:1"], ann);
    world.clockTo(START_MS + 300_400);
    unsubscribe("simurgh:socket_expired", note);
    const { id: connection } = client.connection;
    const { transport } = client.connection;
    const expected = { connection, id: "users:ann", transport, lateMs: 400, channels: 2 };
    assert.deepEqual(seen, [expected]);
  });
});
