/**
 * What the native engine does with a connection before its first request.
 *
 * Runs on: the test's thread.
 */

import { describe } from "node:test";

import { nativeEngine, noNative } from "../../../support/engine.ts";
import { describeOpening } from "../opening.contract.ts";

const NO_NATIVE = await noNative();

describe("a connection of the native engine, before its first request", { skip: NO_NATIVE }, () => {
  describeOpening(() => nativeEngine());
});
