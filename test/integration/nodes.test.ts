/**
 * Three nodes in one process, each with its shards and a link thread, over the in-memory adapter.
 *
 * Runs on: the main thread of the tests, which is also the main thread of all three nodes.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";

import { memoryAdapter } from "../../src/raw.ts";
import type { Broadcast } from "../../src/index.ts";
import { Client, joined } from "../support/client.ts";
import { shardsOf } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { startServer, startServerWith } from "../support/server.ts";
import type { Server } from "../support/server.ts";

const NAMES = ["ant", "bee", "cat"];
/** Shards of each node; they may differ. */
const SHARDS = [2, 2, 1];

/** Reads the numbers of all shouts up to the one that ends the test. */
async function numbersOf(client: Client): Promise<unknown[]> {
  const numbers: unknown[] = [];
  for (;;) {
    const { payload } = await client.next("shout");
    const { n } = payload as { n: unknown };
    if (n === "end") return numbers;
    numbers.push(n);
  }
}

describe("nodes of a cluster", () => {
  let nodes: readonly Server[] = [];
  let clients: readonly Client[] = [];

  before(async () => {
    nodes = await Promise.all(
      NAMES.map((nodeName, at) =>
        startServer("nodes", {
          shards: SHARDS[at] ?? 1,
          adapter: memoryAdapter({ hub: "nodes-test", nodeName }),
        }),
      ),
    );
  });
  after(async () => {
    await Promise.all(nodes.map((each) => each.close()));
  });

  /** Returns a node by its index. */
  function node(at: number): Server {
    const found = nodes[at];
    assert.ok(found);
    return found;
  }

  /** Runs a test with a client on each of these nodes, joined to a room. */
  function withClients(
    what: string,
    at: readonly number[],
    test: (clients: readonly Client[]) => Promise<void>,
    topic = "room:1",
  ): void {
    it(what, async () => {
      clients = await Promise.all(
        at.map((each, n) => Client.connect(node(each).port, { params: { user_id: `u${n}` } })),
      );
      try {
        for (const client of clients) await joined(client, topic);
        await test(clients);
      } finally {
        await Promise.all(clients.map((client) => client.cut()));
      }
    });
  }

  it("count what they sent and received", async () => {
    const earlier = [node(0), node(1)].map((each) => each.stats().link);
    const heard = new Promise<void>((resolve) => node(1).subscribe("counted", () => resolve()));
    node(0).broadcast("counted", "event");
    await within(heard, "the broadcast");
    // A link counts what it has handed over, which may have been heard by then.
    const counted = async (): Promise<void> => {
      const { sentToNodes = 0 } = earlier[0] ?? {};
      while ((node(0).stats().link?.sentToNodes ?? 0) <= sentToNodes) await setImmediate();
    };
    await within(counted(), "the count of the sender");
    const [sent, got] = [node(0), node(1)].map((each) => each.stats().link);
    assert.ok(sent && got && earlier[0] && earlier[1]);
    // The heartbeats of presences count as well.
    assert.ok(got.heardFromNodes > earlier[1].heardFromNodes);
    assert.deepEqual([sent.lostToNodes, sent.linkDown], [0, 0]);
  });

  it("are alone without an adapter, with the name of the option or a generated one", async () => {
    const dog = await startServer("nodes", { shards: 1, nodeName: "dog" });
    const nameless = await startServer("nodes", { shards: 1 });
    assert.deepEqual([dog.nodeName, dog.stats().link], ["dog", undefined]);
    assert.match(nameless.nodeName, /^node-[0-9a-f-]{36}$/);
    await Promise.all([dog.close(), nameless.close()]);
  });

  it("use the adapter given in code, whatever clusterUrl the environment has", async () => {
    const adapter = memoryAdapter({ hub: "alone", nodeName: "elk" });
    const environment = { SIMURGH_CLUSTER_URL: "redis://127.0.0.1:1", SIMURGH_NODE_NAME: "dog" };
    const elk = await startServerWith(environment, "nodes", { shards: 1, adapter });
    assert.deepEqual([elk.nodeName, elk.stats().link?.linkDown], ["elk", 0]);
    await elk.close();
  });

  it("have the names that they were given", () => {
    assert.deepEqual(
      nodes.map(({ nodeName }) => nodeName),
      NAMES,
    );
  });

  withClients(
    "receive each broadcast of a channel once, in order",
    [0, 0, 1, 1, 2],
    async (all) => {
      for (const n of [1, 2, 3, "end"]) all[0]?.push("room:1", "shout", { n });
      for (const client of all) assert.deepEqual(await numbersOf(client), [1, 2, 3]);
    },
  );

  withClients(
    "receive each other's broadcasts, whatever number of shards each has",
    [1, 2],
    async (both) => {
      const counts = nodes.map((each) => each.stats().shards.length);
      assert.deepEqual(counts, SHARDS.map(shardsOf));
      const [one, two] = both;
      one?.push("room:1", "shout", { n: 1 });
      for (const client of both) assert.deepEqual((await client.next("shout")).payload, { n: 1 });
      two?.push("room:1", "shout", { n: 2 });
      for (const client of both) assert.deepEqual((await client.next("shout")).payload, { n: 2 });
    },
  );

  withClients(
    "receive a broadcast that excludes its sender",
    [0, 1],
    async ([sender, other]) => {
      assert.ok(sender && other);
      sender.push("room:2", "shout_from", { n: 1 });
      sender.push("room:2", "shout", { n: "end" });
      assert.deepEqual(await numbersOf(sender), []);
      assert.deepEqual(await numbersOf(other), [1]);
    },
    // Broadcasts of the test before, between other nodes, may still be on their way to these.
    "room:2",
  );

  withClients(
    "do not receive what is for one node only",
    [0, 0, 1],
    async ([sender, near, far]) => {
      assert.ok(sender && near && far);
      sender.push("room:1", "local", { n: 1 });
      node(0).broadcast("room:1", "shout", { n: 2 }, { scope: "node" });
      await near.next("shout");
      await near.next("shout");
      sender.push("room:1", "shout", { n: "end" });
      assert.deepEqual(await numbersOf(near), []);
      assert.deepEqual(await numbersOf(far), []);
    },
  );

  withClients(
    "receive a direct broadcast if it is for them",
    [0, 1, 2],
    async ([one, two, three]) => {
      assert.ok(one && two && three);
      one.push("room:1", "direct", { node: "bee", n: 1 });
      one.push("room:1", "direct", { node: "ant", n: 2 });
      one.push("room:1", "direct", { node: "unknown", n: 3 });
      one.push("room:1", "shout", { n: "end" });
      assert.deepEqual(await numbersOf(one), [2]);
      assert.deepEqual(await numbersOf(two), [1]);
      assert.deepEqual(await numbersOf(three), []);
    },
  );

  withClients(
    "receive the broadcasts of hosts, also those to a single node",
    [0, 1],
    async ([one, two]) => {
      assert.ok(one && two);
      node(0).broadcast("room:1", "shout", { n: 1 });
      node(0).broadcast("room:1", "shout", { n: 2 }, { node: "bee" });
      node(0).broadcast("room:1", "shout", { n: 3 }, { node: "ant" });
      node(0).broadcast("room:1", "shout", { n: "end" });
      assert.deepEqual(await numbersOf(one), [1, 3]);
      assert.deepEqual(await numbersOf(two), [1, 2]);
    },
  );

  withClients(
    "let hosts subscribe to channels' broadcasts, and unsubscribe",
    [0],
    async ([client]) => {
      assert.ok(client);
      const heard: [number, Broadcast][] = [];
      let wake: (() => void) | undefined;
      const hears = async (count: number): Promise<void> => {
        while (heard.length < count) {
          const woken = new Promise<void>((resolve) => {
            wake = resolve;
          });
          await within(woken, `broadcast ${heard.length + 1} at the hosts`);
        }
      };
      const unsubscribe = nodes.map((each, at) =>
        each.subscribe("room:1", (broadcast) => {
          heard.push([at, broadcast]);
          wake?.();
        }),
      );
      client.push("room:1", "shout", { n: 1 });
      await hears(3);
      const broadcast = { topic: "room:1", event: "shout", payload: { n: 1 } };
      assert.deepEqual(
        heard.toSorted(([a], [b]) => a - b),
        [0, 1, 2].map((at) => [at, broadcast]),
      );
      for (const end of unsubscribe.slice(0, 2)) end();
      client.push("room:1", "shout", { n: 2 });
      await hears(4);
      assert.deepEqual(heard.slice(3), [[2, { ...broadcast, payload: { n: 2 } }]]);
      unsubscribe[2]?.();
    },
  );

  withClients(
    "disconnect a socket by its id, wherever it is",
    [0, 1, 2],
    async ([one, two, three]) => {
      assert.ok(one && two && three);
      node(0).disconnect("users:u1");
      assert.equal((await two.closed()).code, 1001);
      one.push("room:1", "ban", "users:u2");
      assert.equal((await three.closed()).code, 1001);
      await one.nothingMore();
    },
  );
});
