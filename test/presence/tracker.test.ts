/**
 * Tracking on a shard: refs, errors, the ends of owners, and what its subscribers get.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";

import type { Presences } from "../../src/raw.ts";
import { Replica, Row } from "../../src/presence/replica.ts";
import { Owners } from "../../src/presence/tracker.ts";
import { PresenceNet, type PresenceShard } from "../support/presence-net.ts";
import { Deferred, turn } from "../support/world.ts";

type FetchOf = (topic: string, presences: Presences) => Presences | Promise<Presences>;

function alone(options: Parameters<PresenceNet["start"]>[2] = {}): PresenceShard {
  return new PresenceNet().make("a", 2, options);
}

function boom(): never {
  throw new Error("boom");
}

/** A fetch that returns synchronously. */
function withUser(_topic: string, presences: Presences): Presences {
  for (const [key, entry] of Object.entries(presences)) entry["user"] = key.toUpperCase();
  return presences;
}

/** The diff in each message that subscribers got. */
function diffOf(shard: PresenceShard, at: number): { joins: Presences; leaves: Presences } {
  const diff = shard.diffs[at];
  assert.ok(diff, `no diff ${at}`);
  return diff.payload as { joins: Presences; leaves: Presences };
}

function errorsOf(shard: PresenceShard): string[] {
  return shard.log
    .filter(({ fields }) => "err" in fields)
    .map(({ fields }) => String(fields["err"]));
}

