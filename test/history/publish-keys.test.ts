import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { PublishKeys } from "../../src/history/publish-keys.ts";

const AT = { epoch: "e", position: 7 };

describe("the keys of publishes", () => {
  it("are remembered for each topic until they expire", () => {
    const keys = new PublishKeys(10_000);
    keys.add("a", "k", AT, 100);
    assert.deepEqual(keys.find("a", "k", 99), AT);
    assert.equal(keys.find("b", "k", 99), undefined);
    assert.equal(keys.find("a", "k", 100), undefined);
  });

  it("have no room beyond their bound, and room again when others have expired", () => {
    const keys = new PublishKeys(500);
    assert.equal(keys.hasRoomFor("a", "1"), true);
    keys.add("a", "1", AT, 100);
    keys.add("a", "2", AT, 200);
    assert.equal(keys.hasRoomFor("a", "3"), false);
    keys.trim(100);
    assert.equal(keys.hasRoomFor("a", "3"), true);
    assert.deepEqual(keys.find("a", "2", 100), AT);
  });
});
