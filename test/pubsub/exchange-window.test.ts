/**
 * An exchange with a coalescing window: when sleeping members are woken.
 *
 * Runs on: the test's thread. A member sleeps if the test arms its doorbell.
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { DOORBELL_WORDS, SEQUENCE_WORD } from "../../src/memory/doorbell-layout.ts";
import { Doorbell } from "../../src/memory/doorbell.ts";
import { CONTROL_SLOT } from "../../src/pubsub/exchange.ts";
import { CoalescingWindow } from "../../src/pubsub/holding-windows.ts";
import {
  makeExchangeShared,
  makeMember,
  send,
  type ExchangeShared,
  type TestMember,
} from "../support/exchange.ts";

const SLOT = 1;

let shared: ExchangeShared;
let windows: readonly [CoalescingWindow, CoalescingWindow];
let sender: TestMember;
let receiver: TestMember;

/** Lets the receiver sleep. @returns how often it has been woken since */
function asleep(): () => number {
  new Doorbell(shared.memory.doorbells, 1).arm();
  const words = new Int32Array(shared.memory.doorbells);
  const sequence = (): number => Atomics.load(words, DOORBELL_WORDS + SEQUENCE_WORD);
  const before = sequence();
  return () => (sequence() - before) / 2;
}

describe("an exchange with a coalescing window", () => {
  beforeEach(() => {
    shared = makeExchangeShared({ members: 2 });
    windows = [new CoalescingWindow(60_000), new CoalescingWindow(60_000)];
    sender = makeMember(shared, 0, windows[0]);
    receiver = makeMember(shared, 1, windows[1]);
  });
  afterEach(() => {
    for (const window of windows) window.end();
  });

  it("wakes a member once, at the window's end, for everything that was written to it", () => {
    const wakes = asleep();
    for (const text of ["a", "b", "c"]) send(sender, 1, SLOT, text);
    assert.equal(wakes(), 0);
    windows[0].end();
    assert.equal(wakes(), 1);
    assert.deepEqual(receiver.drained(), ["0:a", "0:b", "0:c"]);
  });

  it("does not wake a member that has read everything in the meantime", () => {
    const wakes = asleep();
    send(sender, 1, SLOT, "a");
    assert.deepEqual(receiver.drained(), ["0:a"]);
    windows[0].end();
    assert.equal(wakes(), 0);
  });

  it("delivers at the end of its own window what others have written, without a press", () => {
    send(sender, 1, SLOT, "a");
    assert.deepEqual(receiver.seen, []);
    windows[1].open();
    windows[1].end();
    assert.deepEqual(receiver.seen, ["0:a"]);
  });

  it("wakes a member at once for control records, and on request", () => {
    const wakes = asleep();
    send(sender, 1, CONTROL_SLOT, "now");
    assert.equal(wakes(), 1);
    const wakesAgain = asleep();
    send(sender, 1, SLOT, "a");
    sender.exchange.pressNow();
    assert.equal(wakesAgain(), 1);
  });

  it("never lets a member sleep on a ring that is more than half full", () => {
    const wakes = asleep();
    // With its header a record has 16 of 256 bytes.
    for (let count = 1; count <= 8; count += 1) send(sender, 1, SLOT, "8 bytes.");
    assert.equal(wakes(), 0);
    send(sender, 1, SLOT, "8 bytes.");
    assert.equal(wakes(), 1);
  });
});
