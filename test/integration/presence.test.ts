/**
 * Presence as Phoenix's official client sees it, on one shard and on several, whatever happens to channels,
 * connections, shards and nodes.
 *
 * Runs on: the main thread of the tests; the server's shards are threads of the same process.
 * Slow: each test starts shards or nodes, which have to agree.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";

import { memoryAdapter } from "../../src/raw.ts";
import { GATE, GATED_TOPIC } from "../apps/presences.ts";
import { CUT_TOPIC, RESTORE_TOPIC, severedAdapter } from "../apps/severed-adapter.ts";
import { stallingAdapter, STALLING_TOPIC } from "../apps/stalling-adapter.ts";
import { Client, joined } from "../support/client.ts";
import { noSecondShard } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { leave, push, received } from "../support/phoenix-client.ts";
import { Present } from "../support/present.ts";
import { startServer } from "../support/server.ts";
import type { Server } from "../support/server.ts";

const DEADLINE_MS = 20_000;

let present: Present[] = [];

async function enter(
  server: Server,
  name: string,
  topic?: string,
  payload?: object,
): Promise<Present> {
  const one = await Present.join(server.port, name, topic, payload);
  present.push(one);
  return one;
}

/** Enters until a connection is on this shard. */
async function enterOn(
  server: Server,
  shard: number,
  name: string,
  topic?: string,
): Promise<Present> {
  // An engine may leave it to the system which shard gets a connection.
  for (let count = 0; count < server.shards * 32; count += 1) {
    const one = await Present.begin(server.port, name, topic ?? "room:1");
    if (one.shard === shard) {
      present.push(one);
      await one.sees((keys) => keys.includes(name), "itself");
      return one;
    }
    await one.disconnect();
  }
  return assert.fail(`no connection was assigned to shard ${shard}`);
}

afterEach(async () => {
  await Promise.all(present.map((one) => one.disconnect()));
  present = [];
});

/** Clients that were sent away keep the list that they have seen until they have joined again. */
async function untilListed(server: Server, names: readonly string[]): Promise<void> {
  const listed = async (): Promise<string[]> => Object.keys(await server.presence().list("room:1"));
  while ((await listed()).toSorted().join() !== names.join());
}

/** Returns the devices in Ann's metas, as one client sees them. */
function devicesOf(one: Present): string[] {
  const lists = one.list<string[]>((key, { metas }) =>
    key === "ann" ? metas.map(({ device }) => String(device)) : [],
  );
  return lists.flat().toSorted();
}

/** Returns what was fetched for each key. */
function fruitsOf(one: Present): string[] {
  return one.list<string>((key, { fruit }) => `${key} ${String(fruit)}`).toSorted();
}

