/**
 * Two threads flood each other through the smallest rings, large records among it, so that each
 * stands still for the other's room again and again, often both at once, and often while their
 * event loops are asleep.
 *
 *   every record, whole and in order, to the last of both    allowed
 *   a gap, a repeat, mixed words; a side whose end does not come   forbidden
 *
 * MUTATIONS
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { readCounters } from "../../src/memory/counters.ts";
import { within } from "../support/deadline.ts";
import { makeExchangeShared } from "../support/exchange.ts";
import { flood } from "../support/flood.ts";
import { litmusDeadlineMs, litmusRounds, startWorker } from "../support/litmus.ts";

const COUNT = litmusRounds(10);
const ROOMY = { overflowBytes: 2 ** 28, overflowTotalBytes: 2 ** 28 };

it("lets two threads that wait for each other come on", async (test) => {
  const shared = makeExchangeShared({ members: 2, startPosition: 0x7fff_ff00, ...ROOMY });
  const url = new URL("./flood.side.js", import.meta.url);
  const side = { shared, member: 1, other: 0, count: COUNT };
  const ended = startWorker(test, url, side).exited("the end of the other side");
  const here = flood({ shared, member: 0, other: 1, count: COUNT });
  const both = Promise.race([Promise.all([here, ended]), ended.then(() => here)]);
  await within(both, "the last record of both sides", litmusDeadlineMs());
  for (const member of [0, 1]) {
    assert.ok(readCounters(shared.counters, member).waitedMs > 0, `${member} never waited`);
  }
});
