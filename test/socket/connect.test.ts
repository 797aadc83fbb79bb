import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";

import { error, ok, reply, stop } from "../../src/callbacks/results.ts";
import { Logger } from "../../src/log/logger.ts";
import { jsonV1 } from "../../src/protocol/json-v1.ts";
import { jsonV2 } from "../../src/protocol/json-v2.ts";
import { DEFAULT_SERIALIZERS } from "../../src/protocol/version.ts";
import { PendingConnects } from "../../src/socket/pending-connects.ts";
import { ChannelRouter } from "../../src/socket/channel-router.ts";
import { decide } from "../../src/socket/connect.ts";
import type { ConnectCall, Decision } from "../../src/socket/connect.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import type { SocketCallbacks } from "../../src/socket/definition.ts";
import { within } from "../support/deadline.ts";
import { CONTEXT, Deferred, turn } from "../support/world.ts";

const INFO = {
  peerData: { address: "127.0.0.1" },
  userAgent: null,
};

interface Outcome {
  readonly decision: Decision;
  /** Lines of the log, each with its text, level and fields. */
  readonly log: readonly string[];
  readonly levels: readonly string[];
  readonly fields: readonly object[];
  readonly call: ConnectCall;
}

/** Runs `decide` with these callbacks. */
async function decided(
  callbacks: Partial<SocketCallbacks<object>>,
  params: ConnectCall["params"] = { vsn: "2.0.0" },
  timeoutMs = 10_000,
): Promise<Outcome> {
  const log: string[] = [];
  const levels: string[] = [];
  const fields: object[] = [];
  const at =
    (level: string) =>
    (given: object, text: string): void => {
      log.push(text);
      levels.push(level);
      fields.push(given);
    };
  const call = {
    mount: {
      path: "/socket",
      definition: defineSocket<object>({ connect: () => ok({}), ...callbacks }),
      router: new ChannelRouter({}),
      handlerTimeoutMs: timeoutMs,
      maxChannels: 1,
      limiter: undefined,
    },
    serializers: DEFAULT_SERIALIZERS,
    transport: "websocket",
    params,
    connectInfo: INFO,
    peerAddress: null,
    context: CONTEXT,
    pending: new PendingConnects(1),
  };
  const sink = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  const logger = new Logger("debug", sink);
  return { decision: await decide(call, logger), log, levels, fields, call };
}

function userTopic({ assigns }: { readonly assigns: object }): string {
  return `users:${String((assigns as { userId: number }).userId)}`;
}

function refused(callbacks: object, message: string): void {
  assert.throws(() => defineSocket(callbacks as never), {
    code: "SIM_ERR_DEFINITION_INVALID",
    message,
  });
}

/** Results of connect, synchronous and asynchronous. */
function bothWays(result: unknown): (() => never)[] {
  return [(): never => result as never, (): never => Promise.resolve(result) as never];
}

