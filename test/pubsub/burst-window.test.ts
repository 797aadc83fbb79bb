import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import { BURST, BurstWindow } from "../../src/pubsub/burst-window.ts";

/** Asks for so many broadcasts, and opens it for those that it takes. @returns how many it took */
function takenOf(window: BurstWindow, broadcasts: number): number {
  let taken = 0;
  for (let at = 0; at < broadcasts; at += 1) {
    if (!window.takes()) continue;
    taken += 1;
    window.open();
  }
  return taken;
}

describe("a burst window", () => {
  it("takes none of few broadcasts, and of many all but the first", () => {
    const window = new BurstWindow();
    assert.equal(takenOf(window, BURST), 0);
    assert.equal(takenOf(window, 50), 50);
    window.end();
  });

  it("ends with the turn of the loop, once, and begins to count anew", async () => {
    const window = new BurstWindow();
    let ends = 0;
    window.onEnd(() => void (ends += 1));
    takenOf(window, BURST + 5);
    assert.equal(ends, 0);
    await turn();
    assert.equal(ends, 1);
    await turn();
    assert.equal(ends, 1);
    assert.equal(takenOf(window, BURST + 1), 1);
    window.end();
  });

  it("is ended at once where that is asked for, and not a second time by the turn", async () => {
    const window = new BurstWindow();
    let ends = 0;
    window.onEnd(() => void (ends += 1));
    window.end();
    assert.equal(ends, 0);
    takenOf(window, BURST + 1);
    window.end();
    assert.equal(ends, 1);
    await turn();
    assert.equal(ends, 1);
  });
});
