import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { kindAndFlags, kindOf, flagsOf } from "../../src/pubsub/exchange-layout.ts";
import { CONTROL_SLOT } from "../../src/pubsub/exchange.ts";
import type { TestMember } from "../support/exchange.ts";
import {
  makeExchange,
  makeExchangeShared,
  makeMember,
  makeMembers,
  publish,
  send,
} from "../support/exchange.ts";

/** Three members on tiny rings: the largest record has 24 bytes, and eight of them fill a ring. */
function threeMembers(options: Parameters<typeof makeMembers>[0] = {}): {
  a: TestMember;
  b: TestMember;
  c: TestMember;
} {
  const [a, b, c] = makeMembers(options);
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  return { a, b, c };
}

/** Lets a producer flush and a consumer drain in turns, until nothing moves. */
function settled(consumer: TestMember, producer: TestMember): string[] {
  do producer.exchange.drainNow();
  while (consumer.exchange.drainNow() > 0);
  return consumer.seen.splice(0);
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, n) => `r${n}`);

describe("Exchange", () => {
  it("delivers a record to every other member in the slot's set, and to no one else", () => {
    const { a, b, c } = threeMembers();
    a.index.add(1);
    b.index.add(1);
    assert.equal(publish(a, 1, "hello"), true);
    assert.deepEqual([a.drained(), b.drained(), c.drained()], [[], ["0:hello"], []]);
    assert.equal(a.counter("records"), 1);
  });

  it("delivers it to one additional member, but never twice and never back", () => {
    const { a, b, c } = threeMembers();
    b.index.add(1);
    publish(a, 1, "x", 2);
    publish(a, 1, "y", 1);
    publish(a, 1, "z", 0);
    assert.deepEqual(b.drained(), ["0:x", "0:y", "0:z"]);
    assert.deepEqual(c.drained(), ["0:x"]);
    assert.deepEqual(a.drained(), []);
  });

  it("reaches members beyond the first 32 and the first 64", () => {
    const members = makeMembers({ members: 67 });
    const [first] = members;
    assert.ok(first !== undefined);
    for (const number of [31, 32, 63, 64]) members[number]?.index.add(3);
    publish(first, 3, "x", 66);
    const reached = members.flatMap((member, number) =>
      member.drained().length > 0 ? number : [],
    );
    assert.deepEqual(reached, [31, 32, 63, 64, 66]);
  });

  it("transfers kind and flags, of 8 bits each", () => {
    const shared = makeExchangeShared();
    const { exchange: sender } = makeExchange(shared, 0);
    const { exchange: receiver } = makeExchange(shared, 1);
    const types: number[] = [];
    receiver.attach({
      onRecord: (_from, type) => types.push(kindOf(type), flagsOf(type)),
      onLapped: assert.fail,
      onError: assert.fail,
    });
    sender.send(1, 0, kindAndFlags(0xef, 0xff), new Uint8Array(0), 0);
    sender.send(1, 0, kindAndFlags(0, 1), new Uint8Array(60), 60);
    receiver.drainNow();
    assert.deepEqual(types, [0xef, 0xff, 0, 1]);
  });

  it("refuses reserved kinds", () => {
    const { a } = threeMembers();
    assert.throws(() => a.exchange.publish(0, 0xf1, new Uint8Array(0), 0, -1), {
      message: "kind reserved for the exchange, kind=241",
    });
  });

  it("copies the record, whatever buffer it is in, small or large", () => {
    const { a, b } = threeMembers({ ringBytes: 4_096 });
    // The largest single record has 504 bytes; a loop copies up to 256.
    for (const length of [0, 1, 3, 4, 5, 255, 256, 257, 300, 504, 505, 3_000]) {
      for (const start of [0, 1, 4]) {
        const bytes = Buffer.alloc(start + length, "abcdefghij").subarray(start);
        assert.equal(a.exchange.send(1, 0, 1, bytes, length), true);
        const text = bytes.toString();
        bytes.fill("!");
        assert.deepEqual(b.drained(), [`0:${text}`]);
      }
    }
  });

  it("loses only one record if a handler throws", () => {
    const { a, b } = threeMembers();
    for (const text of ["one", "throw", "two"]) send(a, 1, 0, text);
    assert.deepEqual(b.drained(), ["0:one", "0 threw handler", "0:two"]);
  });

  it("refuses to drain within a handler", () => {
    const shared = makeExchangeShared();
    const a = makeMember(shared, 0);
    const { exchange } = makeExchange(shared, 1);
    const errors: unknown[] = [];
    exchange.attach({
      onRecord: () => exchange.drainNow(),
      onLapped: assert.fail,
      onError: (error) => errors.push(error),
    });
    send(a, 1, 0, "x");
    exchange.drainNow();
    assert.match(String(errors[0]), /drain without a handler or within a drain/);
  });

  it("continues with the next ring after the limit, so that no producer starves", () => {
    const { a, b, c } = threeMembers();
    for (const text of ["1", "2", "3", "4"]) {
      send(a, 2, 0, text);
      send(b, 2, 0, text);
    }
    assert.deepEqual(c.drained(2), ["0:1", "0:2"]);
    assert.deepEqual(c.drained(2), ["1:1", "1:2"]);
    assert.deepEqual(c.drained(), ["0:3", "0:4", "1:3", "1:4"]);
  });

  it("reports the fullest that a ring to it has been", () => {
    const { a, b } = threeMembers();
    for (const text of ["1", "2"]) send(a, 1, 0, text);
    b.drained();
    send(a, 1, 0, "3");
    b.drained();
    assert.equal(b.counter("ringHighWaterBytes"), 32);
  });
});