for (const shards of [1, 2, 3]) {
  describe(`The official client's Presence, with ${shards} shards`, () => {
    let server: Server;
    const gate = new Int32Array(new SharedArrayBuffer(8));
    before(async () => {
      server = await startServer("presences", { shards, data: gate.buffer });
    });
    after(() => server.close());

    it("sees joins and leaves, and itself", async () => {
      const ann = await enter(server, "ann");
      const bob = await enter(server, "bob");
      const cat = await enter(server, "cat");
      for (const one of [ann, bob, cat]) await one.seesOnly("ann", "bob", "cat");
      await leave(bob.channel);
      for (const one of [ann, cat]) await one.seesOnly("ann", "cat");
      await cat.disconnect();
      await ann.seesOnly("ann");
      assert.deepEqual(
        ann.told.filter((told) => !told.endsWith("ann")),
        ["join bob", "join cat", "leave bob", "leave cat"],
      );
    });

    it("sees several metas of one key, and each of their updates", async () => {
      const phone = await enter(server, "ann", "room:metas", { device: "phone" });
      const tablet = await enter(server, "ann", "room:metas", { device: "tablet" });
      const bob = await enter(server, "bob", "room:metas");
      await push(phone.channel, "update", { device: "watch" });
      for (const one of [phone, tablet, bob]) {
        await one.sees(() => devicesOf(one).join() === "tablet,watch", "the update");
      }
      await leave(tablet.channel);
      await bob.seesOnly("ann", "bob");
      assert.deepEqual(devicesOf(bob), ["watch"]);
    });

    it("does not see a presence that is untracked, although its channel continues", async () => {
      const ann = await enter(server, "ann", "room:untrack");
      const bob = await enter(server, "bob", "room:untrack");
      await ann.seesOnly("ann", "bob");
      await push(bob.channel, "untrack", {});
      await ann.seesOnly("ann");
      assert.deepEqual(await push(bob.channel, "list", {}), await push(ann.channel, "list", {}));
    });

    it("sees all presences that join at once, each in a diff of its own", async () => {
      const watcher = await enter(server, "watcher", "room:many");
      const sizes: number[] = [];
      watcher.channel.on("presence_diff", (diff) => {
        sizes.push(Object.keys((diff as { joins: object }).joins).length);
      });
      const names = ["m1", "m2", "m3", "m4", "m5"];
      const many = await Promise.all(names.map((name) => enter(server, name, "room:many")));
      for (const one of [watcher, ...many]) await one.seesOnly("watcher", ...names);
      assert.deepEqual(sizes, [1, 1, 1, 1, 1]);
      await Promise.all(many.map((one) => one.disconnect()));
      await watcher.seesOnly("watcher");
    });

    it("sees a presence that returned after a crash once, under another ref", async () => {
      const ann = await enter(server, "ann", "room:crash");
      const bob = await enter(server, "bob", "room:crash");
      await ann.seesOnly("ann", "bob");
      bob.channel.push("crash", {});
      await ann.sees(
        () => ann.told.filter((told) => told === "join bob").length === 2,
        "bob again",
      );
      await ann.seesOnly("ann", "bob");
      assert.deepEqual(
        ann.told.filter((told) => told.endsWith("bob")),
        ["join bob", "leave bob", "join bob"],
      );
    });

    for (const [how, end] of [
      ["stops", async (one: Present) => void one.channel.push("stop", {})],
      ["is disconnected by its id", async (one: Present) => server.disconnect(`users:${one.name}`)],
    ] as const) {
      it(`does not see a presence whose channel ${how}`, async () => {
        const topic = `room:who ${how}`;
        const ann = await enter(server, "ann", topic);
        const bob = await enter(server, `bob who ${how}`, topic);
        await ann.seesOnly("ann", bob.name);
        // It would reconnect.
        await end(bob);
        await ann.sees(() => ann.told.includes(`leave ${bob.name}`), "the leave");
      });
    }

    it("does not see a presence whose join was refused, or crashed, after tracking", async () => {
      const ann = await enter(server, "ann", "room:joins");
      const client = await Client.connect(server.port, { params: { user_id: "bob" } });
      for (const payload of [{ refuse: true }, { crash: true }]) {
        const { status } = await client.replyTo(client.join("room:joins", payload));
        assert.equal(status, "error");
      }
      await client.close();
      const told = ["join bob", "leave bob", "join bob", "leave bob"];
      await ann.sees(
        () => ann.told.filter((one) => one.endsWith("bob")).length === 4,
        "four diffs",
      );
      assert.deepEqual(
        ann.told.filter((one) => one.endsWith("bob")),
        told,
      );
    });

    it("sees a presence whose channel is ending until it has ended", async () => {
      const ann = await enter(server, "ann", GATED_TOPIC);
      const bob = await enter(server, "bob", GATED_TOPIC);
      await ann.seesOnly("ann", "bob");
      const isEnding = Promise.resolve(Atomics.waitAsync(gate, GATE.isReached, 0).value);
      await bob.disconnect();
      await within(isEnding, "the terminate of bob's channel");
      const listed = (await push(ann.channel, "list", {})) as object;
      assert.deepEqual(Object.keys(listed).toSorted(), ["ann", "bob"]);
      Atomics.store(gate, GATE.isOpen, 1);
      Atomics.notify(gate, GATE.isOpen);
      await ann.seesOnly("ann");
    });

    it("gets fetched metas, in lists and in diffs, in order", async () => {
      const ann = await enter(server, "ann", "users:1");
      const bob = await enter(server, "bob", "users:1");
      const eve = await enter(server, "eve", "users:1");
      for (const one of [ann, bob, eve]) {
        await one.seesOnly("ann", "bob", "eve");
        assert.deepEqual(fruitsOf(one), ["ann apple", "bob banana", "eve null"]);
      }
      assert.deepEqual(ann.told.slice(-2), ["join bob", "join eve"]);
    });

    it("gets diffs without fetched metas if fetch fails", async () => {
      const ann = await Present.begin(server.port, "ann", "users:broken");
      present.push(ann);
      await ann.seesOnly("ann");
      const bob = await Present.begin(server.port, "bob", "users:broken");
      present.push(bob);
      await ann.seesOnly("ann", "bob");
      await bob.disconnect();
      await ann.seesOnly("ann");
    });

    it("sees presences tracked on other topics than the channel's own, and by shards", async () => {
      const ann = await enter(server, "ann", "room:elsewhere");
      const bob = await enter(server, "bob", "room:bob");
      await push(bob.channel, "track_more", { count: 2, topic: "room:elsewhere" });
      await ann.seesOnly("ann", "bob 0", "bob 1");
      await bob.disconnect();
      await ann.seesOnly("ann");
      const { body } = await request(server, "POST", "/shard");
      assert.equal(Object.keys(JSON.parse(body) as object).length, 1);
      const listed = (await push(ann.channel, "list_of", { topic: "shards" })) as object;
      assert.deepEqual(Object.keys(listed), Object.keys(JSON.parse(body) as object));
    });

    it("is the same over long-poll and version 1", async () => {
      const ann = await enter(server, "ann", "room:v1");
      const client = await Client.connect(server.port, {
        vsn: "1.0.0",
        params: { user_id: "old" },
      });
      await joined(client, "room:v1", { device: 1 });
      const { payload } = await client.next("presence_diff");
      const { joins } = payload as { joins: { old: { metas: { phx_ref: string }[] } } };
      const ref = joins.old.metas[0]?.phx_ref;
      assert.match(String(ref), /^[\w-]{16}$/);
      const state = (await client.next("presence_state")).payload as Record<string, unknown>;
      assert.deepEqual(state["old"], { metas: [{ device: 1, phx_ref: ref }] });
      await ann.seesOnly("ann", "old");
      await client.cut();
      await ann.seesOnly("ann");
    });

    it("is known to the host, through any of its shards", async () => {
      await enter(server, "ann", "room:host", { device: "phone" });
      await enter(server, "__bob", "room:host");
      const listed = await server.presence().list("room:host");
      assert.equal(Object.getPrototypeOf(listed), null);
      assert.deepEqual(Object.keys(listed).toSorted(), ["__bob", "ann"]);
      assert.equal(listed["ann"]?.metas[0]?.["device"], "phone");
      assert.deepEqual(await server.presence().getByKey("room:host", "ann"), listed["ann"]);
      assert.equal(await server.presence().getByKey("room:host", "eve"), undefined);
      assert.deepEqual({ ...(await server.presence().list("room:nobody")) }, {});
      await enter(server, "ann", "users:host");
      assert.equal(
        (await server.presence("users").getByKey("users:host", "ann"))?.["fruit"],
        "apple",
      );
      await assert.rejects(server.presence("users").list("users:broken"), /no database/);
      await assert.rejects(server.presence("rooms").list("room:host"), {
        code: "SIM_ERR_PRESENCE",
        message: "presence must be one of the endpoint's (presence, users), got rooms",
      });
    });
  });
}