describe("A tracker", () => {
  it("tracks, updates and untracks, and sends subscribers of the topic a diff each time", async () => {
    const shard = alone();
    const owner = {};
    const ref = shard.tracker.track(owner, "room", "ann", { device: "phone" });
    const newer = shard.tracker.update(owner, "room", "ann", { device: "tablet" });
    shard.tracker.untrack(owner, "room", "ann");
    await turn();
    const old = { device: "phone", phx_ref: ref };
    const updated = { device: "tablet", phx_ref: newer, phx_ref_prev: ref };
    assert.deepEqual(
      shard.diffs.map(({ payload }) => payload),
      [
        { joins: { ann: { metas: [old] } }, leaves: {} },
        { joins: { ann: { metas: [updated] } }, leaves: { ann: { metas: [old] } } },
        { joins: {}, leaves: { ann: { metas: [updated] } } },
      ],
    );
  });

  it("announces after the callback has returned, so that its reply comes first", async () => {
    const shard = alone();
    shard.track("ann");
    assert.deepEqual(shard.taken(), []);
    await Promise.resolve();
    assert.deepEqual(shard.taken(), ["room +ann"]);
  });

  it("announces before it lists, so that everything listed was announced", () => {
    const shard = alone();
    shard.track("ann");
    void shard.tracker.list("room");
    assert.deepEqual(shard.taken(), ["room +ann"]);
    shard.track("bob");
    void shard.tracker.getByKey("room", "bob");
    assert.deepEqual(shard.taken(), ["room +bob"]);
  });

  it("announces at once what leaves with its owner, after earlier changes of that owner", () => {
    const shard = alone();
    const ann = shard.track("ann");
    shard.tracker.track(ann, "hall", "ann", {});
    shard.tracker.ended(ann);
    assert.deepEqual(shard.taken(), ["room +ann", "hall +ann", "room -ann", "hall -ann"]);
    shard.tracker.ended(ann);
    shard.tracker.ended({});
    assert.deepEqual([shard.taken(), shard.tracked], [[], 0]);
  });

  it("lists metas by key, as a new object each time, and returns a single key", () => {
    const shard = alone();
    for (const device of [1, 2]) shard.track("ann", "room", { device });
    shard.track("bob");
    const presences = shard.tracker.list("room") as Presences;
    assert.equal(Object.getPrototypeOf(presences), null);
    assert.deepEqual(Object.keys(presences), ["ann", "bob"]);
    assert.deepEqual(
      presences["ann"]?.metas.map(({ device }) => device),
      [1, 2],
    );
    delete presences["ann"];
    assert.deepEqual(shard.keys(), ["ann", "ann", "bob"]);
    assert.equal(shard.metas("ann").length, 2);
    assert.equal(shard.tracker.getByKey("room", "cat"), undefined);
    assert.deepEqual({ ...(shard.tracker.list("nowhere") as object) }, {});
  });

  it("refuses a key twice from one owner, but not from another", () => {
    const shard = alone();
    const owner = shard.track("ann");
    assert.throws(() => shard.tracker.track(owner, "room", "ann", {}), {
      code: "SIM_ERR_ALREADY_TRACKED",
      message:
        'presence presence must track a key once for each owner, got "ann" on room again; use update',
    });
    shard.track("ann");
    shard.tracker.track(owner, "hall", "ann", {});
    assert.deepEqual(shard.keys(), ["ann", "ann"]);
    assert.equal(shard.tracked, 3);
  });

  it("updates only what it tracks, and ignores other untracks", () => {
    const shard = alone();
    const owner = shard.track("ann");
    for (const [who, topic, key] of [
      [{}, "room", "ann"],
      [owner, "hall", "ann"],
      [owner, "room", "bob"],
    ] as const) {
      assert.throws(() => shard.tracker.update(who, topic, key, {}), {
        code: "SIM_ERR_NO_PRESENCE",
      });
      shard.tracker.untrack(who, topic, key);
    }
    assert.deepEqual(shard.keys(), ["ann"]);
  });

  it("makes the new meta from the old one if a function is given", () => {
    const shard = alone();
    const owner = shard.track("ann", "room", { n: 1 });
    const [before] = shard.metas("ann");
    shard.tracker.update(owner, "room", "ann", (meta: { n: number }) => ({
      ...meta,
      n: meta.n + 1,
    }));
    const [meta] = shard.metas("ann");
    assert.deepEqual([meta?.["n"], meta?.["phx_ref_prev"]], [2, before?.["phx_ref"]]);
  });

  it("changes nothing if the function throws, untracks, or returns no meta", () => {
    const shard = alone();
    const owner = shard.track("ann", "room", { n: 1 });
    const { tracker } = shard;
    assert.throws(() => tracker.update(owner, "room", "ann", boom), /boom/);
    assert.throws(() => tracker.update(owner, "room", "ann", () => 7), {
      code: "SIM_ERR_PRESENCE",
    });
    const again = (): object => {
      tracker.update(owner, "room", "ann", { n: 2 });
      return { n: 3 };
    };
    assert.throws(() => tracker.update(owner, "room", "ann", again), { code: "SIM_ERR_PRESENCE" });
    assert.deepEqual(
      shard.metas("ann").map(({ n }) => n),
      [2],
    );
    const end = (): object => {
      tracker.ended(owner);
      return {};
    };
    assert.throws(() => tracker.update(owner, "room", "ann", end), { code: "SIM_ERR_NO_PRESENCE" });
    assert.deepEqual(shard.keys(), []);
  });

  it("refuses owners that have ended, and objects that never were owners", () => {
    const shard = alone();
    const ended = {};
    shard.ended.add(ended);
    const refused = { code: "SIM_ERR_PRESENCE" };
    const track = (owner: object) => () => shard.tracker.track(owner, "room", "ann", {});
    assert.throws(track(ended), { ...refused, message: /got one that has ended$/ });
    assert.throws(track({ stranger: true }), { ...refused, message: /got something else$/ });
    shard.tracker.gracefulPermdown();
    assert.throws(track({}), { ...refused, message: /got one that has ended$/ });
    assert.equal(shard.tracked, 0);
  });

  it("requires a valid topic, key and meta, and keeps nothing of a refused one", () => {
    const shard = alone({ maxBytes: 300 });
    const refused = { code: "SIM_ERR_PRESENCE" };
    const track = (topic: unknown, key: unknown, meta: unknown) => () =>
      shard.tracker.track({}, topic as string, key as string, meta);
    assert.throws(track(undefined, "ann", {}), refused);
    assert.throws(track("room", 1, {}), refused);
    assert.throws(track("room", "__proto__", {}), refused);
    assert.throws(track("room", "ann", "meta"), refused);
    assert.throws(track("room", "ann", { text: "x".repeat(300) }), {
      ...refused,
      message: /at most 300 \(bytes\)/,
    });
    assert.deepEqual([shard.keys(), shard.tracked], [[], 0]);
  });

  it("limits what one client tracks, over all its channels, but not what others or the app track", () => {
    const shard = alone({ maxClientBytes: 340 });
    const [one, two, other, app] = [{}, {}, {}, {}];
    shard.clients.push([one, two], [other]);
    const text = "x".repeat(80);
    const track = (owner: object, topic: string) =>
      shard.tracker.track(owner, topic, "ann", { text });
    track(one, "room:1");
    track(two, "room:2");
    const message =
      /^presences of one connection for presence presence must have at most 340 \(bytes\)/;
    const refused = { code: "SIM_ERR_PRESENCE", message };
    assert.throws(() => track(one, "room:3"), refused);
    for (const topic of ["room:1", "room:2", "room:3", "room:4"]) track(app, topic);
    track(other, "room:1");
    assert.throws(() => shard.tracker.update(one, "room:1", "ann", { text: text + text }), refused);
    shard.tracker.update(one, "room:1", "ann", { text });
    shard.tracker.untrack(two, "room:2", "ann");
    shard.tracker.update(one, "room:1", "ann", { text: text + text });
    assert.equal(shard.tracked, 6);
  });

  it("accepts any key if allowed, even __proto__", async () => {
    const shard = alone({ keys: "any" });
    const keys = ["__proto__", "constructor", "10", "9", ""];
    for (const key of keys) shard.track(key);
    await turn();
    assert.deepEqual(shard.keys(), keys.toSorted());
    assert.deepEqual(Object.keys(diffOf(shard, 0).joins), ["__proto__"]);
    assert.equal(shard.metas("__proto__").length, 1);
    assert.equal(({} as { metas?: unknown }).metas, undefined);
  });

  it("announces nothing if nobody has subscribed", async () => {
    const shard = alone();
    shard.subscribers = 0;
    shard.track("ann");
    await turn();
    assert.deepEqual(shard.taken(), []);
    assert.deepEqual(shard.keys(), ["ann"]);
  });
});

