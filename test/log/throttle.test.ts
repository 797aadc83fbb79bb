import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";

import { Throttle, WINDOW_MS } from "../../src/log/throttle.ts";

interface Report {
  readonly count: number;
  readonly byKind: Readonly<Record<string, number>>;
}

function makeThrottle(linesPerSecond: number, linesPerConnection: number): [Throttle, Report[]] {
  const reports: Report[] = [];
  const limits = { linesPerSecond, linesPerConnection };
  const throttle = new Throttle(limits, (count, byKind) => reports.push({ count, byKind }));
  return [throttle, reports];
}

/** Returns how many of a number of lines are taken. */
function taken(
  throttle: Throttle,
  count: number,
  kind: string,
  connection: number | undefined,
  ms: number,
): number {
  let sum = 0;
  for (let n = 0; n < count; n += 1) if (throttle.takes(kind, connection, ms)) sum += 1;
  return sum;
}

describe("Throttle", () => {
  it("limits the lines of one kind about one connection, for ten seconds", () => {
    const [throttle] = makeThrottle(1_000, 3);
    assert.equal(taken(throttle, 10, "a", 1, 0), 3);
    assert.equal(taken(throttle, 10, "a", 2, 0), 3);
    assert.equal(taken(throttle, 10, "b", 1, 0), 3);
    assert.equal(taken(throttle, 10, "a", 1, WINDOW_MS - 1), 0);
    assert.equal(taken(throttle, 10, "a", 1, WINDOW_MS), 3);
  });

  it("limits all lines of a second, and lets one kind have half of them", () => {
    const [throttle] = makeThrottle(10, 1_000);
    assert.equal(taken(throttle, 20, "a", undefined, 0), 5);
    assert.equal(taken(throttle, 20, "b", 1, 0), 5);
    assert.equal(taken(throttle, 20, "c", 2, 999), 0);
    assert.equal(taken(throttle, 20, "a", undefined, 1_000), 5);
  });

  it("does not count lines without a connection against one another", () => {
    const [throttle] = makeThrottle(1_000, 1);
    assert.equal(taken(throttle, 10, "a", undefined, 0), 10);
  });

  it("reports what it suppressed once, by kind", () => {
    const [throttle, reports] = makeThrottle(1_000, 1);
    throttle.report();
    taken(throttle, 3, "a", 1, 0);
    taken(throttle, 2, "b", 1, 0);
    throttle.report();
    throttle.report();
    assert.deepEqual(reports, [{ count: 3, byKind: { a: 2, b: 1 } }]);
  });

  it("reports by itself within ten seconds, even if no more lines come", () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      const [throttle, reports] = makeThrottle(1_000, 1);
      taken(throttle, 3, "a", 1, 0);
      mock.timers.tick(WINDOW_MS - 1);
      assert.deepEqual(reports, []);
      mock.timers.tick(1);
      assert.deepEqual(reports, [{ count: 2, byKind: { a: 2 } }]);
      mock.timers.tick(2 * WINDOW_MS);
      assert.equal(reports.length, 1);
    } finally {
      mock.timers.reset();
    }
  });
});