async function request(
  server: Server,
  method: string,
  path: string,
): Promise<{ readonly body: string }> {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
  return { body: await response.text() };
}

describe("A tracking channel", () => {
  let server: Server;
  before(async () => {
    server = await startServer("presences", { shards: 1 });
  });
  after(() => server.close());

  it("sends its client the reply to the join, its own diff, and the list", async () => {
    const client = await Client.connect(server.port, { params: { user_id: "ann" } });
    await client.replyTo(client.join("room:order", { device: "phone" }));
    const diff = await client.next("presence_diff");
    assert.deepEqual([diff.joinRef, diff.ref, diff.topic], [null, null, "room:order"]);
    const { joins, leaves } = diff.payload as { joins: object; leaves: object };
    assert.deepEqual([Object.keys(joins), leaves], [["ann"], {}]);
    const state = await client.next("presence_state");
    assert.deepEqual([state.joinRef, state.ref, state.payload], ["11", null, joins]);
    await client.close();
  });

  it("sends its client replies before the diffs of the handled message, and an update as one diff", async () => {
    const client = await Client.connect(server.port, { params: { user_id: "ann" } });
    await joined(client, "room:replies", { device: 1 });
    await client.next("presence_diff");
    const { payload: state } = await client.next("presence_state");
    const [old] = (state as { ann: { metas: { phx_ref: string }[] } }).ann.metas;
    const { response } = await client.replyTo(client.push("room:replies", "update", { device: 2 }));
    const { ref } = response as { ref: string };
    const { payload: updated } = await client.next("presence_diff");
    assert.deepEqual(updated, {
      joins: { ann: { metas: [{ device: 2, phx_ref: ref, phx_ref_prev: old?.phx_ref }] } },
      leaves: { ann: { metas: [old] } },
    });
    await client.replyTo(client.push("room:replies", "untrack"));
    const { payload: gone } = await client.next("presence_diff");
    assert.deepEqual(Object.keys((gone as { leaves: object }).leaves), ["ann"]);
    await client.replyTo(client.push("room:replies", "untrack"));
    await client.nothingMore();
    await client.close();
  });

  it("that a rejoin replaces leaves before the new one joins, and its client sees only the new one", async () => {
    const watcher = await Client.connect(server.port, { params: { user_id: "watcher" } });
    await joined(watcher, "room:rejoin");
    for (const event of ["presence_diff", "presence_state"]) await watcher.next(event);
    const client = await Client.connect(server.port, { params: { user_id: "ann" } });
    await joined(client, "room:rejoin");
    for (const event of ["presence_diff", "presence_state"]) await client.next(event);
    await client.replyTo(client.join("room:rejoin"));
    const events = [];
    for (let count = 0; count < 3; count += 1) events.push((await client.next()).event);
    assert.deepEqual(events, ["phx_close", "presence_diff", "presence_state"]);
    await client.nothingMore();
    const diffs = [];
    for (let count = 0; count < 3; count += 1) {
      const { joins, leaves } = (await watcher.next("presence_diff")).payload as Record<
        string,
        object
      >;
      diffs.push([Object.keys(joins ?? {}), Object.keys(leaves ?? {})]);
    }
    assert.deepEqual(diffs, [
      [["ann"], []],
      [[], ["ann"]],
      [["ann"], []],
    ]);
    await Promise.all([client.close(), watcher.close()]);
  });

  it("is counted, with what it tracks", async () => {
    const counted = (): number => server.stats().total.presences;
    // Those of the tests before are untracked when their shards have seen their clients go.
    const untracked = async (): Promise<void> => {
      while (counted() > 0) await server.subscribers("room:count");
    };
    await within(untracked(), "the end of earlier presences");
    const ann = await enter(server, "ann", "room:count");
    await push(ann.channel, "track_more", { count: 3 });
    assert.equal(counted(), 4);
    await push(ann.channel, "untrack_more", { count: 1 });
    assert.equal(counted(), 3);
    const bob = await enter(server, "bob", "room:count");
    await ann.disconnect();
    await bob.seesOnly("bob");
    assert.equal(counted(), 1);
  });
});

