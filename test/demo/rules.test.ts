import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { checkMessage, checkName, checkRoom } from "../../src/demo/rules.ts";

describe("the demo's rules", () => {
  it("take texts up to their bound, without the blanks around them", () => {
    assert.deepEqual(checkMessage({ body: ` ${"x".repeat(500)} ` }), { text: "x".repeat(500) });
    assert.deepEqual(checkName({ name: "Hoopoe 7" }), { text: "Hoopoe 7" });
    assert.deepEqual(checkRoom("mount-qaf"), { text: "mount-qaf" });
  });

  it("count as people do", () => {
    assert.deepEqual(checkName({ name: "👩‍👩‍👧‍👦".repeat(32) }), { text: "👩‍👩‍👧‍👦".repeat(32) });
    assert.deepEqual(checkName({ name: "👋".repeat(33) }), {
      reason: "a name must have 1 to 32 characters, got 33",
    });
  });

  it("refuse the rest with a reason", () => {
    const reasons = [
      checkMessage({ body: " \n " }),
      checkMessage({ body: "x".repeat(501) }),
      checkMessage({ body: 7 }),
      checkMessage(null),
      checkMessage("text"),
      checkRoom(""),
      checkRoom("a".repeat(25)),
      checkRoom("../etc"),
    ].map((checked) => ("reason" in checked ? checked.reason : "taken"));
    const room = "a room must have 1 to 24 of the characters a to z, 0 to 9 and -";
    assert.deepEqual(reasons, [
      "a message must have 1 to 500 characters, got 0",
      "a message must have 1 to 500 characters, got 501",
      "a message must be text, got number",
      "a message must be text, got undefined",
      "a message must be text, got undefined",
      room,
      room,
      room,
    ]);
  });
});
