import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { defineChannel } from "../../src/channel/definition.ts";
import { ok } from "../../src/callbacks/results.ts";
import { verbatim } from "../../src/channel/verbatim.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import { channel, World } from "../support/world.ts";

const socket = defineSocket({ connect: () => ok({ userId: 1 }) });

function join(): ReturnType<typeof ok> {
  return ok();
}

function refused(callbacks: object, message: string): void {
  assert.throws(() => defineChannel(socket, callbacks as never), {
    code: "SIM_ERR_DEFINITION_INVALID",
    message,
  });
}

function timeOf(joinTimeoutMs?: number): unknown {
  const given = joinTimeoutMs === undefined ? {} : { joinTimeoutMs };
  return defineChannel(socket, { join, ...given }).joinTimeoutMs;
}

describe("a channel's definition", () => {
  it("has no handlers for events that have callbacks of their own", () => {
    for (const [event, callback] of [
      ["phx_join", "join"],
      ["phx_leave", "terminate"],
    ] as const) {
      assert.throws(() => channel({ handleIn: { [event]: () => {} } }), {
        code: "SIM_ERR_DEFINITION_INVALID",
        message: `handleIn must have no ${event}, which is handled by ${callback}`,
      });
    }
  });

  it("requires functions as callbacks, and names the one that is not a function", () => {
    refused({}, "join must be a function, got undefined");
    refused({ join: 1 }, "join must be a function, got number");
    refused({ join, handleIn: { e: 7 } }, "handleIn.e must be a function, got number");
    refused({ join, intercept: { e: "x" } }, "intercept.e must be a function, got string");
    refused(
      { join, intercept: { e: verbatim(() => {}) } },
      "intercept.e must be an ordinary handler, got a verbatim one",
    );
    refused({ join, handleInfo: {} }, "handleInfo must be a function, got object");
    refused({ join, terminate: 1 }, "terminate must be a function, got number");
    refused({ join, locals: {} }, "locals must be a function, got object");
    refused({ join, missed: 1 }, "missed must be a function, got number");
  });

  it("refuses a misspelled key, which would otherwise have no effect", () => {
    assert.throws(() => defineChannel(socket, { join, handelIn: {} } as { join: typeof join }), {
      code: "SIM_ERR_DEFINITION_INVALID",
      message: /^channel may only have the keys .*, got handelIn; did you mean handleIn\?$/,
    });
    assert.throws(() => defineSocket({ connect: () => ok({}), limit: {} } as object as never), {
      code: "SIM_ERR_DEFINITION_INVALID",
      message: /^socket may only have the keys .*, got limit; did you mean limits\?$/,
    });
  });

  it("accepts only functions as verbatim handlers", () => {
    for (const [handler, got] of [
      [undefined, "undefined"],
      [{}, "object"],
      ["echo", "string"],
    ] as const) {
      assert.throws(() => verbatim(handler as never), {
        code: "SIM_ERR_DEFINITION_INVALID",
        message: `verbatim must be given a function, got ${got}`,
      });
    }
  });

  it("accepts a policy for slow clients and the length of its queue, and refuses invalid ones", () => {
    const slowOf = (given: { slow?: "conflate" | "drop-oldest"; queue?: number }): unknown =>
      defineChannel(socket, { join, ...given }).slow;
    assert.equal(slowOf({}), undefined);
    assert.deepEqual(slowOf({ slow: "conflate" }), { policy: "conflate", bound: 64 });
    for (const queue of [1, 65_536]) {
      const expected = { policy: "drop-oldest", bound: queue };
      assert.deepEqual(slowOf({ slow: "drop-oldest", queue }), expected);
    }
    refused({ join, slow: "drop" }, 'slow must be "conflate" or "drop-oldest", got "drop"');
    refused({ join, queue: 8 }, 'slow must be "conflate" or "drop-oldest", got undefined');
    const must = "queue must be an integer from 1 to 65536 (broadcasts), got";
    for (const queue of [0, 65_537, 1.5, NaN, "8"]) {
      const got = typeof queue === "string" ? `"${queue}"` : String(queue);
      refused({ join, slow: "conflate", queue }, `${must} ${got}`);
    }
  });

  it("accepts a time limit for joins within the option's range", () => {
    assert.equal(timeOf(), undefined);
    assert.equal(timeOf(50), 50);
    assert.throws(() => timeOf(49), {
      code: "SIM_ERR_OPTION_INVALID",
      message: "joinTimeoutMs must be an integer from 50 to 86400000 (ms), got 49",
    });
  });

  it("knows the type of the socket's assigns in each callback", () => {
    const made = defineChannel(socket, {
      join: ({ assigns }) => ok({ userId: assigns.userId + 1 }),
      handleIn: { who: ({ assigns }) => ok(assigns.userId.toFixed(0)) },
    });
    assert.equal(made.handleIn.size, 1);
  });

  it("may be an instance of a class whose callbacks use this", () => {
    class Room {
      readonly name = "instance";
      join(): ReturnType<typeof ok> {
        return ok({ name: this.name });
      }
    }
    const world = new World({ channels: { "room:*": defineChannel(socket, new Room()) } });
    assert.deepEqual(world.connect().asked('["1","1","room:1","phx_join",{}]'), [
      '["1","1","room:1","phx_reply",{"status":"ok","response":{"name":"instance"}}]',
    ]);
  });

  it("keeps the handlers that it was made with", () => {
    const handleIn: Record<string, () => ReturnType<typeof ok>> = { e: () => ok(1) };
    const client = new World({ channels: { "room:*": channel({ handleIn }) } }).joined();
    handleIn["e"] = () => ok(2);
    assert.match(client.asked('["11","2","room:1","e",{}]')[0] ?? "", /"response":1/);
  });
});