describe("The server's own topics", () => {
  let server: Server;
  before(async () => {
    server = await startServer("presences", { shards: 2 });
  });
  after(() => server.close());

  it("cannot be joined by clients, whatever the patterns", async () => {
    const client = await Client.connect(server.port);
    await joined(client, "anything");
    const { status, response } = await client.replyTo(client.join("phx_presence:presence"));
    assert.deepEqual([status, response], ["error", { reason: "unmatched topic" }]);
    await client.close();
  });

  it("cannot be broadcast to by the host, and are not listed", async () => {
    const refused = { code: "SIM_ERR_PAYLOAD", message: /must not be reserved by the server/ };
    assert.throws(() => server.broadcast("phx_presence:presence", "delta", {}), refused);
    assert.throws(
      () => server.broadcast("phx_presence:x", "delta", {}, { scope: "node" }),
      refused,
    );
    assert.throws(
      () => server.broadcast("phx_presence:x", "delta", {}, { node: "elsewhere" }),
      refused,
    );
    assert.deepEqual(await server.topics({ prefix: "phx_" }), []);
  });
});

describe("Several shards", { skip: noSecondShard }, () => {
  let server: Server;
  afterEach(() => server.close());

  it("lose the presences of one that ended at once, and find them again on others", async () => {
    server = await startServer("presences", { shards: 2 });
    const ann = await enterOn(server, 0, "ann");
    const bob = await enterOn(server, 1, "bob");
    const cat = await enterOn(server, 1, "cat");
    await ann.seesOnly("ann", "bob", "cat");
    const startedMs = performance.now();
    await push(bob.channel, "exit_shard", {});
    await ann.sees(
      () => ann.told.includes("leave bob") && ann.told.includes("leave cat"),
      "both leaves",
    );
    // They reconnect by themselves: no ghost stays behind, and nothing waits for a timeout.
    for (const one of [ann, bob, cat]) await one.seesOnly("ann", "bob", "cat");
    assert.ok(performance.now() - startedMs < 15_000);
  });

  it("learn of a presence before later broadcasts of its channel", async () => {
    server = await startServer("presences", { shards: 2 });
    const speaker = await enterOn(server, 0, "speaker");
    const listener = await enterOn(server, 1, "listener");
    const heard: string[] = [];
    const done = received(listener.channel, "shout 20");
    listener.channel.onMessage = (event, payload) => {
      const { joins, n } = payload as { joins?: object; n?: number };
      if (event === "presence_diff") heard.push(Object.keys(joins ?? {}).join());
      if (event === "shout") heard.push(`shout ${n}`);
      return payload;
    };
    for (let n = 1; n <= 20; n += 1) speaker.channel.push("track_and_shout", { n });
    speaker.channel.push("last_shout", { n: 20 });
    await done;
    const numbers = Array.from({ length: 20 }, (_, at) => at + 1);
    assert.deepEqual(
      heard,
      numbers.flatMap((n) => [`n ${n}`, `shout ${n}`]),
    );
  });

  it("keep all presences while one after the other is restarted", async () => {
    server = await startServer("presences", { shards: 2 });
    const names = ["ann", "bob", "cat", "dan"];
    for (const name of names) await enter(server, name);
    const [ann] = present as [Present];
    for (const shard of [0, 1, 0]) {
      await within(server.restartShard(shard), `the restart of shard ${shard}`, DEADLINE_MS);
      for (const one of present) await one.seesOnly(...names);
    }
    await within(untilListed(server, names), "the list of all", DEADLINE_MS);
    await ann.disconnect();
    await (present[1] as Present).seesOnly("bob", "cat", "dan");
  });

  it("agree again after one lost records because its rings and queues were full", async () => {
    server = await startServer("presences", {
      presenceClientBytes: 1_048_576,
      shards: 2,
      ringBytes: 4_096,
      overflowBytes: 65_536,
      overflowTotalBytes: 65_536,
      // No heartbeat tells it what it missed.
      presenceSilentPeriods: 300,
    });
    const slow = await enterOn(server, 0, "slow", "room:slow");
    const quick = await enterOn(server, 1, "quick", "room:quick");
    const { lapped } = server.stats().total;
    await push(slow.channel, "spin", { ms: 1_500 });
    await push(quick.channel, "track_more", { count: 1_000 });
    await push(quick.channel, "untrack_more", { count: 400 });
    assert.ok(server.stats().total.lapped > lapped, "nothing was lost");
    const agreed = async (): Promise<void> => {
      let count = 0;
      while (count !== 601) {
        const listed = await push(slow.channel, "list_of", { topic: "room:quick" });
        count = Object.keys(listed as object).length;
      }
    };
    await within(agreed(), "all that was tracked", DEADLINE_MS);
  });
});