for (const startPosition of [0, 0x7fff_ffe8, -24]) {
  describe(`Exchange with rings at ${startPosition}`, () => {
    it("queues what finds no room, and delivers all of it in order", () => {
      const { a, b } = threeMembers({ startPosition });
      const texts = numbered(200);
      for (const text of texts) assert.equal(send(a, 1, 0, text), true);
      assert.ok(a.counter("overflowBytes") > 0);
      assert.deepEqual(
        settled(b, a),
        texts.map((text) => `0:${text}`),
      );
      assert.equal(a.counter("overflowBytes"), 0);
      assert.equal(a.exchange.queuedBytesTo(1), 0);
      assert.equal(a.counter("records"), 200);
    });

    it("delivers records of any size whole and in order, in fragments if they are large", () => {
      const { a, b } = threeMembers({ startPosition });
      const texts = Array.from({ length: 120 }, (_, n) =>
        `${n}:`.padEnd((n * 37) % 400, "abcdefgh"),
      );
      for (const text of texts) assert.equal(send(a, 1, 0, text), true);
      assert.deepEqual(
        settled(b, a),
        texts.map((text) => `0:${text}`),
      );
    });
  });
}

describe("Exchange, large records", () => {
  it("delivers other producers' records between the fragments of a huge one", () => {
    const { a, b, c } = threeMembers();
    send(a, 2, 0, "h".repeat(1_000));
    send(b, 2, 0, "small");
    assert.deepEqual(c.drained(4), []);
    assert.deepEqual(c.drained(4), ["1:small"]);
    a.exchange.drainNow();
    assert.deepEqual(settled(c, a), [`0:${"h".repeat(1_000)}`]);
  });

  it("reassembles records of several producers at the same time", () => {
    const { a, b, c } = threeMembers();
    send(a, 2, 0, "a".repeat(90));
    send(b, 2, 0, "b".repeat(90));
    const seen: string[] = [];
    while (seen.length < 2) seen.push(...c.drained(1));
    assert.deepEqual(seen, [`0:${"a".repeat(90)}`, `1:${"b".repeat(90)}`]);
  });

  it("refuses one that exceeds a pair's bound before anybody gets it", () => {
    const { a, b, c } = threeMembers({ overflowBytes: 1_024 });
    b.index.add(1);
    c.index.add(1);
    assert.equal(publish(a, 1, "x".repeat(769)), false);
    assert.equal(send(a, 1, 1, "x".repeat(769)), false);
    assert.deepEqual([b.drained(), c.drained()], [[], []]);
    assert.equal(publish(a, 1, "x".repeat(768)), true);
    assert.deepEqual([settled(b, a).length, settled(c, a).length], [1, 1]);
  });

  it("is lost as a whole if there is no room to queue the rest of it", () => {
    const { a, b } = threeMembers({ overflowBytes: 1_024, overflowTotalBytes: 600 });
    send(a, 1, 3, "x".repeat(500));
    assert.deepEqual(settled(b, a), ["0 lapped 3"]);
    assert.equal(a.counter("lapped"), 1);
  });

  it("is written to the ring without a bound if there is room for all of it", () => {
    const { a, b } = threeMembers({ overflowBytes: 1_024, overflowTotalBytes: 1 });
    send(a, 1, 3, "x".repeat(60));
    assert.deepEqual(b.drained(), [`0:${"x".repeat(60)}`]);
  });
});

