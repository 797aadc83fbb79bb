/**
 * Replays the recorded scenarios of Phoenix on two shards that hold broadcasts for a coalescing window.
 *
 * Runs on: the main thread of the tests.
 * Slow: scenarios with a silence take as long as with Phoenix.
 */
import { describe } from "node:test";
import { playScenarios } from "./played.ts";
import { VARIANTS } from "./variants.ts";

describe(VARIANTS.twoShardsHeld.name, () => playScenarios(VARIANTS.twoShardsHeld));