describe("A node that is silent", () => {
  let nodes: readonly Server[] = [];
  let hub = 0;

  async function startNodes(
    options: Parameters<typeof startServer>[1],
  ): Promise<readonly [Server, Server]> {
    hub += 1;
    const start = async (nodeName: string): Promise<Server> =>
      startServer("presences", {
        presenceClientBytes: 1_048_576,
        shards: 2,
        presencePeriodMs: 50,
        presenceSilentPeriods: 2,
        adapter: severedAdapter({ hub: `severed-${hub}`, nodeName }),
        ...options,
      });
    const both = [await start("ant"), await start("bee")] as const;
    nodes = both;
    return both;
  }
  afterEach(() => Promise.all(nodes.map((node) => node.close())));

  it("is not seen after the down period, and is seen again once it is heard", async () => {
    const [ant, bee] = await startNodes({ presenceDownMs: 400 });
    const ann = await enter(ant, "ann");
    const bob = await enter(bee, "bob");
    await ann.seesOnly("ann", "bob");
    await bob.seesOnly("ann", "bob");
    bee.broadcast(CUT_TOPIC, "now");
    for (const one of [ann, bob]) await one.seesOnly(one.name);
    const cat = await enter(ant, "cat");
    const dan = await enter(bee, "dan");
    bee.broadcast(RESTORE_TOPIC, "now");
    for (const one of [ann, bob, cat, dan]) await one.seesOnly("ann", "bob", "cat", "dan");
    assert.deepEqual(
      ann.told.filter((told) => told.endsWith("bob")),
      ["join bob", "leave bob", "join bob"],
    );
  });
});

