import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { defineChannel } from "../../src/channel/definition.ts";
import { ok } from "../../src/channel/results.ts";
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

describe("a channel's definition", () => {
  it("wants functions where there are callbacks, and names the one that is none", () => {
    refused({}, "join must be a function, got undefined");
    refused({ join: 1 }, "join must be a function, got number");
    refused({ join, handleIn: { e: 7 } }, "handleIn.e must be a function, got number");
    refused({ join, intercept: { e: "x" } }, "intercept.e must be a function, got string");
    refused({ join, handleInfo: {} }, "handleInfo must be a function, got object");
    refused({ join, terminate: 1 }, "terminate must be a function, got number");
    refused({ join, locals: {} }, "locals must be a function, got object");
  });

  it("knows the socket's assigns in each callback", () => {
    const made = defineChannel(socket, {
      join: ({ assigns }) => ok({ userId: assigns.userId + 1 }),
      handleIn: { who: ({ assigns }) => ok(assigns.userId.toFixed(0)) },
    });
    assert.equal(made.handleIn.size, 1);
  });

  it("may be an instance whose callbacks use this", () => {
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
