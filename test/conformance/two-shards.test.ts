/**
 * Replays the recorded scenarios of Phoenix on two shards.
 *
 * Runs on: the main thread of the tests.
 * Slow: scenarios with a silence take as long as with Phoenix.
 */
import { describe } from "node:test";
import { playScenarios } from "./played.ts";
import { VARIANTS } from "./variants.ts";

describe(VARIANTS.twoShards.name, () => playScenarios(VARIANTS.twoShards));
