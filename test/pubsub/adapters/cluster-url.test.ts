import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { clusterAdapter } from "../../../src/pubsub/adapters/cluster-url.ts";
import { serve } from "../../../src/index.ts";
import { memoryAdapter } from "../../../src/pubsub/adapters/memory.ts";

const GIVEN = { clusterName: "c", clusterQueueBytes: 65_536, nodeName: "ant" };

function refused(clusterUrl: string, nodeName = "ant"): string {
  let message = "";
  assert.throws(
    () => clusterAdapter({ ...GIVEN, nodeName, clusterUrl }),
    (error: unknown) => {
      assert.ok(error instanceof TypeError && "code" in error);
      assert.equal(error.code, "SIM_ERR_OPTION_INVALID");
      message = error.message;
      return true;
    },
  );
  return message;
}

describe("clusterUrl", () => {
  it("chooses no adapter where it is none", () => {
    assert.equal(clusterAdapter({ ...GIVEN, clusterUrl: "none" }), undefined);
  });

  for (const url of ["redis://h", "redis://u:p@h:6379/2", "rediss://:p@[::1]:6380/"]) {
    it(`chooses the adapter over Redis for ${url}`, async () => {
      const spec = clusterAdapter({ ...GIVEN, clusterUrl: url });
      assert.ok(spec);
      const options = { url, clusterName: "c", nodeName: "ant", queueBytes: 65_536 };
      assert.deepEqual(structuredClone(spec.options), options);
      const { makeAdapter } = (await import(
        spec.module
      )) as typeof import("../../../src/pubsub/adapters/redis.ts");
      assert.equal(makeAdapter(spec.options).nodeName, "ant");
    });
  }

  it("refuses what is no such URL, and does not show it: it may have a password", () => {
    const must = "clusterUrl must be a URL as redis://user:password@host:6379, or rediss:, got";
    assert.equal(refused("localhost"), `${must} what is no URL`);
    assert.equal(refused("http://u:secret@h"), `${must} one of http:`);
    assert.equal(refused("redis:///0"), `${must} one without a host`);
    assert.equal(refused("redis://h/zero"), `${must} a path that is no database's number`);
  });

  it("refuses the names that a nameless node of Phoenix has, which others have as well", () => {
    const must = "nodeName must be unique in its cluster, or auto, got";
    for (const name of ["nonode", "nonode@nohost"]) {
      assert.equal(refused("redis://h", name), `${must} ${name}`);
    }
  });

  it("is refused beside an adapter", async () => {
    const adapter = memoryAdapter({ hub: "h", nodeName: "n" });
    const both = { app: "nowhere.js", adapter, clusterUrl: "redis://h", logLevel: "silent" };
    await assert.rejects(serve(both), {
      code: "SIM_ERR_OPTION_INVALID",
      message: "adapter must be left out beside clusterUrl",
    });
  });
});
