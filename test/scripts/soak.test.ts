/**
 * `npm run soak` in its short form, and the ledger that finds what is lost, doubled or out of order.
 *
 * Runs on: the test's thread; soak and server are processes of their own.
 * Slow: it runs a server for a while.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { growthIn, slope } from "../../scripts/soak/growth.ts";
import { Ledger } from "../../scripts/soak/ledger.ts";
import type { Mark } from "../../scripts/soak/marks.ts";
import { runScript } from "../support/program.ts";

const DEADLINE_MS = 180_000;

describe("npm run soak", () => {
  it("finds nothing in this server, while shards restart and end", async () => {
    const words = ["--seconds", "12", "--restarts", "2", "--mark", "4"];
    const { code, out, err } = await runScript("soak/main", words, DEADLINE_MS);
    assert.equal(code, 0, `${out}${err}`);
    assert.match(
      out,
      /^Nothing was found\.\nseed {6}\d+\nchecked {3}\d{3,} broadcasts, \d{4,} deliveries/,
    );
    assert.match(err, /SIGHUP\n[\s\S]*process\.exit in a shard/);
    assert.match(out, /^growth {4}not judged/m);
  });

  it("says what it can do on one screen", async () => {
    const { out } = await runScript("soak/main", ["--help"], DEADLINE_MS);
    const lines = out.split("\n");
    assert.ok(lines.length <= 24 && lines.every((line) => line.length <= 80), out);
  });
});

/** A speaker that began at 10, and a listener that joined at the given time. */
function roomWith(
  joinedAt: number,
  mayLag = false,
): {
  ledger: Ledger;
  hear: (n: number) => void;
  kinds: () => readonly string[];
  speech: ReturnType<Ledger["begin"]>;
  hearing: ReturnType<Ledger["open"]>;
} {
  const ledger = new Ledger();
  const speech = ledger.begin("room:1", "ann", 10);
  const hearing = ledger.open("bob", "room:1", joinedAt, mayLag);
  return {
    ledger,
    speech,
    hearing,
    hear: (n) => ledger.hear(hearing, "ann", n, "1.00"),
    kinds: () => ledger.faults.map(({ kind }) => kind),
  };
}

describe("the ledger", () => {
  it("accepts consecutive numbers, from 1 for a listener that was there first", () => {
    const { hear, kinds, ledger, speech } = roomWith(5);
    for (const n of [1, 2, 3]) hear(n);
    ledger.ack(speech, 3, 20);
    ledger.settle(speech, "1.00");
    assert.deepEqual([kinds(), ledger.deliveries], [[], 3]);
  });

  it("accepts any first number for a listener that came later", () => {
    const { hear, kinds } = roomWith(15);
    hear(7);
    hear(8);
    assert.deepEqual(kinds(), []);
  });

  for (const [kind, numbers] of [
    ["lost", [1, 3]],
    ["doubled", [1, 1]],
    ["disordered", [1, 2, 1]],
    ["lost", [2]],
  ] as const) {
    it(`finds ${kind} numbers in ${numbers.join(", ")}`, () => {
      const { hear, kinds } = roomWith(5);
      for (const n of numbers) hear(n);
      assert.deepEqual(kinds(), [kind]);
    });
  }

  it("finds the loss of the last numbers that were acknowledged", () => {
    const { hear, kinds, ledger, speech } = roomWith(5);
    hear(1);
    ledger.ack(speech, 2, 20);
    ledger.settle(speech, "1.50");
    assert.deepEqual(kinds(), ["lost"]);
    assert.equal(ledger.faults[0]?.text, "minute 1.50: bob heard ann on room:1 up to 1, of 2");
  });

  it("asks nothing of a listener that was told, came too late, or reads slowly", () => {
    const told = roomWith(5);
    told.ledger.close(told.hearing, true);
    const late = roomWith(30);
    const slow = roomWith(5, true);
    for (const { ledger, speech, kinds } of [told, late, slow]) {
      ledger.ack(speech, 2, 20);
      ledger.settle(speech, "1.00");
      assert.deepEqual(kinds(), []);
    }
    assert.equal(told.ledger.told, 1);
  });
});

/** Returns marks of which only the resident memory differs. */
function marksWith(residents: readonly number[]): readonly Mark[] {
  return residents.map((mebibytes, at) => ({
    minute: at * 5,
    residentBytes: mebibytes * 2 ** 20,
    heapBytes: [1e7],
    externalBytes: [1e6],
    mainHeapBytes: 1e7,
    handles: 20,
    descriptors: 100,
    connections: 100,
    channels: 100,
    sessions: 1,
    presences: 1,
    indexUsed: 10,
    lapped: 0,
    slowCut: 0,
    p99Ms: 1,
  }));
}

describe("growth", () => {
  it("is the slope of the line through the marks", () => {
    assert.equal(slope([0, 5, 10], [1, 2, 3]), 0.2);
    assert.equal(slope([5], [1]), 0);
  });

  it("is found where a figure rises, and not where it swings", () => {
    assert.deepEqual(growthIn(marksWith([100, 120, 140, 160, 180])), [
      "RSS grew by 80.0 MiB in 20 minutes, at a mean of 140.0",
    ]);
    assert.deepEqual(growthIn(marksWith([140, 120, 150, 110, 140])), []);
  });

  it("is not judged by a few marks", () => {
    assert.deepEqual(growthIn(marksWith([100, 200, 300])), []);
  });
});
