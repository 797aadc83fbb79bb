/**
 * `transportCases`: the suite for custom transports.
 *
 * Runs on: the thread of a test.
 */

import { CONNECT_CASES } from "./connect-cases.ts";
import type { TransportCase, TransportTests } from "./definition.ts";
import { END_CASES } from "./end-cases.ts";
import { FRAME_CASES } from "./frame-cases.ts";
import type { Plan } from "./plan.ts";
import { SHARD_CASES } from "./shard-cases.ts";
import { SLOW_CASES } from "./slow-cases.ts";
import { World } from "./world.ts";

const PLANS: readonly Plan[] = [
  ...FRAME_CASES,
  ...CONNECT_CASES,
  ...END_CASES,
  ...SLOW_CASES,
  ...SHARD_CASES,
];

/**
 * Returns the cases that a transport must pass, for any test runner.
 *
 * ```ts
 * for (const { name, run } of transportCases({ app, connect })) test(name, run);
 * ```
 *
 * Each case starts a server with two shards on this machine, and closes it. Run them one after the other.
 */
export function transportCases(tests: TransportTests): readonly TransportCase[] {
  const without = new Set(tests.without);
  return PLANS.filter(({ needs = [] }) => !needs.some((ability) => without.has(ability))).map(
    ({ name, options = {}, run }) => ({
      name,
      run: async () => World.run(tests, options, run),
    }),
  );
}
