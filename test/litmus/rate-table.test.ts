/**
 * Two threads spend from the bucket of one key at once, each until it is refused. Then time advances,
 * and they do it again.
 *
 *   as many pass as the burst allows, then as many as have been
 *   regained, or fewer if the two competed for the last one       allowed
 *   more                                                          forbidden
 *
 * Seen to fail with: the deciding row charged before the other; a row written with a store instead of
 * compareExchange; a passing request charged in the deciding row only.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { makeRateTableMemory } from "../../src/memory/rate-table.ts";
import { litmusRounds, startWorker } from "../support/litmus.ts";

const ROUNDS = litmusRounds(4);
const SPENDERS = 2;

interface Outcome {
  readonly tooMany: string | undefined;
  readonly passed: number;
  readonly rounds: number;
}

it("lets no more pass than the limit, however many threads spend at once", async (test) => {
  const memory = makeRateTableMemory(4, "seed");
  /** How many requests passed, and how often a spender has reached the point where both meet. */
  const words = new Int32Array(new SharedArrayBuffer(8));
  const data = { memory, words, rounds: ROUNDS, spenders: SPENDERS };
  const url = new URL("./rate-table.spender.js", import.meta.url);
  const spenders = Array.from({ length: SPENDERS }, () => startWorker(test, url, data));
  const outcomes = await Promise.all(
    spenders.map(async (spender, at) => spender.message(`the outcome of spender ${at}`)),
  );
  for (const { tooMany, passed, rounds } of outcomes as Outcome[]) {
    assert.equal(tooMany, undefined);
    // Both may be refused the last request, but usually one of them gets it.
    assert.ok(passed > rounds, `only ${passed} passed in ${rounds} rounds`);
  }
});