describe("Announcements", () => {
  it("of a topic are one diff beyond 32 in one turn of the loop, and are separate again in the next", async () => {
    const shard = alone();
    const owners = Array.from({ length: 40 }, (_, at) => shard.track(`k${at}`));
    shard.track("elsewhere", "hall");
    for (const owner of owners.slice(34)) shard.tracker.ended(owner);
    await turn();
    const heard = shard.taken();
    assert.deepEqual(heard.slice(0, 2), ["room +k0", "room +k1"]);
    // Presences that joined and left within the turn are not announced.
    assert.deepEqual(heard.slice(31), ["room +k31", "hall +elsewhere", "room +k32 +k33"]);
    for (const owner of owners) shard.tracker.ended(owner);
    await turn();
    assert.equal(shard.taken().length, 33);
    assert.deepEqual(shard.keys(), []);
  });

  it("that were merged are sent even if nobody was subscribed for a while", async () => {
    const shard = alone();
    const owners = Array.from({ length: 33 }, (_, at) => shard.track(`k${at}`));
    void shard.tracker.list("room");
    shard.subscribers = 0;
    shard.tracker.ended(owners[0] as object);
    shard.subscribers = 1;
    await turn();
    assert.equal(shard.taken().at(-1), "room +k32 -k0");
  });

  it("are sent by dispatch, if it is defined", async () => {
    const shard = alone({
      dispatch(topic, { joins, leaves }, send) {
        const came = Object.keys(joins);
        if (came.includes("odd")) throw new Error("odd");
        send("presence_count", { topic, change: came.length - Object.keys(leaves).length });
      },
    });
    const ann = shard.track("ann");
    shard.track("odd");
    shard.track("bob");
    await turn();
    shard.tracker.ended(ann);
    assert.deepEqual(shard.sent, [
      ["presence_count", { topic: "room", change: 1 }],
      ["presence_count", { topic: "room", change: 1 }],
      ["presence_count", { topic: "room", change: -1 }],
    ]);
    assert.deepEqual(errorsOf(shard), ["Error: odd"]);
  });
});

describe("Telemetry", () => {
  it("reports diffs, failed fetches, and replicas that come and go", async (t) => {
    const heard: unknown[] = [];
    for (const name of ["presence_diff", "presence_fetch_failed", "presence_replica"]) {
      const take = (event: unknown): void => void heard.push([name, event]);
      subscribe(`simurgh:${name}`, take);
      t.after(() => unsubscribe(`simurgh:${name}`, take));
    }
    const shard = alone({ fetch: boom });
    shard.track("ann");
    await turn();
    const net = new PresenceNet();
    const [one, two] = [net.start("a", 2), net.start("a", 3)];
    one.subscribers = 0;
    net.kill(two);
    one.retire(3);
    one.tracker.close();
    const error = heard[0] && (heard[0] as [string, { error: unknown }])[1].error;
    assert.match(String(error), /boom/);
    const replica = { presence: "presence", node: "a" };
    assert.deepEqual(heard, [
      ["presence_fetch_failed", { presence: "presence", topic: "room", error }],
      ["presence_diff", { presence: "presence", topic: "room", joins: 1, leaves: 0 }],
      ["presence_replica", { ...replica, member: 3, status: "up" }],
      ["presence_replica", { ...replica, member: 2, status: "up" }],
      ["presence_replica", { ...replica, member: 3, status: "permdown" }],
    ]);
  });
});

