import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Logger } from "../../src/log/logger.ts";
import { Host } from "../../src/server/host.ts";
import { makeNodeMemory } from "../../src/server/memory-plan.ts";
import { smallOptions } from "../support/options.ts";

const properties = { text: { type: "string" } };
const said = { type: "object", properties, required: ["text"], additionalProperties: false };

describe("a broadcast of the host", () => {
  it("refuses a wrong topic and wrong options before anybody receives it", () => {
    const options = smallOptions();
    const host = new Host(makeNodeMemory(options, undefined), options, new Logger("silent"));
    host.setOutgoing([[{ pattern: "room:*", schemas: { said } }]]);
    const heard: unknown[] = [];
    host.pubsub.listen(
      "room:1",
      ({ payload }) => void heard.push(payload),
      () => {},
    );

    const only = "options of a broadcast may only be scope, node, history";
    const wrong: [unknown, string][] = [
      [{ scop: "node" }, `${only}, got scop`],
      [{ except: {} }, `${only}, got except`],
      [null, "options of a broadcast must be an object, got null"],
      [{ history: 1 }, "history must be true or false, got 1"],
      [{ scope: null }, 'scope must be "cluster", "node" or "thread", got null'],
    ];
    for (const [given, message] of wrong) {
      assert.throws(() => host.broadcast("room:1", "said", { text: "a" }, given as object), {
        code: "SIM_ERR_OPTION_INVALID",
        message,
      });
    }
    assert.throws(() => host.broadcast(5 as never, "said", { text: "a" }, undefined), {
      code: "SIM_ERR_PAYLOAD",
      message: "topic must be a string, got number",
    });
    assert.deepEqual(heard, []);
    host.broadcast("room:1", "said", { text: "b" }, { scope: "node" });
    assert.deepEqual(heard, [{ text: "b" }]);
  });
});
