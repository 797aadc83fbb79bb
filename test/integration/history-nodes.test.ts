/**
 * Histories of two nodes: each numbers for itself what both broadcast.
 *
 * Runs on: the main thread of the tests, which is also the main thread of both nodes.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { memoryAdapter } from "../../src/raw.ts";
import { HistoryClient } from "../support/history-client.ts";
import { startServer, type Server } from "../support/server.ts";

const TOPIC = "long:1";

describe("Two nodes with histories", () => {
  let nodes: readonly Server[] = [];
  before(async () => {
    nodes = await Promise.all(
      ["ant", "bee"].map((nodeName) =>
        startServer("histories", {
          shards: 1,
          adapter: memoryAdapter({ hub: "history-nodes", nodeName }),
        }),
      ),
    );
  });
  after(async () => {
    await Promise.all(nodes.map((each) => each.close()));
  });

  it("keep each other's broadcasts, under epochs of their own", async () => {
    const [ant, bee] = nodes;
    assert.ok(ant && bee);
    const [near, far] = await Promise.all(
      [ant, bee].map(({ port }) => HistoryClient.connect(port)),
    );
    assert.ok(near && far);
    await near.joined(TOPIC, { history: null });
    await far.joined(TOPIC, { history: null });
    ant.broadcast(TOPIC, "said", { n: 1 });
    ant.broadcast(TOPIC, "typing", { n: 2 });
    ant.broadcast(TOPIC, "said", { n: 3 }, { history: false });
    await ant.publish(TOPIC, "said", { n: 4 });
    for (const client of [near, far]) {
      // What is not kept may overtake what is.
      assert.deepEqual((await client.take(4)).toSorted(), [
        `[null,+1,"${TOPIC}","said",{"n":1}]`,
        `[null,+2,"${TOPIC}","said",{"n":4}]`,
        `[null,null,"${TOPIC}","said",{"n":3}]`,
        `[null,null,"${TOPIC}","typing",{"n":2}]`,
      ]);
      await client.nothingMore();
    }
    const kept = await bee.history(TOPIC);
    assert.deepEqual(
      kept.messages.map(({ payload }) => payload),
      [{ n: 1 }, { n: 4 }],
    );
    const { epoch } = near;
    assert.notEqual(epoch, far.epoch);
    const moved = await HistoryClient.connect(bee.port);
    const start = '{"history":{"epoch":E,"offset":+1,"recovered":false,"count":1}}';
    assert.equal(await moved.rejoined(TOPIC, epoch, 2, { last: 1 }), start);
    for (const client of [near, far, moved]) client.cut();
  });

  it("keep a message once that is published again, by either of them", async () => {
    const [ant, bee] = nodes;
    assert.ok(ant && bee);
    const topic = "long:once";
    const far = await HistoryClient.connect(bee.port);
    await far.joined(topic, { history: null });
    const publish = async (node: Server, n: number): Promise<unknown> =>
      node.publish(topic, "said", { n }, { idempotencyKey: `ключ ${n}` });
    const first = await publish(ant, 1);
    assert.equal(await far.next(), `[null,+1,"${topic}","said",{"n":1}]`);
    assert.deepEqual(await publish(ant, 1), first);
    await publish(bee, 1);
    await publish(bee, 2);
    await publish(ant, 2);
    await publish(ant, 3);
    assert.deepEqual(await far.take(2), [
      `[null,+2,"${topic}","said",{"n":2}]`,
      `[null,+3,"${topic}","said",{"n":3}]`,
    ]);
    for (const node of [ant, bee]) {
      const { messages } = await node.history(topic);
      assert.deepEqual(
        messages.map(({ payload }) => payload),
        [{ n: 1 }, { n: 2 }, { n: 3 }],
      );
    }
    await far.nothingMore();
    far.cut();
  });

  it("keep what is sent to all nodes, and nothing that is sent to a part", async () => {
    const [ant, bee] = nodes;
    assert.ok(ant && bee);
    const topic = "room:scopes";
    const [near, far] = await Promise.all(
      [ant, bee].map(({ port }) => HistoryClient.connect(port)),
    );
    assert.ok(near && far);
    for (const client of [near, far]) await client.joined(topic, { history: null });
    for (const scope of ["thread", "node", "cluster"]) {
      await near.push(topic, "sayScoped", { scope });
    }
    ant.broadcast(topic, "said", { to: "node" }, { scope: "node" });
    ant.broadcast(topic, "said", { to: "ant" }, { node: "ant" });
    ant.broadcast(topic, "said", { to: "bee" }, { node: "bee" });
    assert.deepEqual((await near.take(5)).toSorted(), [
      `[null,+1,"${topic}","said",{"scope":"cluster"}]`,
      `[null,null,"${topic}","said",{"scope":"node"}]`,
      `[null,null,"${topic}","said",{"scope":"thread"}]`,
      `[null,null,"${topic}","said",{"to":"ant"}]`,
      `[null,null,"${topic}","said",{"to":"node"}]`,
    ]);
    assert.deepEqual((await far.take(2)).toSorted(), [
      `[null,+1,"${topic}","said",{"scope":"cluster"}]`,
      `[null,null,"${topic}","said",{"to":"bee"}]`,
    ]);
    for (const node of [ant, bee]) {
      const { messages } = await node.history(topic);
      assert.deepEqual(
        messages.map(({ payload }) => payload),
        [{ scope: "cluster" }],
      );
    }
    for (const client of [near, far]) {
      await client.nothingMore();
      client.cut();
    }
  });
});
