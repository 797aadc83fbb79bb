import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ExpiryBook, type Expirable } from "../../src/socket/expiry-book.ts";
import { turn } from "../support/world.ts";

/** A book, its clock, and what it has called. */
class Bench {
  nowMs = 1_000_000;
  readonly said: string[] = [];
  readonly book = new ExpiryBook<Expirable>(() => this.nowMs);

  /** Makes a socket that is warned `expiringMs` before it expires. */
  one(name: string, expiringMs = 100): Expirable {
    return {
      expiringMs,
      expiring: (leftMs) => void this.said.push(`${name} has ${leftMs}`),
      expired: (lateMs) => void this.said.push(`${name} ended ${lateMs} late`),
    };
  }

  /** Advances the clock and returns the calls made then. */
  after(ms: number): string[] {
    this.nowMs += ms;
    this.book.look();
    return this.said.splice(0);
  }
}

describe("the book of expiries", () => {
  it("warns once, and ends a socket once", () => {
    const bench = new Bench();
    bench.book.set(bench.one("ann"), 1_001_000);
    assert.deepEqual(bench.after(899), []);
    assert.deepEqual(bench.after(3), ["ann has 98"]);
    assert.deepEqual(bench.after(97), []);
    assert.deepEqual(bench.after(6), ["ann ended 5 late"]);
    assert.deepEqual(bench.after(10_000), []);
    assert.equal(bench.book.size, 0);
  });

  it("warns halfway to an expiry that is closer than the warning time", () => {
    const bench = new Bench();
    bench.book.set(bench.one("ann"), 1_000_100);
    assert.deepEqual(bench.after(49), []);
    assert.deepEqual(bench.after(1), ["ann has 50"]);
  });

  it("does not warn a socket without a warning, or one that is checked only after its expiry", () => {
    const bench = new Bench();
    bench.book.set(bench.one("ann", 0), 1_001_000);
    bench.book.set(bench.one("bob"), 1_001_000);
    assert.deepEqual(bench.after(2_000), ["bob ended 1000 late", "ann ended 1000 late"]);
  });

  it("ends a socket that has already expired at the next sweep", () => {
    const bench = new Bench();
    bench.book.set(bench.one("ann"), 999_990);
    assert.deepEqual(bench.after(0), ["ann ended 10 late"]);
  });

  it("moves an expiry with its warning, later and earlier, and removes it", () => {
    const bench = new Bench();
    const ann = bench.one("ann");
    bench.book.set(ann, 1_001_000);
    bench.book.set(ann, 1_005_000);
    assert.equal(bench.book.get(ann), 1_005_000);
    assert.deepEqual(bench.after(1_000), []);
    bench.book.set(ann, 1_001_200);
    assert.deepEqual(bench.after(100), ["ann has 100"]);
    bench.book.set(ann, 1_009_000);
    assert.deepEqual(bench.after(7_850), ["ann has 50"]);
    bench.book.set(ann, undefined);
    assert.deepEqual(
      [bench.after(10_000), bench.book.get(ann), bench.book.size],
      [[], undefined, 0],
    );
  });

  it("lets a warned socket renew itself, or forget another", () => {
    const bench = new Bench();
    const bob = bench.one("bob");
    const ann: Expirable = {
      ...bench.one("ann"),
      expiring: () => {
        bench.book.set(ann, 1_008_000);
        bench.book.forget(bob);
      },
    };
    bench.book.set(ann, 1_001_000);
    bench.book.set(bob, 1_001_000);
    assert.deepEqual(bench.after(950), []);
    assert.deepEqual(bench.after(1_000), []);
    assert.deepEqual([bench.book.get(ann), bench.book.size], [1_008_000, 1]);
  });

  it("ends all sockets in the order of their expiries, whatever happened to them before", () => {
    const bench = new Bench();
    // Random numbers, the same in each run.
    const times = Array.from({ length: 400 }, (_, at) => 1_001_000 + ((at * 7_919) % 1_009));
    const all = times.map((time, at) => [bench.one(String(at), 0), time, at] as const);
    for (const [socket] of all) bench.book.set(socket, 1_000_500);
    for (const [socket, time] of all) bench.book.set(socket, time);
    for (const [socket, , at] of all) if (at % 5 === 0) bench.book.forget(socket);
    const expected = all
      .filter(([, , at]) => at % 5 !== 0)
      .toSorted(([, one], [, other]) => one - other)
      .map(([, time, at]) => `${at} ended ${2_009_000 - time} late`);
    const said: string[] = [];
    assert.deepEqual(bench.after(999), []);
    bench.nowMs = 2_009_000;
    bench.book.look();
    said.push(...bench.said);
    assert.deepEqual(said, expected);
  });

  it("uses bounded memory for many renewals", () => {
    const bench = new Bench();
    const ann = bench.one("ann");
    for (let count = 1; count <= 10_000; count += 1) bench.book.set(ann, 2_000_000 + count);
    assert.deepEqual(bench.after(1_010_000), ["ann ended 0 late"]);
  });

  it("ends only a bounded number of sockets in one turn of the loop", async () => {
    const bench = new Bench();
    for (let at = 0; at < 1_200; at += 1) bench.book.set(bench.one(String(at), 0), 1_000_010);
    assert.equal(bench.after(10).length, 500);
    // A sweep in the meantime does not end any more of them.
    assert.equal(bench.after(0).length, 0);
    await turn();
    assert.equal(bench.said.length, 700);
    assert.equal(bench.book.size, 0);
  });
});
