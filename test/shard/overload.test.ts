import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { nextLevel, Overload, OVERLOAD_LEVELS } from "../../src/shard/overload.ts";
import type { OverloadStep } from "../../src/shard/overload.ts";

const LIMITS = {
  overloadLagMs: 100,
  overloadHeapBytes: 1_000_000,
  maxResidentBytes: 10_000_000,
  withdrawPercent: 200,
};

const NONE = { lagMs: 0, heapBytes: 0, externalBytes: 0, residentBytes: 0 };

/** Returns an overload, and the steps that it reports. */
function made(): { readonly overload: Overload; readonly steps: string[] } {
  const steps: string[] = [];
  const overload = new Overload(LIMITS, (step, from, to) => steps.push(`${step} ${from} ${to}`));
  return { overload, steps };
}

function lag(overload: Overload, ...lagsMs: readonly number[]): void {
  for (const lagMs of lagsMs) overload.update({ ...NONE, lagMs });
}

function times(count: number, value: number): number[] {
  return Array.from({ length: count }, () => value);
}

describe("the levels of overload", () => {
  it("have these steps and no others", () => {
    const found = OVERLOAD_LEVELS.flatMap((level) =>
      (["rise", "fall"] as const satisfies OverloadStep[]).map((step) => [
        level,
        step,
        nextLevel(level, step),
      ]),
    );
    assert.deepEqual(found, [
      ["normal", "rise", "refusing"],
      ["normal", "fall", undefined],
      ["refusing", "rise", "withdrawn"],
      ["refusing", "fall", "normal"],
      ["withdrawn", "rise", undefined],
      ["withdrawn", "fall", "refusing"],
    ]);
  });
});

describe("overload", () => {
  it("rises when two samples in a row reach the threshold, however high a single one is", () => {
    const { overload, steps } = made();
    lag(overload, 99, 99, 10_000, 0, 10_000, 99);
    assert.equal(overload.level, "normal");
    lag(overload, 100, 100);
    assert.equal(overload.level, "refusing");
    assert.deepEqual(steps, ["rise normal refusing"]);
  });

  it("rises one level at a time, to the second at its own threshold", () => {
    const { overload, steps } = made();
    lag(overload, ...times(20, 199));
    assert.equal(overload.level, "refusing");
    lag(overload, 200, 200);
    assert.deepEqual(steps, ["rise normal refusing", "rise refusing withdrawn"]);
    const other = made();
    lag(other.overload, ...times(4, 1_000));
    assert.deepEqual(other.steps, steps);
  });

  it("falls one level at a time, when ten samples in a row are below three quarters", () => {
    const { overload, steps } = made();
    lag(overload, ...times(4, 200));
    steps.length = 0;
    lag(overload, ...times(50, 150));
    assert.equal(overload.level, "withdrawn");
    lag(overload, ...times(9, 149), 150, ...times(9, 149));
    assert.equal(overload.level, "withdrawn");
    lag(overload, 149);
    assert.equal(overload.level, "refusing");
    lag(overload, ...times(20, 75));
    assert.equal(overload.level, "refusing");
    lag(overload, ...times(10, 74));
    assert.equal(overload.level, "normal");
    lag(overload, ...times(20, 0));
    assert.deepEqual(steps, ["fall withdrawn refusing", "fall refusing normal"]);
  });

  it("uses the larger of lag and heap, each relative to its threshold", () => {
    const { overload } = made();
    for (let n = 0; n < 2; n += 1) overload.update({ ...NONE, heapBytes: 1_000_000 });
    assert.equal(overload.level, "refusing");
    // Only one of them is low, so it does not fall.
    for (let n = 0; n < 20; n += 1) overload.update({ ...NONE, heapBytes: 800_000 });
    for (let n = 0; n < 20; n += 1) overload.update({ ...NONE, lagMs: 80 });
    assert.equal(overload.level, "refusing");
    for (let n = 0; n < 10; n += 1) overload.update({ ...NONE, lagMs: 70, heapBytes: 700_000 });
    assert.equal(overload.level, "normal");
  });

  it("counts buffers as heap, and compares the resident memory of the process with its own threshold", () => {
    const { overload } = made();
    for (let n = 0; n < 2; n += 1) {
      overload.update({ ...NONE, heapBytes: 400_000, externalBytes: 600_000 });
    }
    assert.equal(overload.level, "refusing");
    const other = made().overload;
    other.update({ ...NONE, residentBytes: 10_000_000 });
    other.update({ ...NONE, residentBytes: 9_999_999 });
    assert.equal(other.level, "normal");
    for (let n = 0; n < 2; n += 1) other.update({ ...NONE, residentBytes: 10_000_000 });
    assert.equal(other.level, "refusing");
  });

  it("reports the sample at the step", () => {
    const told: unknown[] = [];
    const overload = new Overload(LIMITS, (_step, _from, _to, measures) => told.push(measures));
    const second = { lagMs: 101, heapBytes: 2, externalBytes: 3, residentBytes: 4 };
    overload.update({ ...second, lagMs: 100 });
    overload.update(second);
    assert.deepEqual(told, [second]);
  });
});