describe("Exchange, a full ring", () => {
  it("keeps one copy for all members that a record waits for", () => {
    const { a, b, c } = threeMembers({ overflowBytes: 1_000, overflowTotalBytes: 1_000 });
    b.index.add(1);
    c.index.add(1);
    // 16 bytes each: 16 of them fill a ring, and three more (256 + 4 bytes each) can wait.
    for (let n = 0; n < 19; n += 1) publish(a, 1, String(n).padEnd(4));
    assert.equal(a.counter("lapped"), 0);
    assert.equal(a.exchange.queuedBytesTo(1), 3 * 260);
    assert.equal(a.exchange.queuedBytesTo(2), 3 * 260);
    assert.equal(a.counter("overflowBytes"), 3 * 260);
    assert.equal(settled(b, a).length, 19);
    assert.equal(a.counter("overflowBytes"), 3 * 260);
    assert.equal(settled(c, a).length, 19);
    assert.equal(a.counter("overflowBytes"), 0);
  });

  it("laps records beyond a pair's bound, and names the slots in order, once each", () => {
    const { a, b } = threeMembers({ overflowBytes: 520 });
    for (let n = 0; n < 18; n += 1) send(a, 1, 1, String(n).padEnd(4));
    for (const slot of [7, 5, 7]) send(a, 1, slot, "lost");
    const seen = settled(b, a);
    send(a, 1, 2, "after");
    seen.push(...settled(b, a));
    assert.equal(seen.length, 20);
    assert.deepEqual(seen.slice(-3), ["0:17  ", "0 lapped 7,5", "0:after"]);
    assert.equal(a.counter("lapped"), 3);
  });

  it("drops what waits for one member, which is notified, and keeps what waits for the others", () => {
    const { a, b, c } = threeMembers({ overflowBytes: 2_000 });
    for (let n = 0; n < 20; n += 1) send(a, 1, n, String(n).padEnd(4));
    for (let n = 0; n < 17; n += 1) send(a, 2, 1, String(n).padEnd(4));
    send(a, 1, CONTROL_SLOT, "control");
    assert.equal(a.exchange.maxHeldBytes, 5 * 260 + 263);
    const held: number[] = [];
    a.exchange.visitHeld((owner, bytes) => {
      held.push(bytes);
      if (held.length === 1) owner.shed();
    });
    assert.deepEqual(held, [4 * 260 + 263, 260]);
    assert.equal(a.counter("lapped"), 4);
    assert.equal(a.exchange.maxHeldBytes, 260 + 263);
    const seen = settled(b, a);
    send(a, 1, 1, "after");
    seen.push(...settled(b, a));
    assert.deepEqual(seen.slice(16).toSorted(), ["0 lapped 16,17,18,19", "0:after", "0:control"]);
    assert.ok(seen.indexOf("0 lapped 16,17,18,19") < seen.indexOf("0:after"));
    assert.equal(settled(c, a).length, 17);
    assert.equal(a.exchange.maxHeldBytes, 0);
  });

  it("does not drop a record of which a part was sent", () => {
    const { a, b } = threeMembers({ overflowBytes: 2_000 });
    send(a, 1, 1, "x".repeat(1_000));
    send(a, 1, 2, "lost");
    a.exchange.visitHeld((owner) => owner.shed());
    assert.equal(a.counter("lapped"), 1);
    assert.deepEqual(settled(b, a), [`0:${"x".repeat(1_000)}`, "0 lapped 2"]);
  });

  it("counts a copy that waits for several members once", () => {
    const { a, b, c } = threeMembers({ overflowBytes: 2_000 });
    b.index.add(1);
    c.index.add(1);
    for (let n = 0; n < 18; n += 1) publish(a, 1, String(n).padEnd(4));
    assert.equal(a.exchange.maxHeldBytes, 2 * 260);
    const held: number[] = [];
    a.exchange.visitHeld((_, bytes) => held.push(bytes));
    assert.deepEqual(held, [260, 260]);
  });

  it("laps records beyond the bound of all pairs together", () => {
    const { a, b, c } = threeMembers({ overflowBytes: 2_000, overflowTotalBytes: 520 });
    for (let n = 0; n < 18; n += 1) send(a, 1, 1, String(n).padEnd(4));
    for (let n = 0; n < 17; n += 1) send(a, 2, 1, String(n).padEnd(4));
    assert.equal(a.counter("lapped"), 1);
    assert.deepEqual(settled(c, a).at(-1), "0 lapped 1");
    assert.equal(settled(b, a).length, 18);
  });

  it("puts the notice before the next record that fits, even if others wait", () => {
    const { a, b } = threeMembers({ overflowBytes: 1_100 });
    for (let n = 0; n < 18; n += 1) send(a, 1, 1, String(n).padEnd(4));
    send(a, 1, 6, "x".repeat(700));
    send(a, 1, 1, "fits");
    const seen = settled(b, a);
    assert.deepEqual(seen.slice(-3), ["0:17  ", "0 lapped 6", "0:fits"]);
  });

  it("reports a loss when the ring has room again, even without a later record", () => {
    const { a, b } = threeMembers({ overflowBytes: 300, overflowTotalBytes: 0 });
    for (let n = 0; n < 20; n += 1) send(a, 1, n, "four");
    assert.deepEqual(settled(b, a).slice(16), ["0 lapped 16,17,18,19"]);
  });

  it("reports all if more than 1024 slots lost records", () => {
    for (const slots of [1_024, 1_025]) {
      const { a, b } = threeMembers({ indexBits: 12, overflowBytes: 300, overflowTotalBytes: 0 });
      for (let n = 0; n < 16; n += 1) send(a, 1, 0, "four");
      for (let slot = 0; slot < slots; slot += 1) send(a, 1, slot, "lost");
      const all = Array.from({ length: slots }, (_, slot) => slot).join();
      assert.deepEqual(settled(b, a).slice(16), [`0 lapped ${slots === 1_024 ? all : "all"}`]);
      assert.equal(a.counter("lapped"), slots);
    }
  });

  it("loses nothing silently: received plus lapped equals sent", () => {
    const { a, b } = threeMembers({ overflowBytes: 3_000, overflowTotalBytes: 2_500 });
    let received = 0;
    for (let n = 0; n < 3_000; n += 1) {
      send(a, 1, n % 16, "x".repeat((n * 31) % 300));
      if (n % 17 === 0) received += b.drained().filter((text) => text.startsWith("0:")).length;
      if (n % 23 === 0) a.exchange.drainNow();
    }
    received += settled(b, a).filter((text) => text.startsWith("0:")).length;
    assert.ok(a.counter("lapped") > 0);
    assert.equal(received + a.counter("lapped"), 3_000);
  });

  it("has a reserve for control records, in order, and refuses more", () => {
    const { a, b } = threeMembers({ overflowBytes: 2_080 });
    while (a.counter("lapped") === 0) send(a, 1, 9, "topic");
    assert.equal(send(a, 1, CONTROL_SLOT, "one!"), true);
    assert.equal(send(a, 1, CONTROL_SLOT, "two!"), true);
    assert.equal(send(a, 1, CONTROL_SLOT, "more"), false);
    const seen = settled(b, a);
    assert.deepEqual(seen.slice(-3), ["0:one!", "0:two!", "0 lapped 9"]);
    assert.equal(send(a, 1, CONTROL_SLOT, "more"), true);
    assert.deepEqual(b.drained(), ["0:more"]);
  });
});

