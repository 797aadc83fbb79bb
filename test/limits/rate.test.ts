import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { RateLimit, spentOn, type Rate } from "../../src/limits/rate.ts";

/** A bucket, and a clock that only advances. */
class Bucket {
  readonly limit: RateLimit;
  nowMs: number;
  #fullAtMs = -0.5;

  constructor(rate: Rate, counts: "ones" | "bytes" = "ones", nowMs = 123_456_789) {
    this.limit = new RateLimit("rate", rate, counts);
    this.nowMs = nowMs;
  }

  /** Takes `count` if there is enough. @returns 0, or the time until there is enough (ms) */
  take(count = 1): number {
    const costMs = this.limit.costMs(count);
    const waitMs = this.limit.waitMs(this.#fullAtMs, this.nowMs, costMs);
    if (waitMs === 0) this.#fullAtMs = spentOn(this.#fullAtMs, this.nowMs, costMs);
    return waitMs;
  }
}

function refused(rate: unknown, message: string): void {
  assert.throws(() => new RateLimit("limits.messages", rate as Rate, "ones"), {
    code: "SIM_ERR_DEFINITION_INVALID",
    message,
  });
}

const rates = fc
  .record({
    limit: fc.integer({ min: 1, max: 2_000 }),
    perMs: fc.integer({ min: 1, max: 100_000 }),
    burst: fc.integer({ min: 1, max: 50 }),
  })
  .filter(({ limit, perMs, burst }) => (burst * perMs) / limit <= 3_600_000);

describe("A rate", () => {
  it("is a limit, a time, and optionally a burst", () => {
    refused(5, "limits.messages must be { limit, perMs, burst? }, got number");
    refused(null, "limits.messages must be { limit, perMs, burst? }, got null");
    refused(
      { limit: 1, perMs: 1, per: 1 },
      "limits.messages may only have the keys limit, perMs, burst, got per; did you mean perMs?",
    );
    refused(
      { limit: 0, perMs: 1_000 },
      "limit of limits.messages must be an integer from 1 to 1000000000 (per perMs), got 0",
    );
    refused(
      { limit: 10 },
      "perMs of limits.messages must be an integer from 1 to 3600000 (ms), got undefined",
    );
    refused(
      { limit: 10, perMs: 3_600_001 },
      "perMs of limits.messages must be an integer from 1 to 3600000 (ms), got 3600001",
    );
    refused(
      { limit: 10, perMs: 1_000, burst: 1.5 },
      "burst of limits.messages must be an integer from 1 to 1000000000 (at once), got 1.5",
    );
    refused(
      { limit: 1, perMs: 1_000, burst: 3_601 },
      "burst × perMs / limit of limits.messages must be at most 3600000 (ms), got 3601000",
    );
  });

  it("lets a burst pass at once, then one for each share of the time", () => {
    const bucket = new Bucket({ limit: 10, perMs: 1_000, burst: 3 });
    assert.deepEqual([bucket.take(), bucket.take(), bucket.take(), bucket.take()], [0, 0, 0, 100]);
    bucket.nowMs += 99;
    assert.equal(bucket.take(), 1);
    bucket.nowMs += 1;
    assert.deepEqual([bucket.take(), bucket.take()], [0, 100]);
  });

  it("has the limit as its burst by default", () => {
    const bucket = new Bucket({ limit: 3, perMs: 1_000 });
    assert.deepEqual([bucket.take(), bucket.take(), bucket.take(), bucket.take()], [0, 0, 0, 334]);
  });

  it("fills up to its burst only, however long nothing arrives", () => {
    const bucket = new Bucket({ limit: 10, perMs: 1_000, burst: 2 });
    bucket.nowMs += 86_400_000;
    assert.deepEqual([bucket.take(), bucket.take(), bucket.take()], [0, 0, 100]);
  });

  it("lets something larger than its burst pass when it is full, and refills afterwards", () => {
    const bucket = new Bucket({ limit: 1_000, perMs: 1_000, burst: 500 }, "bytes");
    assert.equal(bucket.take(2_000), 0);
    assert.equal(bucket.take(1), 1_501);
    assert.equal(bucket.take(2_000), 2_000);
    bucket.nowMs += 1_999;
    assert.equal(bucket.take(2_000), 1);
    bucket.nowMs += 1;
    assert.equal(bucket.take(2_000), 0);
  });

  it("counts single bytes, even if many pass in a ms", () => {
    const bucket = new Bucket({ limit: 1_024_000, perMs: 1_000, burst: 2_048 }, "bytes");
    assert.deepEqual([bucket.take(1_024), bucket.take(1_024), bucket.take(1)], [0, 0, 1]);
    bucket.nowMs += 1;
    assert.deepEqual([bucket.take(1_023), bucket.take(2)], [0, 1]);
  });

  it("never lets more than burst and span pass, in any span", () => {
    fc.assert(
      fc.property(rates, fc.array(fc.nat(400), { maxLength: 300 }), (rate, gaps) => {
        const bucket = new Bucket(rate);
        const passed: number[] = [];
        for (const gapMs of gaps) {
          bucket.nowMs += gapMs;
          if (bucket.take() === 0) passed.push(bucket.nowMs);
        }
        for (const [from, fromMs] of passed.entries()) {
          for (let to = from; to < passed.length; to += 1) {
            const spanMs = (passed[to] as number) - fromMs;
            // In whole numbers, so that the test does not round.
            const isWithin = (to - from + 1 - rate.burst) * rate.perMs <= spanMs * rate.limit;
            assert.ok(isWithin, `${to - from + 1} passed in ${spanMs} ms`);
          }
        }
      }),
    );
  });

  it("reports exactly when a refused message would pass: a ms earlier it would not", () => {
    const counts = fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(rates, fc.constantFrom("ones", "bytes"), counts, (rate, kind, taken) => {
        const bucket = new Bucket(rate, kind);
        for (const count of taken) {
          const asked = kind === "ones" ? 1 : count;
          const waitMs = bucket.take(asked);
          if (waitMs === 0) continue;
          bucket.nowMs += waitMs - 1;
          assert.equal(bucket.take(asked), 1);
          bucket.nowMs += 1;
          assert.equal(bucket.take(asked), 0);
        }
      }),
    );
  });
});
