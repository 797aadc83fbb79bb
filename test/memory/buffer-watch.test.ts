import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { BufferVisit } from "../../src/held-bytes.ts";
import { CLASSES, classOf } from "../../src/memory/buffer-gauges-layout.ts";
import {
  BufferGauges,
  clearBufferGauges,
  makeBufferGaugesMemory,
} from "../../src/memory/buffer-gauges.ts";
import { BufferWatch, type ShedReport } from "../../src/memory/buffer-watch.ts";

const MAX_BYTES = 1_048_576;
const KIB = 1_024;

/** A member whose owners hold what the test says. */
class TestMember {
  readonly held = new Map<string, number>();
  readonly shed: string[] = [];
  readonly reports: (ShedReport | undefined)[] = [];
  heldBytes = 0;
  visits = 0;
  readonly watch: BufferWatch;

  constructor(memory: SharedArrayBuffer, member: number) {
    const source = {
      maxHeldBytes: 0,
      visitHeld: (visit: BufferVisit) => {
        this.visits += 1;
        for (const [name, bytes] of this.held) {
          visit({ shed: () => this.#shed(name) }, bytes);
        }
      },
    };
    Object.defineProperty(source, "maxHeldBytes", {
      get: () => [...this.held.values()].reduce((sum, bytes) => sum + bytes, 0),
    });
    this.watch = new BufferWatch(
      new BufferGauges(memory, member),
      MAX_BYTES,
      [source],
      (heldBytes, report) => {
        this.heldBytes = heldBytes;
        this.reports.push(report);
      },
    );
  }

  #shed(name: string): void {
    this.held.delete(name);
    this.shed.push(name);
  }
}

function makeMembers(count: number): { members: TestMember[]; memory: SharedArrayBuffer } {
  const memory = makeBufferGaugesMemory(count);
  const members = Array.from({ length: count }, (_, at) => new TestMember(memory, at));
  return { members, memory };
}

/** Lets all members take a sample, then all once more. */
function sampled(...members: readonly TestMember[]): void {
  for (const { watch } of [...members, ...members]) watch.sample();
}

describe("the class of an owner", () => {
  it("doubles from 1 KiB on", () => {
    assert.deepEqual([0, 1, KIB - 1, KIB, 2 * KIB - 1, 2 * KIB].map(classOf), [0, 0, 0, 1, 1, 2]);
    assert.equal(classOf(2 ** 30), 21);
    assert.equal(classOf(2 ** 60), CLASSES - 1);
  });
});

describe("what a node holds", () => {
  it("is the sum of all members, without that of a member that has ended", () => {
    const { members, memory } = makeMembers(2);
    const [a, b] = members as [TestMember, TestMember];
    a.held.set("a", 300 * KIB);
    b.held.set("b", 400 * KIB);
    sampled(a, b);
    const gauges = new BufferGauges(memory, 0);
    assert.equal(gauges.total, 700 * KIB);
    assert.equal(gauges.bytesIn(classOf(300 * KIB)), 700 * KIB);
    assert.equal(gauges.ownBytesIn(classOf(300 * KIB)), 300 * KIB);
    assert.deepEqual([a.heldBytes, b.heldBytes], [300 * KIB, 400 * KIB]);
    clearBufferGauges(memory, 1);
    assert.equal(gauges.total, 300 * KIB);
  });

  it("up to the limit costs nobody anything", () => {
    const { members } = makeMembers(2);
    const [a, b] = members as [TestMember, TestMember];
    a.held.set("a", MAX_BYTES / 2);
    b.held.set("b", MAX_BYTES / 2);
    sampled(a, b);
    assert.deepEqual([a.shed, b.shed], [[], []]);
  });

  it("is not looked at while a member cannot hold much", () => {
    const { members } = makeMembers(2);
    const [a] = members as [TestMember];
    a.held.set("a", MAX_BYTES / 16 / 2);
    a.watch.sample();
    assert.equal(a.visits, 0);
    a.held.set("b", 1);
    a.watch.sample();
    assert.equal(a.visits, 1);
  });
});

describe("a node that holds too much", () => {
  it("drops the largest owners of all members first, until it holds seven eighths", () => {
    const { members, memory } = makeMembers(3);
    const [a, b, c] = members as [TestMember, TestMember, TestMember];
    for (let at = 0; at < 4; at += 1) a.held.set(`a${at}`, 20 * KIB);
    b.held.set("b0", 600 * KIB);
    b.held.set("b1", 100 * KIB);
    c.held.set("c0", 310 * KIB);
    c.held.set("c1", 30 * KIB);
    sampled(a, b, c);
    assert.deepEqual([a.shed, b.shed, c.shed], [[], ["b0"], []]);
    assert.equal(new BufferGauges(memory, 0).total, 520 * KIB);
    assert.deepEqual(
      b.reports.filter((report) => report !== undefined),
      [{ owners: 1, bytes: 600 * KIB, totalBytes: 1_120 * KIB }],
    );
  });

  it("takes from each member its share of the smallest size that must go, largest first", () => {
    const { members } = makeMembers(2);
    const [a, b] = members as [TestMember, TestMember];
    a.held.set("huge", 200 * KIB);
    for (let at = 0; at < 8; at += 1) a.held.set(`a${at}`, (70 + at) * KIB);
    for (let at = 0; at < 4; at += 1) b.held.set(`b${at}`, (70 + at) * KIB);
    b.held.set("small", 40 * KIB);
    sampled(a, b);
    // 1 114 KiB are held, of which 218 KiB must go: `huge`, and 18 KiB of the next size.
    assert.deepEqual(a.shed, ["huge"]);
    assert.deepEqual(b.shed, ["b3"]);
  });

  it("drops everything, if nothing else helps, even many small owners", () => {
    const { members } = makeMembers(1);
    const [a] = members as [TestMember];
    for (let at = 0; at < 3_000; at += 1) a.held.set(`a${at}`, 500);
    sampled(a);
    assert.ok(a.shed.length >= 1_160 && a.shed.length <= 1_170, String(a.shed.length));
  });

  it("does not drop more because of a member that does not react", () => {
    const { members } = makeMembers(2);
    const [a, stuck] = members as [TestMember, TestMember];
    stuck.held.set("huge", MAX_BYTES);
    stuck.watch.sample();
    a.held.set("a", 100 * KIB);
    for (let at = 0; at < 5; at += 1) a.watch.sample();
    assert.deepEqual(a.shed, []);
  });
});
