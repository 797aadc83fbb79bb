import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { CoalescingWindow } from "../../src/pubsub/coalescing-window.ts";
import { LatePresses } from "../../src/pubsub/late-presses.ts";

const RING_BYTES = 1_000;

let window: CoalescingWindow;
let pressed: number[];
let presses: LatePresses;

beforeEach(() => {
  window = new CoalescingWindow(60_000);
  pressed = [];
  presses = new LatePresses({
    members: 4,
    ringBytes: RING_BYTES,
    window,
    press: (member) => void pressed.push(member),
  });
});

describe("late presses", () => {
  it("come at the end of the window, one for each member that was written to", () => {
    for (const member of [3, 1, 3, 3]) assert.equal(presses.mayWait(member, 100), true);
    assert.deepEqual(pressed, []);
    window.end();
    assert.deepEqual(pressed, [1, 3]);
    window.end();
    assert.deepEqual(pressed, [1, 3]);
  });

  it("come before half a ring is exceeded, for that member only, and it begins anew", () => {
    presses.mayWait(1, 100);
    assert.equal(presses.mayWait(2, RING_BYTES / 2), true);
    assert.equal(presses.mayWait(2, 1), false);
    assert.deepEqual(pressed, [2]);
    assert.equal(presses.mayWait(2, RING_BYTES / 2), true);
    window.end();
    assert.deepEqual(pressed, [2, 1, 2]);
  });

  it("are none for a record larger than half a ring, which presses by itself", () => {
    assert.equal(presses.mayWait(2, RING_BYTES), false);
    window.end();
    assert.deepEqual(pressed, [2]);
  });

  it("come at once when they are asked for", () => {
    presses.mayWait(1, 100);
    presses.pressAll();
    assert.deepEqual(pressed, [1]);
    window.end();
    assert.deepEqual(pressed, [1]);
  });
});
