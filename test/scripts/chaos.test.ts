/**
 * `npm run chaos` in its short form: each fault that takes a few seconds.
 *
 * Runs on: the test's thread; servers and brokers are processes of their own.
 * Slow: it starts servers and does harm to them.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatOutcomes, selectFaults, tryFault } from "../../scripts/chaos/chaos.ts";
import { expect, type Fault } from "../../scripts/chaos/fault.ts";
import { FAULTS } from "../../scripts/chaos/faults.ts";
import { runScript } from "../support/program.ts";

/** Other tests keep the machine busy: here the latencies of canaries mean little. */
const MAX_P99_MS = 20_000;

/** Most of a trial is waiting. */
const AT_ONCE = 3;

describe("npm run chaos", { concurrency: AT_ONCE }, () => {
  for (const known of FAULTS.filter(({ isQuick }) => isQuick)) {
    const skip = known.obstacle?.() ?? false;
    it(`${known.name}: ${known.expectation}`, { skip }, async () => {
      const { failure } = await tryFault(known, MAX_P99_MS);
      assert.equal(failure, undefined);
    });
  }

  it("says what it can do on one screen, and lists its faults", async () => {
    const { out } = await runScript("chaos/main", ["--help"], 60_000);
    const lines = out.split("\n");
    assert.ok(lines.length <= 24 && lines.every((line) => line.length <= 80), out);
    const list = await runScript("chaos/main", ["--list"], 60_000);
    assert.equal(list.out.trimEnd().split("\n").length, FAULTS.length);
  });
});

/** Makes a fault that is followed by what must follow. */
function fault(name: string, run: Fault["run"] = async () => {}): Fault {
  return { name, expectation: "It must be so.", isQuick: true, run };
}

describe("a fault", () => {
  it("has a name of its own", () => {
    assert.equal(new Set(FAULTS.map(({ name }) => name)).size, FAULTS.length);
  });

  it("fails with what was not so", async () => {
    const failing = fault("failing", async () => expect(false, "it was not so"));
    const { failure } = await tryFault(failing, MAX_P99_MS);
    assert.equal(failure, "it was not so");
  });

  it("is skipped with the reason", async () => {
    const absent = { ...fault("absent"), obstacle: () => "nothing is here" };
    const outcome = await tryFault(absent, MAX_P99_MS);
    assert.equal(outcome.skipped, "nothing is here");
    assert.equal(
      formatOutcomes([outcome]),
      "All 0 faults had the expected outcome.\n- absent was skipped: nothing is here\n",
    );
  });

  it("is selected by the beginning of its name", () => {
    const all = [fault("one-a"), fault("one-b"), { ...fault("two"), isQuick: false }];
    const names = (only: readonly string[], quick: boolean): readonly string[] =>
      selectFaults({ only, quick }, all).map(({ name }) => name);
    assert.deepEqual(names(["one"], false), ["one-a", "one-b"]);
    assert.deepEqual(names([], true), ["one-a", "one-b"]);
    assert.deepEqual(names([], false), ["one-a", "one-b", "two"]);
    assert.throws(() => names(["three"], false), /beginning of a fault's name, got three/);
  });
});
