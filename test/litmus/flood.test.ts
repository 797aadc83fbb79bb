/**
 * Two threads, then three, flood each other through the smallest rings, including large records. Each of
 * them repeatedly blocks until the others make room, often all at once, and often while their event loops
 * sleep or are in the middle of a drain.
 *
 *   every record, whole and in order, to the last one                allowed
 *   a gap, a repeat, mixed words; a side whose end does not arrive   forbidden
 *
 * Seen to fail with: records taken out of a ring handed over after those still in it; records taken out
 * of the ring that is being drained.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { readCounters } from "../../src/memory/counters.ts";
import { within } from "../support/deadline.ts";
import { makeExchangeShared } from "../support/exchange.ts";
import { flood } from "../support/flood.ts";
import type { FloodSide } from "../support/flood.ts";
import { litmusDeadlineMs, litmusRounds, startWorker } from "../support/litmus.ts";

const COUNT = litmusRounds(40);
const ROOMY = { overflowBytes: 2 ** 28, overflowTotalBytes: 2 ** 28 };

for (const members of [2, 3]) {
  it(`lets ${members} threads that wait for each other make progress`, async (test) => {
    const shared = makeExchangeShared({ members, startPosition: 0x7fff_ff00, ...ROOMY });
    const url = new URL("./flood.side.js", import.meta.url);
    const numbers = Array.from({ length: members }, (_, member) => member);
    const sideOf = (member: number): FloodSide => {
      const others = numbers.filter((other) => other !== member);
      return { shared, member, others, count: COUNT };
    };
    const ends = numbers
      .slice(1)
      .map(async (member) =>
        startWorker(test, url, sideOf(member)).exited(`the end of side ${member}`),
      );
    const all = Promise.all([flood(sideOf(0)), ...ends]);
    await within(all, "the last record of all sides", litmusDeadlineMs());
    for (const member of numbers) {
      assert.ok(readCounters(shared.counters, member).waitedMs > 0, `${member} never waited`);
    }
  });
}
