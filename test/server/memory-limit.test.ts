import assert from "node:assert/strict";
import { totalmem } from "node:os";
import { describe, it } from "node:test";

import { availableMemory } from "../../src/server/memory-limit.ts";

const GIB = 2 ** 30;

describe("availableMemory", () => {
  it("is the limit of the container, or else the memory of the machine", () => {
    const on = (constrained: number | undefined): number =>
      availableMemory({ total: () => 8 * GIB, constrained: () => constrained });
    assert.equal(on(GIB), GIB);
    for (const none of [undefined, 0, 2 ** 64]) assert.equal(on(none), 8 * GIB, String(none));
  });

  it("is known on this machine", () => {
    const bytes = availableMemory();
    assert.ok(bytes > 0 && bytes <= totalmem(), String(bytes));
  });
});
