/**
 * The app of the native engine.
 *
 * Runs on: the test's thread.
 */

import { describe } from "node:test";

import { nativeEngine, noNative } from "../../../support/engine.ts";
import { describeApp } from "../app.contract.ts";

const NO_NATIVE = await noNative();

describe("an app of the native engine", { skip: NO_NATIVE }, () => {
  // It closes the TCP connection, whatever was wrong.
  describeApp(async () => nativeEngine(), {
    protocolError: 1006,
    invalidText: 1006,
    tooLarge: 1006,
  });
});
