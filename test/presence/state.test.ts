/**
 * The replicated set: the effect of each change and of merging, and that replicas agree whatever happens
 * to their deltas; the removals that it remembers, and its rows by topic.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  array,
  assert as check,
  constantFrom,
  nat,
  oneof,
  property,
  record,
  shuffledSubarray,
} from "fast-check";

import type { Diff } from "../../src/presence/diff.ts";
import { Replica, Row, type Delta, type ReplicaRef } from "../../src/presence/replica.ts";
import { Removals, State, TopicIndex } from "../../src/presence/state.ts";

const REMEMBERED = 4;

function refOf(member: number): ReplicaRef {
  return { node: "n", member, incarnation: 1 };
}

function metaOf(ref: string): { readonly phx_ref: string } {
  return { phx_ref: ref };
}

function keysOf(state: State, topic = "room"): string[] {
  return Array.from(
    state.rowsOf(topic),
    ({ key, dot, replica }) => `${key}@${replica.ref.member}.${dot}`,
  ).toSorted();
}

function shown({ topics }: Diff): string[] {
  return [...topics].flatMap(([topic, { joins, leaves }]) => [
    ...Array.from(joins, ({ key }) => `${topic} +${key}`),
    ...Array.from(leaves, ({ key }) => `${topic} -${key}`),
  ]);
}

/** A replica, and another one that receives its deltas. */
function pair(): { readonly here: State; readonly there: State; readonly replica: Replica } {
  const here = new State(refOf(1), REMEMBERED);
  const there = new State(refOf(2), REMEMBERED);
  return { here, there, replica: there.add(refOf(1)) };
}

describe("The state of a replica", () => {
  it("has the rows that it added, until they leave", () => {
    const { here } = pair();
    const { row, diff } = here.join("room", "ann", metaOf("r"));
    assert.deepEqual(shown(diff), ["room +ann"]);
    assert.deepEqual(keysOf(here), ["ann@1.1"]);
    assert.deepEqual(shown(here.leave(row).diff), ["room -ann"]);
    assert.deepEqual(keysOf(here), []);
    assert.equal(here.clock, 2);
  });

  it("keeps several rows of one key, and returns them by the key", () => {
    const { here } = pair();
    const rows = [1, 2, 3].map((n) => here.join("room", "ann", metaOf(`r${n}`)).row);
    here.join("room", "bob", metaOf("b"));
    assert.deepEqual(
      here.get("room", "ann").map(({ meta }) => meta.phx_ref),
      ["r1", "r2", "r3"],
    );
    here.leave(rows[1] as Row);
    assert.deepEqual(
      here.get("room", "ann").map(({ meta }) => meta.phx_ref),
      ["r1", "r3"],
    );
    here.leave(rows[0] as Row);
    here.leave(rows[2] as Row);
    assert.deepEqual(here.get("room", "ann"), []);
    assert.deepEqual(here.get("room", "bob").length, 1);
    assert.deepEqual(here.get("elsewhere", "bob"), []);
  });

  it("updates a row in one step, as a leave and a join", () => {
    const { here, there, replica } = pair();
    const { row, delta } = here.join("room", "ann", metaOf("old"));
    there.merge(replica, delta);
    const update = here.update(row, metaOf("new"));
    assert.equal(here.clock, 2);
    const diff = there.merge(replica, update.delta);
    const { joins, leaves } = diff.topics.get("room") ?? assert.fail("no diff");
    assert.deepEqual(
      Array.from(joins, ({ meta }) => meta.phx_ref),
      ["new"],
    );
    assert.deepEqual(
      Array.from(leaves, ({ meta }) => meta.phx_ref),
      ["old"],
    );
    assert.deepEqual(keysOf(there), ["ann@1.2"]);
  });

  it("returns the changes since a tick, and no more", () => {
    const { here } = pair();
    const keys = ["ann", "bob", "cat", "dan", "eve"];
    const [ann, bob] = keys.map((key) => here.join("room", key, metaOf(key)).row);
    here.leave(bob as Row);
    here.update(ann as Row, metaOf("ann again"));
    const { spans, rows } = here.since(4);
    assert.deepEqual(spans, [
      [0, 1],
      [1, 2],
      [4, 7],
    ]);
    assert.deepEqual(
      rows.map(({ key }) => key),
      ["eve", "ann"],
    );
    assert.deepEqual(here.since(7), { spans: [], rows: [] });
  });

  it("returns everything to a replica that missed more than it remembers", () => {
    const { here } = pair();
    const rows = Array.from(
      { length: REMEMBERED + 3 },
      (_, at) => here.join("room", `k${at}`, metaOf("")).row,
    );
    const before = here.clock;
    for (const row of rows.slice(0, REMEMBERED + 1)) here.leave(row);
    const { spans, rows: standing } = here.since(before);
    assert.deepEqual(spans, [[0, here.clock]]);
    assert.deepEqual(
      standing.map(({ key }) => key),
      ["k5", "k6"],
    );
  });

  it("hides the rows of a replica that is down, shows them when it is up, and drops them with it", () => {
    const { here, there, replica } = pair();
    there.merge(replica, here.join("room", "ann", metaOf("a")).delta);
    there.join("room", "bob", metaOf("b"));
    assert.deepEqual(shown(there.hide(replica)), ["room -ann"]);
    assert.deepEqual(shown(there.hide(replica)), []);
    assert.deepEqual(keysOf(there), ["bob@2.1"]);
    assert.deepEqual(shown(there.show(replica)), ["room +ann"]);
    assert.deepEqual(shown(there.drop(replica)), ["room -ann"]);
    assert.equal(there.find(refOf(1)), undefined);
  });

  it("never removes its own rows, whatever others send", () => {
    const { here } = pair();
    here.join("room", "ann", metaOf("a"));
    const diff = here.merge(here.own, { spans: [[0, 9]], rows: [] });
    assert.deepEqual(shown(diff), []);
    assert.deepEqual(keysOf(here), ["ann@1.1"]);
    assert.equal(here.clock, 1);
  });

  it("does not bring back rows that it has seen leave", () => {
    const { here, there, replica } = pair();
    const { row, delta: joined } = here.join("room", "ann", metaOf("a"));
    const left = here.leave(row).delta;
    there.merge(replica, left);
    assert.deepEqual(shown(there.merge(replica, joined)), []);
    assert.deepEqual(keysOf(there), []);
  });
});