describe("Several nodes", () => {
  let nodes: Server[] = [];
  let hub = 0;

  beforeEach(async () => {
    hub += 1;
    nodes = await Promise.all(
      ["ant", "bee"].map((nodeName) =>
        startServer("presences", {
          shards: 2,
          presencePeriodMs: 50,
          presenceSilentPeriods: 2,
          adapter: memoryAdapter({ hub: `presence-${hub}`, nodeName }),
        }),
      ),
    );
  });
  afterEach(() => Promise.all(nodes.map((node) => node.close())));

  it("see the presences of the others, and their leaves", async () => {
    const [ant, bee] = nodes as [Server, Server];
    const ann = await enter(ant, "ann");
    const bob = await enter(bee, "bob");
    const cat = await enter(bee, "cat");
    for (const one of [ann, bob, cat]) await one.seesOnly("ann", "bob", "cat");
    await push(bob.channel, "update", { device: "watch" });
    await ann.sees(
      () =>
        ann
          .list<unknown>((key, { metas }) => (key === "bob" ? metas[0]?.["device"] : ""))
          .includes("watch"),
      "the update",
    );
    await cat.disconnect();
    for (const one of [ann, bob]) await one.seesOnly("ann", "bob");
    assert.deepEqual(Object.keys(await ant.presence().list("room:1")).toSorted(), ["ann", "bob"]);
  });

  it("drop the presences of a node that closes", async () => {
    const [ant, bee] = nodes as [Server, Server];
    const ann = await enter(ant, "ann");
    await enter(bee, "bob");
    await ann.seesOnly("ann", "bob");
    await bee.close();
    await ann.seesOnly("ann");
  });

  it("show their presences to a node that joins later", async () => {
    const [ant] = nodes as [Server, Server];
    await enter(ant, "ann");
    const cat = await startServer("presences", {
      shards: 2,
      presencePeriodMs: 50,
      adapter: memoryAdapter({ hub: `presence-${hub}`, nodeName: "cat" }),
    });
    nodes.push(cat);
    const dan = await enter(cat, "dan");
    await dan.seesOnly("ann", "dan");
  });

  it("agree again after a link lost records, which the others learn of as a gap", async () => {
    const options = {
      shards: 1,
      presencePeriodMs: 20,
      presenceSilentPeriods: 1_000,
      ringBytes: 4_096,
      overflowBytes: 65_536,
      overflowTotalBytes: 65_536,
    };
    const [fly, gnat] = await Promise.all(
      ["fly", "gnat"].map((nodeName) =>
        startServer("presences", {
          ...options,
          adapter: stallingAdapter({ hub: `gap-${hub}`, nodeName }),
        }),
      ),
    );
    assert.ok(fly && gnat);
    nodes.push(fly, gnat);
    const far = await enter(gnat, "far");
    const near = await enter(fly, "near");
    await far.seesOnly("far", "near");
    const { lapped } = fly.stats().total;
    // The link receives nothing for a while.
    fly.broadcast(STALLING_TOPIC, "now");
    for (let round = 0; fly.stats().total.lapped === lapped; round += 1) {
      await push(near.channel, "track_more", { count: 300 });
      await push(near.channel, "untrack_more", { count: 300 });
      assert.ok(round < 400, "nothing was lost");
    }
    await push(near.channel, "track_more", { count: 5 });
    await far.seesOnly("far", "near", "near 0", "near 1", "near 2", "near 3", "near 4");
  });

  it("drop the presences of another node's restarted shard, except those that returned", async () => {
    const [ant, bee] = nodes as [Server, Server];
    const ann = await enter(ant, "ann");
    await enter(bee, "bob");
    await enter(bee, "cat");
    await ann.seesOnly("ann", "bob", "cat");
    for (let shard = 0; shard < bee.shards; shard += 1) {
      await within(bee.restartShard(shard), `the restart of shard ${shard}`, DEADLINE_MS);
      await ann.seesOnly("ann", "bob", "cat");
    }
  });
});
