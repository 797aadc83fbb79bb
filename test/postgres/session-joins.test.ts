/**
 * The message by which a stored join is passed on again.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { messageOfJoin } from "../../src/postgres/transport/session-joins.ts";

const JOIN = { topic: "room:1", joinRef: "1", ref: "2" };
const HISTORY = { epoch: "e", offset: "7" };

function payloadOf(payload: string, history: typeof HISTORY | null): string | null {
  return messageOfJoin({ ...JOIN, payload, history }).payload;
}

describe("the message of a stored join", () => {
  it("asks for the history from the stored position, instead of what its program asked for", () => {
    const asked = JSON.parse(
      payloadOf('{"a": {"b": 1}, "history": null}', HISTORY) ?? "",
    ) as object;
    assert.deepEqual(asked, { a: { b: 1 }, history: HISTORY });
    assert.deepEqual(JSON.parse(payloadOf("{ }", HISTORY) ?? ""), { history: HISTORY });
  });

  it("keeps the digits of large numbers", () => {
    const digits = "123456789012345678901234567890";
    assert.match(payloadOf(`{"n": ${digits}, "history": null}`, HISTORY) ?? "", new RegExp(digits));
  });

  it("is as the program wrote it if there is no position", () => {
    assert.equal(payloadOf('{"history": null}', null), '{"history": null}');
  });
});
