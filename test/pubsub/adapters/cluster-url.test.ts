import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { clusterAdapter } from "../../../src/pubsub/adapters/cluster-url.ts";
import { serve } from "../../../src/index.ts";
import type * as Redis from "../../../src/pubsub/adapters/redis.ts";
import { memoryAdapter } from "../../../src/pubsub/adapters/memory.ts";

const GIVEN = { clusterName: "c", clusterQueueBytes: 65_536, nodeName: "ant" };

describe("clusterUrl", () => {
  it("chooses no adapter if it is none", () => {
    assert.equal(clusterAdapter({ ...GIVEN, clusterUrl: "none" }), undefined);
  });

  for (const url of ["redis://h", "redis://u:p@h:6379/2", "rediss://:p@[::1]:6380/"]) {
    it(`chooses the adapter over Redis for ${url}`, async () => {
      const spec = clusterAdapter({ ...GIVEN, clusterUrl: url });
      assert.ok(spec);
      assert.deepEqual(structuredClone(spec.options), { ...GIVEN, clusterUrl: url });
      const { makeAdapter } = (await import(spec.module)) as typeof Redis;
      assert.equal(makeAdapter(spec.options).nodeName, "ant");
    });
  }

  it("is refused together with an adapter", async () => {
    const adapter = memoryAdapter({ hub: "h", nodeName: "n" });
    const both = { app: "nowhere.js", adapter, clusterUrl: "redis://h", logLevel: "silent" };
    await assert.rejects(serve(both), {
      code: "SIM_ERR_OPTION_INVALID",
      message: "adapter must not be combined with clusterUrl",
    });
  });
});