type Op = { readonly kind: "join" | "leave" | "update"; readonly pick: number };

const OPS = array(
  record({ kind: constantFrom<Op["kind"]>("join", "join", "leave", "update"), pick: nat(9) }),
  {
    maxLength: 16,
  },
);

/** Makes one change of a replica. */
function perform(state: State, { kind, pick }: Op): Delta {
  const rows = [...state.own.rows.values()];
  const row = rows[pick % Math.max(1, rows.length)];
  const ref = metaOf(`${state.own.ref.member}.${state.clock}`);
  if (!row || kind === "join") return state.join("room", `k${pick % 3}`, ref).delta;
  return kind === "leave" ? state.leave(row).delta : state.update(row, ref).delta;
}

function merged(deltas: readonly Delta[]): string[] {
  const { there, replica } = pair();
  for (const delta of deltas) there.merge(replica, delta);
  return [...keysOf(there), JSON.stringify(replica.seen.spans())];
}

describe("Merging", () => {
  it("gives the same result in whatever order, and however often, deltas arrive", () => {
    check(
      property(OPS, (ops) => {
        const { here } = pair();
        const deltas = ops.map((op) => perform(here, op));
        const all = merged(deltas);
        check(
          property(
            shuffledSubarray(deltas, { minLength: deltas.length }),
            shuffledSubarray(deltas),
            (shuffled, again) => {
              assert.deepEqual(merged([...shuffled, ...again]), all);
            },
          ),
          { numRuns: 5 },
        );
        assert.deepEqual(all, [...keysOf(here), JSON.stringify(here.own.seen.spans())]);
      }),
    );
  });

  it("of two parts that were merged elsewhere equals that of all they contain", () => {
    check(
      property(OPS, nat(16), nat(16), (ops, one, other) => {
        const { here } = pair();
        const deltas = ops.map((op) => perform(here, op));
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        // (a + b) + c = a + (b + c), where everything after a tick is one delta.
        const first = merged([...deltas.slice(0, to), here.since(Math.min(from, here.clock))]);
        assert.deepEqual(first, merged(deltas));
      }),
    );
  });

  it("reports each join once, and each leave once", () => {
    check(
      property(OPS, array(nat(15), { maxLength: 30 }), (ops, arrivals) => {
        const { here, there, replica } = pair();
        const deltas = ops.map((op) => perform(here, op));
        const present = new Set<Row>();
        for (const delta of [...arrivals.map((at) => deltas[at]), ...deltas]) {
          if (!delta) continue;
          for (const { joins, leaves } of there.merge(replica, delta).topics.values()) {
            for (const row of joins) assert.ok(!present.has(row));
            for (const row of joins) present.add(row);
            for (const row of leaves) assert.ok(present.delete(row));
          }
        }
        assert.deepEqual(
          Array.from(present, ({ key, dot }) => `${key}@1.${dot}`).toSorted(),
          keysOf(here),
        );
      }),
    );
  });
});

/** A step among three replicas: one makes a change, or a message arrives. */
const STEPS = array(
  oneof(
    record({
      does: nat(2),
      kind: constantFrom<Op["kind"]>("join", "join", "leave", "update"),
      pick: nat(9),
    }),
    record({
      arrives: nat(60),
      isLost: constantFrom(false, false, true),
      isKept: constantFrom(false, true),
    }),
  ),
  { maxLength: 80 },
);

interface Packet {
  readonly from: State;
  readonly to: State;
  readonly delta: Delta;
}

