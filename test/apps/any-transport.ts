/**
 * The suite's app without a custom transport.
 *
 * Runs on: a shard.
 */

import { transportApp } from "../../src/testing/index.ts";

export default transportApp({});
