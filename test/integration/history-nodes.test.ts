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
});
