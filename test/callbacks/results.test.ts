import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { error, isGraceful, ok, Reply, reply, Stop, stop } from "../../src/callbacks/results.ts";

describe("results of callbacks", () => {
  it("are replies with a status and a payload, {} without one", () => {
    assert.deepEqual(ok(), new Reply("ok", {}));
    assert.deepEqual(ok(null), new Reply("ok", null));
    assert.deepEqual(error(), new Reply("error", {}));
    assert.deepEqual(error("no"), new Reply("error", "no"));
    assert.deepEqual(reply("maybe"), new Reply("maybe", {}));
    assert.deepEqual(reply("maybe", [1]), new Reply("maybe", [1]));
  });

  it("are stops with a reason, and a reply if one was given", () => {
    assert.deepEqual(stop("normal"), new Stop("normal", undefined));
    assert.deepEqual(stop("other", ok(1)), new Stop("other", new Reply("ok", 1)));
  });

  it("distinguish graceful reasons from crashes", () => {
    for (const reason of ["normal", "shutdown", { shutdown: "left" }])
      assert.ok(isGraceful(reason));
    const crashes = ["other", "", new Error("x"), Object.assign(new Error("x"), { shutdown: "y" })];
    for (const reason of crashes) assert.equal(isGraceful(reason), false);
  });

  it("treat any other reason as a crash, whatever its type", () => {
    for (const reason of [undefined, null, 7, {}]) {
      assert.equal(isGraceful(reason as never), false);
    }
  });
});
