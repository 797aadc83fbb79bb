/**
 * Valid and invalid definitions of a presence, its options compared with the server's, and the inferred
 * types.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { defineEndpoint, definePresence, type PresenceCallbacks } from "../../src/index.ts";
import type { Presences } from "../../src/raw.ts";
import { settingsOf, type PresenceOptions } from "../../src/presence/definition.ts";
import { isPresence } from "../../src/presence/presence.ts";
import { smallOptions } from "../support/options.ts";

function define(callbacks: object): () => void {
  return () =>
    definePresence(callbacks as PresenceCallbacks<Record<string, unknown>, Presences, undefined>);
}

/** Defines an endpoint with these presences. */
function endpointOf(...all: unknown[]): () => void {
  return () => defineEndpoint({ sockets: {}, presences: all as never });
}

function settings(given: PresenceOptions, server = {}): ReturnType<typeof settingsOf> {
  return settingsOf("p", given, smallOptions(server));
}

describe("A presence is defined", () => {
  it("without any arguments, and is called presence", () => {
    assert.equal(definePresence().name, "presence");
    assert.ok(isPresence(definePresence({ name: "rooms" })));
  });

  it("with known keys, functions as callbacks, and a short name of few kinds of characters", () => {
    const invalid = { code: "SIM_ERR_DEFINITION_INVALID" };
    assert.throws(define({ feth: () => ({}) }), {
      ...invalid,
      message: /got feth; did you mean fetch\?$/,
    });
    assert.throws(define({ fetch: 1 }), {
      ...invalid,
      message: /fetch .* must be a function, got number/,
    });
    assert.throws(define({ name: "a:b" }), {
      ...invalid,
      message: /name of a presence .* got "a:b"/,
    });
    assert.throws(define({ name: "" }), invalid);
    assert.throws(define({ name: 7 }), invalid);
    assert.throws(define({ handleMetas: () => {} }), { ...invalid, message: /must have init/ });
    assert.throws(define({ keys: "all" }), { ...invalid, message: /must be "any"/ });
    assert.throws(define({ permdownOnShutdown: 1 }), invalid);
  });

  it("with limits within the ranges of the server's options", () => {
    assert.throws(define({ broadcastPeriodMs: 1 }), {
      code: "SIM_ERR_OPTION_INVALID",
      message:
        "broadcastPeriodMs of presence presence must be an integer from 20 to 3600000 (ms), got 1",
    });
    assert.throws(define({ maxBytes: 32_769 }), { code: "SIM_ERR_OPTION_INVALID" });
  });

  it("under a name that is unique in its endpoint, which accepts only presences", () => {
    const invalid = { code: "SIM_ERR_DEFINITION_INVALID" };
    endpointOf(definePresence(), definePresence({ name: "rooms" }))();
    assert.throws(endpointOf(definePresence(), definePresence()), {
      ...invalid,
      message: /"presence" twice/,
    });
    assert.throws(endpointOf({ name: "presence" }), {
      ...invalid,
      message: /must be made by definePresence/,
    });
    assert.throws(() => defineEndpoint({ sockets: {}, presences: {} as never }), invalid);
  });
});

describe("The options of a presence", () => {
  it("are the server's, unless it has its own", () => {
    const { broadcastPeriodMs, downPeriodMs, permdownPeriodMs, maxDeltaSize } = settings({});
    assert.deepEqual(
      [broadcastPeriodMs, downPeriodMs, permdownPeriodMs, maxDeltaSize],
      [1_500, 30_000, 1_200_000, 10_000],
    );
    assert.equal(settings({ maxDeltaSize: 7 }).maxDeltaSize, 7);
    assert.equal(settings({}, { presencePeriodMs: 2_000 }).downPeriodMs, 40_000);
  });

  it("derive the down period from the silence if the presence sets that itself", () => {
    assert.equal(settings({ broadcastPeriodMs: 100 }).downPeriodMs, 2_000);
    assert.equal(settings({ maxSilentPeriods: 2 }).downPeriodMs, 6_000);
    // Its heartbeats are two periods apart, and any of them may be late.
    assert.equal(settings({ maxSilentPeriods: 1 }).downPeriodMs, 4_500);
    assert.equal(settings({ broadcastPeriodMs: 100, downPeriodMs: 500 }).downPeriodMs, 500);
  });

  it("must leave a replica time to send", () => {
    const unfit = { code: "SIM_ERR_OPTION_INVALID" };
    assert.equal(settings({ downPeriodMs: 3_000 }).downPeriodMs, 3_000);
    assert.throws(() => settings({ downPeriodMs: 2_999 }), {
      ...unfit,
      message:
        "downPeriodMs of presence p must be at least twice broadcastPeriodMs (1500 ms), got 2999 (ms)",
    });
    assert.throws(() => settings({ permdownPeriodMs: 30_000 }), {
      ...unfit,
      message:
        "permdownPeriodMs of presence p must be more than downPeriodMs (30000 ms), got 30000 (ms)",
    });
  });
});

/** Never run. Shows what compiles, and what does not. */
export function typesOf(): void {
  const socket = { topic: "t", context: {} };
  const plain = definePresence<{ device: string }>();
  plain.track(socket, "ann", { device: "phone" });
  plain.track(socket, "users", "ann", { device: "phone" });
  // @ts-expect-error a meta of another form
  plain.track(socket, "ann", { device: 1 });
  plain.update(socket, "ann", ({ device, phx_ref: ref }) => ({ device: device + ref }));
  const device: string | undefined = plain.list(socket)["ann"]?.metas[0]?.device;
  const ref: string | undefined = plain.getByKey(socket, "ann")?.metas[0]?.phx_ref;

  const slow = definePresence({
    async fetch(_topic, presences) {
      for (const entry of Object.values(presences)) entry["user"] = "from a database";
      return presences;
    },
  });
  const listed: Promise<Presences> = slow.list(socket);
  // @ts-expect-error it is a promise
  void slow.list(socket)["ann"];
  void [device, ref, listed];

  definePresence({
    init: () => ({ count: 0 }),
    handleMetas: (_topic, { joins }, metas, state) => ({
      count: state.count + Object.keys(joins).length + (metas["ann"]?.length ?? 0),
    }),
  });
}