describe("A fetch", () => {
  it("adds to lists, to single keys, and to both sides of a diff", async () => {
    const shard = alone({ fetch: withUser });
    const owner = shard.track("ann");
    shard.tracker.update(owner, "room", "ann", {});
    assert.equal((shard.tracker.list("room") as Presences)["ann"]?.["user"], "ANN");
    assert.equal((shard.tracker.getByKey("room", "ann") as Presences[string])["user"], "ANN");
    await turn();
    const { joins, leaves } = diffOf(shard, 1);
    assert.deepEqual([joins["ann"]?.["user"], leaves["ann"]?.["user"]], ["ANN", "ANN"]);
  });

  it("is not called for an empty side, or if nobody has subscribed", async () => {
    const asked: string[] = [];
    const shard = alone({
      fetch: (topic, presences) => {
        asked.push(`${topic} ${Object.keys(presences).join()}`);
        return presences;
      },
    });
    shard.track("ann");
    await turn();
    shard.subscribers = 0;
    shard.track("bob");
    await turn();
    assert.deepEqual(asked, ["room ann"]);
    void shard.tracker.list("nowhere");
    assert.deepEqual(asked, ["room ann", "nowhere "], "a list is always fetched");
  });

  it("may take its time: diffs of a topic wait in order, those of others do not", async () => {
    const gates = new Map<string, Deferred<Presences>>();
    const shard = alone({
      fetch: (topic, presences) => {
        if (topic === "hall") return presences;
        const gate = new Deferred<Presences>();
        gates.set(Object.keys(presences).join(), gate);
        return gate.promise;
      },
    });
    shard.track("ann");
    await turn();
    shard.track("bob");
    shard.track("cat", "hall");
    await turn();
    assert.deepEqual(shard.taken(), ["hall +cat"]);
    assert.deepEqual([...gates.keys()], ["ann", "bob"], "both are fetched at the same time");
    gates.get("bob")?.resolve({ bob: { metas: [], late: 1 } });
    await turn();
    assert.deepEqual(shard.taken(), []);
    gates.get("ann")?.resolve({ ann: { metas: [] } });
    await turn();
    assert.deepEqual(shard.taken(), ["room +ann", "room +bob"]);
    assert.deepEqual(shard.diffs.at(-1)?.payload, {
      joins: { bob: { metas: [], late: 1 } },
      leaves: {},
    });
  });

  it("that is pending delays no tracking, and lists have fetches of their own", async () => {
    const shard = alone({ fetch: async (_topic, presences) => presences });
    const owner = shard.track("ann");
    shard.tracker.untrack(owner, "room", "ann");
    shard.track("bob");
    assert.deepEqual(Object.keys(await shard.tracker.list("room")), ["bob"]);
    assert.equal((await shard.tracker.getByKey("room", "bob"))?.metas.length, 1);
    assert.equal(await shard.tracker.getByKey("room", "ann"), undefined);
    await turn();
    assert.deepEqual(shard.taken(), ["room +ann", "room -ann", "room +bob"]);
  });

  it("merges the diffs that arise while many fetches are pending", async () => {
    const gates: Deferred<void>[] = [];
    const shard = alone({
      fetch: async (_topic, presences) => {
        const gate = new Deferred<void>();
        gates.push(gate);
        await gate.promise;
        return presences;
      },
    });
    const owners: object[] = [];
    for (let at = 0; at < 40; at += 1) {
      owners.push(shard.track(`k${at}`));
      if (at === 20) await turn();
    }
    await turn();
    assert.equal(gates.length, 32);
    // A presence that joined and left unseen is not announced; one that was announced leaves.
    shard.tracker.ended(owners[39] as object);
    shard.tracker.ended(owners[0] as object);
    shard.track("late");
    await turn();
    for (const gate of gates) gate.resolve();
    await turn();
    assert.equal(gates.length, 34);
    for (const gate of gates) gate.resolve();
    await turn();
    const heard = shard.taken();
    assert.equal(heard.length, 33);
    assert.equal(heard.at(-1), "room +k32 +k33 +k34 +k35 +k36 +k37 +k38 +late -k0");
  });

  it("is followed by the leave, even for clients that subscribe while the join waits", async () => {
    const gate = new Deferred<Presences>();
    const shard = alone({
      fetch: (_topic, presences) => (presences["ann"] ? gate.promise : presences),
    });
    const owner = shard.track("ann");
    await turn();
    shard.subscribers = 0;
    shard.tracker.ended(owner);
    shard.subscribers = 1;
    gate.resolve({ ann: { metas: [] } });
    await turn();
    assert.deepEqual(shard.taken(), ["room +ann", "room -ann"]);
  });

  for (const [how, fetch, said] of [
    [
      "throws",
      (): never => {
        throw new Error("no database");
      },
      /no database/,
    ],
    [
      "rejects",
      async (): Promise<never> => {
        throw new Error("no database");
      },
      /no database/,
    ],
    [
      "gives nothing",
      () => undefined as never,
      /must return an object of entries by key, got undefined/,
    ],
    [
      "gives entries without metas",
      () => ({ ann: {} }) as never,
      /metas in each entry, got undefined at "ann"/,
    ],
    ["gives what JSON cannot write", () => ({ ann: { metas: [], n: 1n } }), /JSON|BigInt/],
    [
      "changes its argument and throws",
      (_topic: string, presences: Presences): never => {
        delete presences["ann"];
        throw new Error("half way");
      },
      /half way/,
    ],
  ] as const satisfies readonly (readonly [string, FetchOf, RegExp])[]) {
    it(`that ${how} leaves its own diff without its result, and is logged`, async () => {
      let isBroken = true;
      const shard = alone({
        fetch: (topic, presences) =>
          isBroken ? (fetch as FetchOf)(topic, presences) : withUser(topic, presences),
      });
      const ref = shard.tracker.track({}, "room", "ann", { n: 1 });
      await turn();
      isBroken = false;
      shard.track("bob");
      await turn();
      assert.deepEqual(shard.diffs[0]?.payload, {
        joins: { ann: { metas: [{ n: 1, phx_ref: ref }] } },
        leaves: {},
      });
      const { joins } = diffOf(shard, 1);
      assert.equal(joins["bob"]?.["user"], "BOB");
      const [error, ...others] = errorsOf(shard);
      assert.match(error ?? "", said);
      assert.equal(others.length, 0);
    });
  }

  it("that throws for a list throws there", async () => {
    const shard = alone({
      fetch: () => {
        throw new Error("no database");
      },
    });
    assert.throws(() => shard.tracker.list("room"), /no database/);
    const bad = alone({ fetch: async () => 7 as never });
    await assert.rejects(async () => bad.tracker.list("room"), { code: "SIM_ERR_BAD_RESULT" });
  });

  it("that does not settle in time has the same effect, and later diffs follow", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const shard = alone({
      fetchTimeoutMs: 500,
      fetch: (_topic, presences) => (presences["ann"] ? new Promise<never>(() => {}) : presences),
    });
    shard.track("ann");
    shard.track("bob");
    await turn();
    assert.deepEqual(shard.taken(), []);
    t.mock.timers.tick(499);
    await turn();
    assert.deepEqual(shard.taken(), []);
    t.mock.timers.tick(1);
    await turn();
    assert.deepEqual(shard.taken(), ["room +ann", "room +bob"]);
    assert.match(errorsOf(shard)[0] ?? "", /fetch must settle within 500 \(ms\)/);
  });
});

