import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  AT_ONCE,
  drainSettingsOf,
  planDrain,
  type DrainPlan,
  type DrainSettings,
} from "../../src/server/drain-plan.ts";
import { smallOptions } from "../support/options.ts";

const SETTINGS: DrainSettings = {
  drainBatch: 10,
  drainIntervalMs: 1_000,
  drainJitterPercent: 100,
  drainLimitMs: 60_000,
  drainMs: 500,
  drainDelayMs: 0,
};

function planned(connections: number, settings: Partial<DrainSettings> = {}): DrainPlan {
  return planDrain(connections, { ...SETTINGS, ...settings });
}

describe("the plan of a drain", () => {
  it("has one round per batch, of which the last may not be full", () => {
    const counts = [0, 1, 10, 11, 20, 21, 599, 600];
    assert.deepEqual(
      counts.map((count) => planned(count).rounds),
      [1, 1, 1, 2, 2, 3, 60, 60],
    );
  });

  it("has larger batches if their intervals do not fit into the limit", () => {
    assert.equal(planned(601).rounds, 60);
    assert.equal(planned(1_000_000).rounds, 60);
    assert.equal(planned(100, { drainLimitMs: 3_999 }).rounds, 3);
  });

  it("has one round if not even one interval fits", () => {
    const { rounds, spreadMs, spanMs } = planned(100, { drainLimitMs: 400 });
    assert.deepEqual([rounds, spreadMs, spanMs], [1, 400, 400]);
    assert.equal(planned(100, { drainLimitMs: 0 }).spanMs, 0);
  });

  it("has batches without pauses if there is no interval", () => {
    const { rounds, spreadMs, spanMs } = planned(100, { drainIntervalMs: 0 });
    assert.deepEqual([rounds, spreadMs, spanMs], [10, 0, 0]);
  });

  it("spreads a full batch over its share of the interval, and a smaller one over less", () => {
    assert.equal(planned(10).spreadMs, 1_000);
    assert.equal(planned(1_000).spreadMs, 1_000);
    assert.equal(planned(10, { drainJitterPercent: 30 }).spreadMs, 300);
    assert.equal(planned(10, { drainJitterPercent: 0 }).spreadMs, 0);
    assert.equal(planned(4).spreadMs, 400);
    assert.equal(planned(15).spreadMs, 750, "of two batches of which none is full");
    assert.equal(planned(0).spreadMs, 0);
  });

  it("reports how long it takes until the last connection is due", () => {
    assert.equal(planned(25).spanMs, 2_833);
    assert.equal(planned(25, { drainJitterPercent: 0 }).spanMs, 2_000);
    for (const connections of [1, 7, 600, 5_000, 123_456]) {
      assert.ok(planned(connections).spanMs <= SETTINGS.drainLimitMs);
    }
  });

  it("reserves the time for the last bytes", () => {
    assert.equal(planned(1_000).deadlineMs, 500);
  });

  it("can close everything at once", () => {
    for (const connections of [0, 1, 1_000_000]) {
      assert.deepEqual(planDrain(connections, AT_ONCE), {
        rounds: 1,
        intervalMs: 0,
        spreadMs: 0,
        spanMs: 0,
        deadlineMs: 0,
      });
    }
  });
});

describe("the settings of a drain", () => {
  const options = smallOptions({ drainBatch: 7, drainMs: 5 });

  it("are the server's, unless they are given", () => {
    const settings = drainSettingsOf({ drainBatch: 3, drainIntervalMs: undefined }, options);
    assert.deepEqual(settings, {
      drainBatch: 3,
      drainIntervalMs: 1_000,
      drainJitterPercent: 100,
      drainLimitMs: 30_000,
      drainMs: 5,
      drainDelayMs: 0,
    });
  });

  it("must be in range", () => {
    assert.throws(() => drainSettingsOf({ drainBatch: 0 }, options), {
      code: "SIM_ERR_OPTION_INVALID",
      message: "drainBatch must be an integer from 1 to 1000000 (connections), got 0",
    });
  });

  it("must have known names", () => {
    assert.throws(() => drainSettingsOf({ batch: 10 } as object, options), {
      code: "SIM_ERR_OPTION_INVALID",
      message:
        "drain may only have the options drainBatch, drainIntervalMs, drainJitterPercent, drainLimitMs, drainMs, drainDelayMs, got batch",
    });
  });
});