/** Three replicas that know each other, and the messages between them. */
class Three {
  readonly states = [1, 2, 3].map((member) => new State(refOf(member), REMEMBERED));
  readonly packets: Packet[] = [];

  constructor() {
    for (const state of this.states) {
      for (const { own } of this.states) if (own !== state.own) state.add(own.ref);
    }
  }

  /** Makes a change on one of them, and sends it to the others. */
  perform(at: number, op: Op): void {
    const from = this.states[at] as State;
    const delta = perform(from, op);
    for (const to of this.states) if (to !== from) this.packets.push({ from, to, delta });
  }

  /** Delivers or loses one message. A message that is kept is delivered again, much later. */
  settle(at: number, isLost: boolean, isKept: boolean): void {
    const packet = this.packets[at];
    if (!packet) return;
    if (!isLost) this.arrive(packet);
    if (!isKept) this.packets.splice(at, 1);
  }

  arrive({ from, to, delta }: Packet): void {
    const replica = to.find(from.own.ref);
    if (!replica) return;
    const own = ownKeysOf(to);
    to.merge(replica, delta);
    assert.deepEqual(ownKeysOf(to), own, "a word of others took away what is one's own");
  }

  /** Lets each replica request from the others the changes that it has not seen. */
  ask(): void {
    for (const to of this.states) {
      for (const from of this.states) {
        const replica = to.find(from.own.ref);
        if (replica) this.arrive({ from, to, delta: from.since(replica.seen.through) });
      }
    }
  }
}

function ownKeysOf(state: State): string[] {
  return keysOf(state).filter((key) => key.includes(`@${state.own.ref.member}.`));
}

describe("Replicas", () => {
  it("agree once each has asked the others, whatever was lost, delayed or duplicated before", () => {
    check(
      property(STEPS, (steps) => {
        const three = new Three();
        for (const step of steps) {
          if ("does" in step) three.perform(step.does, step);
          else {
            const at = step.arrives % Math.max(1, three.packets.length);
            three.settle(at, step.isLost, step.isKept);
          }
        }
        three.ask();
        for (const packet of three.packets) three.arrive(packet);
        const [first, ...others] = three.states.map((state) => keysOf(state));
        for (const other of others) assert.deepEqual(other, first);
      }),
      { numRuns: 400 },
    );
  });
});

describe("Removals", () => {
  it("are returned for dots that the other replica may still have", () => {
    const removals = new Removals(10);
    removals.add(5, 2);
    removals.add(6, 1);
    removals.add(9, 8);
    assert.deepEqual(removals.since(4), [1, 2]);
    assert.deepEqual(removals.since(5), [1]);
    // A replica that has seen everything up to 6 has no row for dot 8.
    assert.deepEqual(removals.since(6), []);
    assert.deepEqual(removals.since(8), [8]);
    assert.deepEqual(removals.since(9), []);
  });

  it("forget the oldest beyond their bound, and report that", () => {
    const removals = new Removals(2);
    for (const tick of [11, 12, 13]) removals.add(tick, tick - 10);
    assert.equal(removals.since(10), undefined);
    assert.deepEqual(removals.since(11), [2, 3]);
    for (let tick = 14; tick < 100; tick += 1) removals.add(tick, tick - 10);
    assert.equal(removals.since(96), undefined);
    assert.deepEqual(removals.since(97), [88, 89]);
  });
});

const REPLICA = new Replica({ node: "n", member: 2, incarnation: 1 });

function rowOf(topic: string, key: string, dot: number): Row {
  return new Row(REPLICA, { topic, key, dot, meta: { phx_ref: `r${dot}` } });
}

describe("The index of topics", () => {
  it("has rows by topic and key, grouped by key and oldest first", () => {
    const index = new TopicIndex();
    for (const one of [rowOf("room", "a", 1), rowOf("room", "b", 2), rowOf("room", "a", 3)])
      index.add(one);
    index.add(rowOf("hall", "a", 4));
    assert.deepEqual(
      Array.from(index.rowsOf("room"), ({ key, dot }) => [key, dot]),
      [
        ["a", 1],
        ["a", 3],
        ["b", 2],
      ],
    );
    assert.deepEqual(
      index.get("room", "a").map(({ dot }) => dot),
      [1, 3],
    );
    assert.deepEqual([...index.rowsOf("nowhere")], []);
  });

  it("keeps nothing of a topic or key after its last row has left", () => {
    const index = new TopicIndex();
    const rows = [1, 2, 3].map((dot) => rowOf("room", "a", dot));
    for (const one of rows) index.add(one);
    for (const one of rows.toReversed()) index.delete(one);
    assert.equal(index.size, 0);
    const [first] = rows as [Row];
    index.add(first);
    index.delete(rowOf("room", "a", 1));
    assert.deepEqual(index.get("room", "a"), [first], "another row was taken for it");
    index.delete(first);
    index.delete(first);
    assert.equal(index.size, 0);
  });
});