describe("handleMetas", () => {
  it("is called with each diff after its broadcast, and with the presences after it", async () => {
    const told: unknown[] = [];
    const shard: PresenceShard = alone({
      init: () => 0,
      handleMetas: (topic, { joins, leaves }, metas, state) => {
        const there = Object.entries(metas).map(([key, all]) => `${key} ${all.length}`);
        told.push([
          topic,
          Object.keys(joins),
          Object.keys(leaves),
          there,
          state,
          shard.diffs.length,
        ]);
        return (state as number) + 1;
      },
    });
    const ann = shard.track("ann");
    shard.track("ann");
    shard.tracker.update(ann, "room", "ann", {});
    await turn();
    shard.tracker.ended(ann);
    shard.track("bob", "hall");
    await turn();
    assert.deepEqual(told, [
      ["room", ["ann"], [], ["ann 1"], 0, 1],
      ["room", ["ann"], [], ["ann 2"], 1, 2],
      ["room", ["ann"], ["ann"], ["ann 2"], 2, 3],
      ["room", [], ["ann"], ["ann 1"], 3, 4],
      ["hall", ["bob"], [], ["bob 1"], 4, 5],
    ]);
  });

  it("is called even if nobody has subscribed", async () => {
    const told: string[] = [];
    const shard = alone({ init: () => null, handleMetas: (topic) => void told.push(topic) });
    shard.subscribers = 0;
    shard.track("ann");
    await turn();
    assert.deepEqual([told, shard.diffs], [["room"], []]);
  });

  it("may track, and is called with that in its turn", async () => {
    const states: unknown[] = [];
    const shard: PresenceShard = alone({
      init: () => "",
      handleMetas: (_topic, { joins }, _metas, state) => {
        states.push(state);
        if (joins["ann"]) {
          shard.track("shadow");
          // Announces it within this call.
          void shard.tracker.list("room");
        }
        return `${String(state)}${Object.keys(joins).join()}.`;
      },
    });
    for (const key of ["ann", "bob"]) shard.track(key);
    await turn();
    assert.deepEqual(shard.taken(), ["room +ann", "room +shadow", "room +bob"]);
    assert.deepEqual(states, ["", "ann.", "ann.shadow."]);
  });

  it("affects nothing else if it throws, which is logged", async () => {
    const states: unknown[] = [];
    const shard = alone({
      init: () => 1,
      handleMetas: (_topic, { joins }, _metas, state) => {
        states.push(state);
        if (joins["ann"]) throw new Error("odd");
        return (state as number) + 1;
      },
    });
    for (const key of ["bob", "ann", "cat"]) shard.track(key);
    await turn();
    assert.deepEqual(states, [1, 2, 2]);
    assert.equal(shard.taken().length, 3);
    assert.deepEqual(errorsOf(shard), ["Error: odd"]);
  });
});

