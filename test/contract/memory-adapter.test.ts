import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { makeAdapter, MemoryAdapter, memoryAdapter } from "../../src/pubsub/adapters/memory.ts";
import { describeAdapter } from "./adapter.contract.ts";

let hubs = 0;

describeAdapter("MemoryAdapter", (nodeNames) => {
  hubs += 1;
  const hub = `contract-${hubs}`;
  return nodeNames.map((nodeName) => new MemoryAdapter({ hub, nodeName }));
});

describe("memoryAdapter", () => {
  it("names a module that makes the adapter with these options", async () => {
    const { module, options } = memoryAdapter({ hub: "h", nodeName: "n" });
    const made = (await import(module)) as { makeAdapter: typeof makeAdapter };
    assert.equal(made.makeAdapter, makeAdapter);
    assert.equal(made.makeAdapter(options).nodeName, "n");
    assert.deepEqual(structuredClone(options), { hub: "h", nodeName: "n" });
  });
});
