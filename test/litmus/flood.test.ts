/**
 * Two threads, then three, flood each other through the smallest rings, large records among it, so that each
 * stands still for the others' room again and again, often all at once, and often while their
 * event loops are asleep, or in the middle of a drain.
 *
 *   every record, whole and in order, to the last of all           allowed
 *   a gap, a repeat, mixed words; a side whose end does not come   forbidden
 *
 * Seen to fail with: what was taken out handed over after what is in the ring; the ring that is
 * being drained taken out of; the sleeping word AWAKE after a nap, whatever it said before.
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
  it(`lets ${members} threads that wait for each other come on`, async (test) => {
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
