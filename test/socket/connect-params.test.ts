import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { z } from "zod";

import { error, ok } from "../../src/callbacks/results.ts";
import type { ShardContext } from "../../src/channel/context.ts";
import { typed } from "../../src/channel/schemas/typed.ts";
import { decide, type ConnectCall } from "../../src/socket/connect.ts";
import { PendingConnects } from "../../src/socket/pending-connects.ts";
import { ChannelRouter } from "../../src/socket/channel-router.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import { defineRawSocket } from "../../src/socket/raw-definition.ts";
import { Logger } from "../../src/log/logger.ts";
import { DEFAULT_SERIALIZERS } from "../../src/protocol/version.ts";

const QUIET = new Logger("silent");
const PAGE = z.object({ page: z.coerce.number().int(), vsn: z.string() });

function call(
  mount: Pick<ConnectCall, "mount">["mount"],
  params: ConnectCall["params"],
): ConnectCall {
  return {
    mount,
    serializers: DEFAULT_SERIALIZERS,
    transport: "websocket",
    params,
    connectInfo: {},
    peerAddress: null,
    context: {} as ShardContext,
    pending: new PendingConnects(1),
  };
}

function mountOf(definition: ReturnType<typeof defineSocket>): ConnectCall["mount"] {
  return {
    path: "/socket",
    definition,
    router: new ChannelRouter({}),
    handlerTimeoutMs: 1_000,
    maxChannels: 1,
    limiter: undefined,
  };
}

describe("parameters of a connection, with a schema", () => {
  it("reach connect as the output of the schema", async () => {
    const socket = defineSocket({
      params: PAGE,
      connect: ({ params }) => ok({ next: params.page + 1 }),
    });
    const decision = await decide(call(mountOf(socket), { page: "4", vsn: "2.0.0" }), QUIET);
    assert.equal(decision.result, "ok");
    const { identity } = decision as { identity: { assigns: object } };
    assert.deepEqual(identity.assigns, { next: 5 });
  });

  it("that do not match are refused with the issues, and connect does not run", async () => {
    const socket = defineSocket({ params: PAGE, connect: () => assert.fail("ran") });
    const decision = await decide(call(mountOf(socket), { page: "x", vsn: "2.0.0" }), QUIET);
    assert.equal(decision.result, "refused");
    const { reason } = decision as { reason: { reason: string; issues: { path: unknown }[] } };
    assert.equal(reason.reason, "invalid_params");
    assert.deepEqual(
      reason.issues.map(({ path }) => path),
      [["page"]],
    );
  });

  it("may be checked asynchronously", async () => {
    const socket = defineSocket({
      params: z.object({
        name: z.string().refine(async (name) => Promise.resolve(name !== "bob")),
      }),
      connect: ({ params }) => (params.name === "ann" ? ok({}) : error({ reason: "who?" })),
    });
    const results = await Promise.all(
      ["ann", "bob", "cid"].map(async (name) => {
        const decision = await decide(call(mountOf(socket), { name, vsn: "2.0.0" }), QUIET);
        return decision.result === "refused"
          ? (decision.reason as { reason: string }).reason
          : decision.result;
      }),
    );
    assert.deepEqual(results, ["ok", "invalid_params", "who?"]);
  });

  it("are checked for raw sockets too", async () => {
    const socket = defineRawSocket({
      params: z.object({ page: z.string() }),
      connect: ({ params }) => ok({ page: params.page }),
      handleIn: () => {},
    });
    const mount = { path: "/raw", definition: socket, handlerTimeoutMs: 1_000 };
    assert.equal((await decide(call(mount, {}), QUIET)).result, "refused");
    assert.equal((await decide(call(mount, { page: "1" }), QUIET)).result, "ok");
  });

  it("are not checked if only their type is declared", async () => {
    const socket = defineSocket({
      params: typed<{ page: string }>(),
      connect: ({ params }) => ok({ page: params.page }),
    });
    assert.equal((await decide(call(mountOf(socket), { vsn: "2.0.0" }), QUIET)).result, "ok");
  });

  it("must have a valid schema", () => {
    assert.throws(() => defineSocket({ params: {} as never, connect: () => ok({}) }), {
      code: "SIM_ERR_DEFINITION_INVALID",
      message: "params must be a Standard Schema or typed(), got object",
    });
  });
});