describe("a request to connect", () => {
  it("is accepted with assigns, id and the serializer of its version", async () => {
    for (const [vsn, serializer] of [
      ["2.0.7", jsonV2],
      ["1.0.0", jsonV1],
      [undefined, jsonV1],
    ] as const) {
      for (const connect of bothWays(ok({ userId: 7 }))) {
        const { decision, log, call } = await decided({ connect, id: userTopic }, { vsn });
        assert.deepEqual(decision, {
          result: "ok",
          identity: {
            mount: call.mount,
            serializer,
            assigns: { userId: 7 },
            id: "users:7",
            address: null,
          },
        });
        assert.ok(decision.result === "ok" && Object.isFrozen(decision.identity.assigns));
        assert.deepEqual(log, ["CONNECTED TO"]);
      }
    }
  });

  it("passes parameters, connect info and context to connect", async () => {
    let seen: unknown;
    const params = { vsn: "2.0.0", token: "t", nested: { a: "1" } } as never;
    await decided(
      {
        connect: (request) => {
          seen = request;
          return ok({});
        },
      },
      params,
    );
    const context = { name: "context" };
    assert.deepEqual(seen, { params, connectInfo: INFO, context, transport: "websocket" });
  });

  it("has no id if none is defined, or if it is null", async () => {
    for (const callbacks of [{}, { id: (): null => null }]) {
      const { decision } = await decided(callbacks);
      assert.ok(decision.result === "ok");
      assert.equal(decision.identity.id, null);
    }
  });

  it("has empty assigns, one object for all, if it was accepted without any or with an invalid value", async () => {
    const seen = new Set<object>();
    for (const result of [ok(), ok({}), ok(null), ok(7), ok("x")]) {
      const { decision } = await decided({ connect: () => result as never });
      assert.ok(decision.result === "ok");
      assert.ok("assigns" in decision.identity);
      assert.deepEqual(decision.identity.assigns, {});
      seen.add(decision.identity.assigns);
    }
    assert.equal(seen.size, 1);
  });

  it("keeps assigns that are not a plain object, or have symbols as keys", async () => {
    for (const assigns of [new Map(), { [Symbol("who")]: 1 }]) {
      const { decision } = await decided({ connect: () => ok(assigns) });
      assert.ok(decision.result === "ok" && "assigns" in decision.identity);
      assert.equal(decision.identity.assigns, assigns);
    }
  });

  it("is refused with the reason from connect", async () => {
    for (const [result, reason] of [
      [error(), undefined],
      [error({}), {}],
      [error({ reason: "who?" }), { reason: "who?" }],
      [error("no"), "no"],
    ] as const) {
      for (const connect of bothWays(result)) {
        const { decision, log } = await decided({ connect });
        assert.deepEqual(decision, { result: "refused", reason });
        assert.deepEqual(log, ["REFUSED CONNECTION TO"]);
      }
    }
  });

  it("is refused if connect returns anything else, which is logged as an error", async () => {
    for (const result of [
      undefined,
      null,
      true,
      {},
      { status: "ok" },
      reply("maybe"),
      stop("normal"),
    ]) {
      for (const connect of bothWays(result)) {
        const { decision, log } = await decided({ connect });
        assert.deepEqual(decision, { result: "refused", reason: undefined });
        assert.equal(log[0], "connect or id returned an invalid result");
      }
    }
  });

  it("waits for a thenable like for a promise", async () => {
    // oxlint-disable-next-line unicorn/no-thenable
    const thenable = { then: (settle: (value: unknown) => void) => settle(ok({ n: 1 })) };
    const { decision } = await decided({ connect: () => thenable as never });
    assert.ok(decision.result === "ok");
    assert.ok("assigns" in decision.identity);
    assert.deepEqual(decision.identity.assigns, { n: 1 });
  });

  it("is refused if the id is neither a string nor null", async () => {
    for (const id of [undefined, 7, {}, true]) {
      const { decision, log } = await decided({ id: () => id as never });
      assert.deepEqual(decision, { result: "refused", reason: undefined });
      assert.equal(log[0], "connect or id returned an invalid result");
    }
  });

  it("fails if connect or id throws", async () => {
    const boom = new Error("boom");
    for (const callbacks of [
      {
        connect: (): never => {
          throw boom;
        },
      },
      { connect: (): never => Promise.reject(boom) as never },
      {
        id: (): never => {
          throw boom;
        },
      },
    ]) {
      const { decision, log } = await decided(callbacks);
      assert.deepEqual(decision, { result: "failed" });
      assert.deepEqual(log, ["connect threw or did not settle in time"]);
    }
  });

  it("fails if it does not settle in time, and its later result is ignored", async () => {
    const result = new Deferred<ReturnType<typeof ok<object>>>();
    const { decision, log } = await within(
      decided({ connect: () => result.promise }, undefined, 20),
      "the end of its time",
    );
    assert.deepEqual(decision, { result: "failed" });
    result.resolve(ok({}));
    await turn();
    assert.deepEqual(log, ["connect threw or did not settle in time"]);
  });

  it("may have an expiry, which is kept in the identity", async () => {
    const expiresAtMs = Date.now() + 60_000;
    const { decision } = await decided({ connect: () => ok({ user: "ann" }, { expiresAtMs }) });
    assert.ok(decision.result === "ok");
    assert.equal(decision.identity.expiresAtMs, expiresAtMs);
    const forEver = await decided({ connect: () => ok({}, { expiresAtMs: undefined }) });
    assert.ok(forEver.decision.result === "ok");
    assert.equal("expiresAtMs" in forEver.decision.identity, false);
  });

  it("is refused if it has expired already, and fails if its expiry is not a time", async () => {
    const past = await decided({ connect: () => ok({}, { expiresAtMs: Date.now() - 1 }) });
    assert.deepEqual(past.decision, { result: "refused", reason: { reason: "expired" } });
    const seconds = Math.floor(Date.now() / 1_000);
    const wrong = await decided({ connect: () => ok({}, { expiresAtMs: seconds }) });
    assert.deepEqual(wrong.decision, { result: "failed" });
    assert.deepEqual(wrong.log, ["connect threw or did not settle in time"]);
  });

  it("with an unknown version is refused before connect runs", async () => {
    let calls = 0;
    const connect = (): ReturnType<typeof ok<object>> => {
      calls += 1;
      return ok({});
    };
    for (const vsn of ["3.0.0", "2", "", ["2.0.0"]]) {
      const { decision, log } = await decided({ connect }, { vsn } as never);
      assert.deepEqual(decision, { result: "refused", reason: undefined });
      assert.deepEqual(log, ["the client's vsn matches no serializer"]);
    }
    assert.equal(calls, 0);
  });

  it("is published to telemetry with its result, unless its version is unknown", async () => {
    const results: unknown[] = [];
    const take = (event: unknown): void => {
      const { result, vsn, transport, durationMs } = event as Record<string, unknown>;
      assert.ok(typeof durationMs === "number");
      results.push([result, vsn, transport]);
    };
    subscribe("simurgh:socket_connected", take);
    await decided({});
    await decided({ connect: () => error() }, {});
    await decided({}, { vsn: "9.9.9" });
    unsubscribe("simurgh:socket_connected", take);
    assert.deepEqual(results, [
      ["ok", "2.0.0", "websocket"],
      ["error", "1.0.0", "websocket"],
    ]);
  });
});

