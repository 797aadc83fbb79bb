/**
 * The figures of custom transports, combined from all threads.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { joinFigures } from "../../src/server/transport-stats.ts";

function figure(transport: string, name: string, value: number) {
  return { transport, name, value };
}

describe("the figures of custom transports", () => {
  it("are empty without transports", () => {
    assert.deepEqual(joinFigures(2, [{ shard: 0, figures: [] }]), {});
  });

  it("are listed by shard, and summed", () => {
    const joined = joinFigures(3, [
      { shard: 0, figures: [figure("sse", "streams", 1), figure("__proto__", "lagMs", 7)] },
      { shard: 2, figures: [figure("sse", "streams", 2), figure("sse", "lagMs", 0)] },
    ]);
    assert.deepEqual(Object.keys(joined), ["sse", "__proto__"]);
    assert.deepEqual(joined["sse"], {
      streams: { total: 3, shards: [1, undefined, 2] },
      lagMs: { total: 0, shards: [undefined, undefined, 0] },
    });
  });

  it("of both threads of a shard that is being restarted are summed", () => {
    const threads = [1, 2].map((value) => ({
      shard: 0,
      figures: [figure("sse", "streams", value)],
    }));
    assert.deepEqual(joinFigures(1, threads), { sse: { streams: { total: 3, shards: [3] } } });
  });
});
