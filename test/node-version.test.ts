import assert from "node:assert/strict";
import { it } from "node:test";

import { checkNodeVersion } from "../src/node-version.ts";

it("versions of Node.js before 20 are refused, with those that work", () => {
  checkNodeVersion();
  checkNodeVersion("20.0.0");
  assert.throws(() => checkNodeVersion("18.20.8"), {
    code: "SIM_ERR_ENGINE_UNAVAILABLE",
    message: "Node.js must be version 20, 22, 24 or 25, got 18.20.8; use one of these",
  });
});