const REPLICA = new Replica({ node: "n", member: 2, incarnation: 1 });

function row(topic: string, key: string, dot = 1): Row {
  return new Row(REPLICA, { topic, key, dot, meta: { phx_ref: "r" } });
}

describe("Owners", () => {
  it("have one presence or several, and return them when they end", () => {
    const owners = new Owners();
    const [ann, bob] = [{}, {}];
    const rows = [row("room", "a"), row("room", "b"), row("hall", "a")];
    for (const each of rows) owners.set(ann, each);
    owners.set(bob, row("room", "a"));
    assert.equal(owners.get(ann, "room", "b"), rows[1]);
    assert.equal(owners.get(ann, "hall", "b"), undefined);
    assert.notEqual(owners.get(bob, "room", "a"), rows[0]);
    assert.deepEqual(owners.take(ann), rows);
    assert.deepEqual(owners.take(ann), []);
    assert.equal(owners.get(ann, "room", "a"), undefined);
    assert.equal(owners.take(bob).length, 1);
  });

  it("keep the later of two rows for the same key", () => {
    const owners = new Owners();
    const ann = {};
    for (const count of [1, 2]) {
      const later = row("room", "a", count);
      owners.set(ann, later);
      assert.equal(owners.get(ann, "room", "a"), later);
    }
    owners.set(ann, row("room", "b"));
    const last = row("room", "a", 3);
    owners.set(ann, last);
    assert.deepEqual(
      owners.take(ann).map(({ key, dot }) => [key, dot]),
      [
        ["a", 3],
        ["b", 1],
      ],
    );
  });

  it("forget presences that are removed one by one", () => {
    const owners = new Owners();
    const ann = {};
    const rows = [row("room", "a"), row("room", "b")];
    for (const each of rows) owners.set(ann, each);
    for (const each of rows) owners.delete(ann, each);
    owners.delete(ann, row("room", "a"));
    assert.deepEqual(owners.take(ann), []);
    owners.set(ann, rows[0] as Row);
    owners.delete(ann, row("room", "a"));
    assert.equal(owners.take(ann).length, 1, "another row of the same place was taken for it");
  });

  it("distinguish topics and keys that are equal when joined", () => {
    const owners = new Owners();
    const ann = {};
    owners.set(ann, row("room:1", "0"));
    owners.set(ann, row("room:", "10"));
    owners.set(ann, row("room", ":10"));
    assert.equal(owners.get(ann, "room:1", "0")?.key, "0");
    assert.equal(owners.get(ann, "room:", "10")?.key, "10");
    assert.equal(owners.take(ann).length, 3);
  });
});