describe("Exchange, retiring a member", () => {
  it("drops what waits for a forgotten member and sends it nothing more", () => {
    const { a, b } = threeMembers();
    b.index.add(1);
    for (const text of numbered(40)) publish(a, 1, text);
    a.exchange.forget(1);
    assert.equal(a.exchange.queuedBytesTo(1), 0);
    assert.equal(a.counter("overflowBytes"), 0);
    publish(a, 1, "late");
    assert.equal(send(a, 1, CONTROL_SLOT, "late"), false);
    assert.deepEqual(
      settled(b, a),
      numbered(16).map((text) => `0:${text}`),
    );
  });

  it("lets a new member use the number, and nothing old is left for it", () => {
    const shared = makeExchangeShared();
    const [a, main, old] = [0, 1, 2].map((member) => makeMember(shared, member));
    assert.ok(a !== undefined && main !== undefined && old !== undefined);
    for (const text of numbered(40)) send(a, 2, 0, text);
    send(old, 0, 0, "last words");
    send(old, 0, 0, "h".repeat(500));

    a.exchange.drainFrom(2);
    assert.deepEqual(a.seen.splice(0), ["2:last words"]);
    a.exchange.forget(2);
    main.exchange.forget(2);
    main.exchange.resetMember(2);

    const young = makeMember(shared, 2);
    assert.deepEqual(young.drained(), []);
    send(a, 2, 0, "welcome");
    send(young, 0, 0, "y".repeat(60));
    assert.deepEqual(young.drained(), ["0:welcome"]);
    assert.deepEqual(a.drained(), [`2:${"y".repeat(60)}`]);
    assert.equal(a.counter("droppedStale"), 0);
  });

  it("drops and counts what a retired member still writes", () => {
    const shared = makeExchangeShared();
    const [a, main, old] = [0, 1, 2].map((member) => makeMember(shared, member));
    assert.ok(a !== undefined && main !== undefined && old !== undefined);
    a.exchange.forget(2);
    main.exchange.resetMember(2);
    send(old, 0, 0, "ghost");
    send(old, 0, 0, "ghost of many words, more than fit");
    assert.deepEqual(a.drained(), []);
    assert.equal(a.counter("droppedStale"), 4);
  });

  it("drops the rest of a large record whose beginning was forgotten", () => {
    const { a, b } = threeMembers();
    send(a, 1, 0, "x".repeat(60));
    b.drained(2);
    b.exchange.forget(0);
    send(a, 1, 0, "next");
    assert.deepEqual(b.drained(), ["0:next"]);
    assert.equal(b.counter("droppedStale"), 3);
  });
});
