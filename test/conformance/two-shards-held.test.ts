/**
 * The recorded scenarios of Phoenix, played on two shards that hold broadcasts.
 *
 * Runs on: the main thread of the tests.
 * Slow: scenarios with a silence take as long as they took Phoenix.
 */
import { describe } from "node:test";
import { playScenarios } from "./played.ts";
import { VARIANTS } from "./variants.ts";

describe(VARIANTS.twoShardsHeld.name, () => playScenarios(VARIANTS.twoShardsHeld));
