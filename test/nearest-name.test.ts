import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { nearestHint, nearestName } from "../src/nearest-name.ts";

const KNOWN = ["shards", "port", "host", "drainMs", "drainLimitMs"];

describe("the nearest name", () => {
  it("is the known one with the fewest edits", () => {
    for (const [name, nearest] of [
      ["shard", "shards"],
      ["shardss", "shards"],
      ["shbrds", "shards"],
      ["shrads", "shards"],
      ["prot", "port"],
      ["PORT", "port"],
      ["drainms", "drainMs"],
      ["drainLimit", "drainLimitMs"],
    ] as const) {
      assert.equal(nearestName(name, KNOWN), nearest, name);
    }
  });

  it("is the first of those that are equally near", () => {
    assert.equal(nearestName("post", ["port", "host"]), "port");
    assert.equal(nearestName("post", ["host", "port"]), "host");
  });

  it("is none where half of the name would have to change, or nothing is known", () => {
    for (const name of ["", "x", "xyz", "secretKeyBase", "po"]) {
      assert.equal(nearestName(name, KNOWN), undefined, name);
    }
    assert.equal(nearestName("port", []), undefined);
  });

  it("is asked for in messages, if there is one", () => {
    assert.equal(nearestHint("shard", KNOWN), "; did you mean shards?");
    assert.equal(nearestHint("xyz", KNOWN), "");
  });
});