describe("the log of connections", () => {
  it("is written at the socket's level, with parameters but without secrets", async () => {
    const params = { vsn: "2.0.0", token: "abc", user: "ann" };
    const { log, fields } = await decided({}, params);
    assert.deepEqual(log, ["CONNECTED TO"]);
    const { durationMs, ...rest } = fields[0] as Record<string, unknown>;
    assert.ok(typeof durationMs === "number");
    assert.deepEqual(rest, {
      path: "/socket",
      transport: "websocket",
      vsn: "2.0.0",
      id: null,
      params: { ...params, token: "[FILTERED]" },
    });
    assert.deepEqual((await decided({ log: "warn" })).levels, ["warn"]);
    assert.deepEqual((await decided({ log: false })).log, []);
    assert.deepEqual((await decided({ log: false, connect: () => error() })).log, []);
  });

  it("names the id of a connection, and the reason of a refusal", async () => {
    const accepted = await decided({ connect: () => ok({ userId: 7 }), id: userTopic });
    assert.equal((accepted.fields[0] as Record<string, unknown>)["id"], "users:7");
    const refusal = await decided({ connect: () => error({ reason: "who?" }) });
    assert.deepEqual((refusal.fields[0] as Record<string, unknown>)["reason"], { reason: "who?" });
  });
});

describe("a socket's definition", () => {
  it("requires connect, and a valid value for joins", () => {
    refused({}, "connect must be a function, got undefined");
    refused({ connect: () => ok(), joins: "x" }, 'joins must be "async" or "serial", got "x"');
    const policies = 'slowClients must be "close" or "error", got "drop"';
    refused({ connect: () => ok(), slowClients: "drop" }, policies);
    refused({ connect: () => ok(), id: "users" }, "id must be a function, got string");
    const handleControl = "handleControl must be a function, got number";
    refused({ connect: () => ok(), handleControl: 7 }, handleControl);
    const levels = 'log must be "debug", "info", "warn", "error" or false, got "silent"';
    refused({ connect: () => ok(), log: "silent" }, levels);
  });

  it("has joins that do not wait for each other, unless it is serial", () => {
    assert.equal(defineSocket({ connect: () => ok() }).isSerial, false);
    assert.equal(defineSocket({ connect: () => ok(), joins: "serial" }).isSerial, true);
    assert.equal(defineSocket({ connect: () => ok() }).slowClients, "close");
    assert.equal(defineSocket({ connect: () => ok(), slowClients: "error" }).slowClients, "error");
  });
});
