import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { EventEmitter, once } from "node:events";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Pace, STALLED_AFTER_MS, type Stall } from "../../src/pubsub/patience.ts";
import { within } from "../support/deadline.ts";
import {
  makeExchange,
  makeExchangeShared,
  makeMember,
  makeMembers,
  notingHandler,
  send,
} from "../support/exchange.ts";
import type { TestMember } from "../support/exchange.ts";
import { drained, makeRing, tryWrite } from "../support/ring.ts";

/** Records of 16 bytes that fit into a ring of 256. */
const FULL = 16;

function fourMembers(overflowBytes = 65_536): {
  a: TestMember;
  b: TestMember;
  c: TestMember;
  d: TestMember;
} {
  const bounds = { overflowBytes, overflowTotalBytes: overflowBytes };
  const [a, b, c, d] = makeMembers({ members: 4, ...bounds });
  assert.ok(a && b && c && d);
  return { a, b, c, d };
}

/** Fills the ring to a member, and offers one more record. */
function overfill(from: TestMember, to: number): void {
  for (let n = 0; n <= FULL; n += 1) send(from, to, 0, "fill");
}

/** Starts the producer's next turn, in which it may wait again. */
async function nextTurn(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

describe("A producer that finds no room", () => {
  it("waits before it queues, and not if there is room", () => {
    const { a } = fourMembers();
    for (let n = 0; n < FULL; n += 1) send(a, 1, 0, "fill");
    assert.equal(a.counter("waitedMs"), 0);
    send(a, 1, 0, "more");
    assert.ok(a.counter("waitedMs") > 0);
    assert.ok(a.counter("overflowBytes") > 0);
  });

  it("waits for a member once, until its head moves", async () => {
    const { a, b } = fourMembers();
    overfill(a, 1);
    const firstMs = a.counter("waitedMs");
    await nextTurn();
    send(a, 1, 0, "more");
    assert.equal(a.counter("waitedMs"), firstMs);
    b.drained(1);
    send(a, 1, 0, "more");
    assert.ok(a.counter("waitedMs") > firstMs);
  });

  it("waits no longer for several members than for one, in one turn", async () => {
    const { a } = fourMembers();
    overfill(a, 1);
    const firstMs = a.counter("waitedMs");
    overfill(a, 2);
    assert.equal(a.counter("waitedMs"), firstMs);
    await nextTurn();
    send(a, 2, 0, "more");
    assert.ok(a.counter("waitedMs") > firstMs);
  });

  it("empties those of its own rings that are full, and delivers their records in order", () => {
    const { a, c, d } = fourMembers();
    const sent: string[] = [];
    const sendToA = (count: number): void => {
      for (let n = 0; n < count; n += 1) {
        const text = String(sent.length).padEnd(4);
        sent.push(`2:${text}`);
        send(c, 0, 0, text);
      }
    };
    sendToA(FULL + 3);
    send(d, 0, 0, "d".repeat(60));
    overfill(a, 1);
    c.exchange.drainNow();
    assert.equal(c.counter("overflowBytes"), 0, "the full ring was not emptied");
    sendToA(4);
    const seen = a.drained();
    assert.deepEqual(
      seen.filter((text) => text.startsWith("2:")),
      sent,
    );
    assert.deepEqual(
      seen.filter((text) => text.startsWith("3:")),
      [`3:${"d".repeat(60)}`],
    );
  });

  it("leaves rings alone whose producers do not ask for room", () => {
    const { a, c } = fourMembers();
    for (let n = 0; n < FULL; n += 1) send(c, 0, 0, "fill");
    overfill(a, 1);
    send(c, 0, 0, "more");
    assert.ok(c.counter("overflowBytes") > 0, "a ring was emptied for nobody");
  });

  it("wakes producers that wait for room in the rings that it has emptied", async () => {
    const shared = makeExchangeShared({ members: 3 });
    const a = makeMember(shared, 0);
    const { exchange: sleeper } = makeExchange(shared, 2);
    sleeper.start(notingHandler([]));
    for (let n = 0; n <= FULL; n += 1) sleeper.send(0, 0, 1, new Uint8Array(4), 4);
    // It goes to sleep in one of these turns.
    for (let turns = 0; turns < 5; turns += 1) await setImmediate();
    assert.ok(sleeper.queuedBytesTo(0) > 0);
    overfill(a, 1);
    const endMs = performance.now() + 10_000;
    while (sleeper.queuedBytesTo(0) > 0) {
      assert.ok(performance.now() < endMs, "the sleeper was not woken");
      await setImmediate();
    }
    sleeper.stop();
  });

  it("takes out only a bounded amount", async () => {
    const { a, b, c } = fourMembers(2 ** 23);
    const sent = 8_192;
    const mostTaken = (65_536 + 256) / 16;
    for (let n = 0; n < sent; n += 1) send(c, 0, 0, String(n).padEnd(4));
    // Each wait empties the ring once: 256 bytes.
    for (let waits = 0; waits < 320; waits += 1) {
      overfill(a, 1);
      b.drained();
      c.exchange.drainNow();
      await nextTurn();
    }
    assert.equal(c.exchange.queuedBytesTo(0), (sent - mostTaken) * 260);
    const seen: string[] = [];
    for (let more = a.drained(); more.length > 0; more = a.drained()) {
      seen.push(...more);
      c.exchange.drainNow();
    }
    assert.deepEqual(
      seen.map((text) => text.trimEnd()),
      Array.from({ length: sent }, (_, n) => `2:${n}`),
    );
  });

  it("does not touch the ring that it is draining", () => {
    const shared = makeExchangeShared({ members: 4 });
    const [b, c] = [2, 3].map((member) => makeMember(shared, member));
    assert.ok(b && c);
    const { exchange } = makeExchange(shared, 0);
    const seen: string[] = [];
    const handler = notingHandler(seen);
    exchange.attach({
      ...handler,
      onRecord: (from, type, bytes, offset, length) => {
        handler.onRecord(from, type, bytes, offset, length);
        for (let n = 0; n <= FULL; n += 1) exchange.send(1, 0, 1, new Uint8Array(4), 4);
      },
    });
    for (const text of ["b1", "b2", "b3"]) send(b, 0, 0, text);
    exchange.drainNow();
    assert.deepEqual(seen, ["2:b1", "2:b2", "2:b3"]);
  });

  it("delivers what it took out late in a turn, even if nobody presses", async () => {
    const shared = makeExchangeShared({ members: 4 });
    const [early, late] = [0, 1].map((member) => makeMember(shared, member));
    assert.ok(early && late);
    const { exchange } = makeExchange(shared, 2);
    const seen: string[] = [];
    const events = new EventEmitter();
    const handler = notingHandler(seen);
    const all = once(events, "early");
    exchange.start({
      ...handler,
      onRecord: (from, type, bytes, offset, length) => {
        handler.onRecord(from, type, bytes, offset, length);
        if (from === 0) events.emit("early");
        // The ring of member 0 was drained earlier in the same turn.
        if (from === 1) {
          for (let n = 0; n <= FULL; n += 1) send(early, 2, 0, "early");
          for (let n = 0; n <= FULL; n += 1) exchange.send(3, 0, 1, new Uint8Array(4), 4);
        }
      },
    });
    send(late, 2, 0, "late");
    await within(all, "the record that was taken out");
    // One more waits at its sender, which has no loop here.
    assert.deepEqual(seen, ["1:late", ...Array.from({ length: FULL }, () => "0:early")]);
    exchange.stop();
  });
});

describe("A member that reads nothing", () => {
  it("is reported as stalled while records wait for it, and when it goes on", async () => {
    // A number that no other test in this file writes to.
    const members = makeMembers({ members: 6 });
    const [a] = members;
    const b = members[5];
    assert.ok(a && b);
    const events = new EventEmitter();
    const onStalled = (stall: unknown): void => {
      if ((stall as Stall).member === 5) events.emit("stall", stall);
    };
    subscribe("simurgh:stalled", onStalled);
    const began = once(events, "stall");
    overfill(a, 5);
    const [begin] = (await within(began, "the stall's begin")) as [Stall];
    assert.deepEqual([begin.member, begin.isStalled], [5, true]);
    assert.ok(begin.forMs >= 50 && begin.queuedBytes > 0);
    assert.equal(a.counter("stalledMembers"), 1);

    const ended = once(events, "stall");
    b.drained();
    a.exchange.drainNow();
    const [end] = (await within(ended, "the stall's end")) as [Stall];
    assert.deepEqual([end.member, end.isStalled, end.queuedBytes], [5, false, 0]);
    await nextTurn();
    assert.equal(a.counter("stalledMembers"), 0);
    unsubscribe("simurgh:stalled", onStalled);
  });
});

/** A ring with a record in it, and the pace of its consumer. */
function paced(): { pace: Pace; move: () => void } {
  const { producer, consumer } = makeRing({ startPosition: -8 });
  const pace = new Pace(producer);
  tryWrite(producer, 1, new Uint8Array(8));
  const move = (): void => {
    assert.equal(drained(consumer, 1).length, 1);
    tryWrite(producer, 1, new Uint8Array(8));
  };
  return { pace, move };
}

describe("The pace of a member", () => {
  it("is stalled when its head has not moved for long enough while something waits", () => {
    const { pace } = paced();
    assert.equal(pace.look(true, 1_000), undefined);
    assert.equal(pace.look(true, 1_000 + STALLED_AFTER_MS - 1), undefined);
    assert.equal(pace.isStalled, false);
    assert.equal(pace.look(true, 1_000 + STALLED_AFTER_MS), "stalled");
    assert.equal(pace.isStalled, true);
    assert.equal(pace.look(true, 2_000), undefined);
    assert.equal(pace.sinceMs, 1_000);
  });

  it("starts again when the head moves, or nothing waits", () => {
    const { pace, move } = paced();
    pace.look(true, 0);
    move();
    assert.equal(pace.look(true, 60), undefined);
    assert.equal(pace.look(true, 109), undefined);
    assert.equal(pace.look(false, 130), undefined);
    assert.equal(pace.look(true, 500), undefined);
    assert.equal(pace.look(true, 550), "stalled");
  });

  it("goes on when the head moves, or nothing waits any more", () => {
    const { pace, move } = paced();
    for (const [isWaiting, change] of [[true, move] as const, [false, () => {}] as const]) {
      pace.look(true, 0);
      assert.equal(pace.look(true, 50), "stalled");
      change();
      assert.equal(pace.look(isWaiting, 60), "goes on");
      assert.equal(pace.isStalled, false);
      pace.look(false, 70);
    }
  });

  it("allows one wait, until the head moves", () => {
    const { pace, move } = paced();
    assert.deepEqual([pace.beginWait(), pace.beginWait()], [true, false]);
    move();
    assert.deepEqual([pace.beginWait(), pace.beginWait()], [true, false]);
  });

  it("allows no wait while it is stalled", () => {
    const { pace, move } = paced();
    pace.look(true, 0);
    pace.look(true, 50);
    assert.equal(pace.beginWait(), false);
    move();
    assert.equal(pace.beginWait(), true);
  });
});
