import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import { StepLoop, type Step } from "../../src/postgres/transport/step-loop.ts";

/** A loop with steps by name, which are due as often as `due` says, and a list of those that ran. */
function makeWorld(due: Record<"first" | "a" | "b", number>, fails = false) {
  const ran: string[] = [];
  const reports: string[] = [];
  let isReady = true;
  const stepOf = (name: keyof typeof due): Step => ({
    isDue: () => due[name] > 0,
    run: async () => {
      ran.push(name);
      due[name] -= 1;
      await turn();
      if (fails) throw new Error("no table");
    },
  });
  const loop = new StepLoop({
    isReady: () => isReady,
    first: stepOf("first"),
    others: [stepOf("a"), stepOf("b")],
    report: (text) => reports.push(text),
  });
  return { loop, ran, reports, due, away: () => (isReady = false) };
}

async function settled(isDone: () => boolean): Promise<void> {
  for (let turns = 0; !isDone(); turns += 1) {
    assert.ok(turns < 1_000, "the steps did not run");
    await turn();
  }
}

describe("A loop of steps", () => {
  it("runs the first step before all others, and lets the others take turns", async () => {
    const { loop, ran, due } = makeWorld({ first: 1, a: 3, b: 2 });
    loop.wake();
    loop.wake();
    await settled(() => due.a + due.b + due.first === 0);
    assert.deepEqual(ran, ["first", "a", "b", "a", "b", "a"]);
  });

  it("runs nothing while its owner is not ready", async () => {
    const { loop, ran, away } = makeWorld({ first: 1, a: 1, b: 1 });
    away();
    loop.wake();
    await turn();
    assert.deepEqual(ran, []);
  });

  it("reports a step that fails once, and tries again until it is stopped", async () => {
    const { loop, reports, due } = makeWorld({ first: 0, a: 2, b: 0 }, true);
    loop.wake();
    await settled(() => reports.length === 1);
    assert.deepEqual(reports, ["trying again: no table"]);
    loop.wake();
    await settled(() => due.a === 0);
    await turn();
    assert.equal(reports.length, 1);
    loop.stop();
  });
});
