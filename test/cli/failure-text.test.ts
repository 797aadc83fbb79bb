import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { failureOf } from "../../src/cli/failure.ts";
import { localAddress } from "../../src/cli/foreground.ts";
import { makeError } from "../../src/errors.ts";

describe("failureOf", () => {
  it("prints the causes that the message does not contain already, one per line", () => {
    const root = new Error("connection refused\n  by the database");
    const cause = new Error("pool is empty", { cause: root });
    const { text, exitCode } = failureOf(
      makeError("SIM_ERR_SHARD_START", "shard 0 ended", { cause }),
    );
    assert.equal(
      text,
      "simurgh: shard 0 ended\n  cause: pool is empty\n  cause: connection refused by the database",
    );
    assert.equal(exitCode, 1);
    const quoted = makeError("SIM_ERR_APP_MODULE", "got Error: boom", { cause: new Error("boom") });
    assert.equal(failureOf(quoted).text, "simurgh: got Error: boom");
  });

  it("shows where an error of user code was created", () => {
    assert.match(failureOf(new Error("boom")).text, /^simurgh: boom \(at .*failure-text\.test/);
  });

  it("accepts any thrown value", () => {
    assert.deepEqual(failureOf("boom"), { text: "simurgh: boom", exitCode: 1 });
  });
});

describe("localAddress", () => {
  it("is an address that a browser on this machine can open", () => {
    assert.equal(localAddress("http", "0.0.0.0", 4000), "http://localhost:4000");
    assert.equal(localAddress("http", "::", 4000), "http://localhost:4000");
    assert.equal(localAddress("http", "::1", 80), "http://[::1]:80");
    assert.equal(localAddress("http", "10.0.0.1", 80), "http://10.0.0.1:80");
    assert.equal(localAddress("https", "0.0.0.0", 443), "https://localhost:443");
  });
});
