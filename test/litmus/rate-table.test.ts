/**
 * Two threads spend from the bucket of one key at once, each until it is refused; then the time
 * goes on, and they do so again.
 *
 *   as many pass as the burst, then as many as are full again,
 *   or fewer where the two met at the last one                    allowed
 *   more                                                          forbidden
 *
 * Seen to fail with: the row that decides charged before the other; a row written by a store instead
 * of compareExchange; what passes charged in the deciding row only.
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
  /** What passed in all, and how often a spender has come to where it waits for the other. */
  const words = new Int32Array(new SharedArrayBuffer(8));
  const data = { memory, words, rounds: ROUNDS, spenders: SPENDERS };
  const url = new URL("./rate-table.spender.js", import.meta.url);
  const spenders = Array.from({ length: SPENDERS }, () => startWorker(test, url, data));
  const outcomes = await Promise.all(
    spenders.map(async (spender, at) => spender.message(`the outcome of spender ${at}`)),
  );
  for (const { tooMany, passed, rounds } of outcomes as Outcome[]) {
    assert.equal(tooMany, undefined);
    // They may both be refused the last one; mostly one of them has it.
    assert.ok(passed > rounds, `only ${passed} passed in ${rounds} rounds`);
  }
});
