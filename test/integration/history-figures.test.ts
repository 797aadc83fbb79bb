/**
 * What a server counts of its histories, and a replay to a client that reads slowly.
 *
 * Runs on: the main thread of the tests; the server's shards and its keeper are threads of the same process.
 * Slow: keepers update some figures once a second.
 */

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";

import { untilSo } from "../support/deadline.ts";
import { HistoryClient } from "../support/history-client.ts";
import { startServer, type Server } from "../support/server.ts";

const TOPIC = "long:1";

describe("A server with histories", () => {
  let server: Server;
  const clients: HistoryClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.cut();
    await server.close();
  });

  async function connect(options = {}): Promise<HistoryClient> {
    const client = await HistoryClient.connect(server.port, options);
    clients.push(client);
    return client;
  }

  async function keep(topic: string, count: number, pad = ""): Promise<void> {
    for (let n = 1; n <= count; n += 1) await server.publish(topic, "said", { n, pad });
  }

  it("counts what is kept, replayed, recovered and left out", async () => {
    server = await startServer("histories", { shards: 1 });
    const topic = "room:1";
    await keep(topic, 3);
    const first = await connect();
    await first.joined(topic, { history: { last: 2 } });
    await first.take(2);
    await first.push(topic, "sayBytes");
    await first.take(2);
    const { epoch } = first;
    const old = await connect({ vsn: "1.0.0" });
    const asked = { history: { epoch, offset: "1000000000001" } };
    await old.send(JSON.stringify({ topic, event: "phx_join", payload: asked, ref: "1" }));
    await old.take(4);
    const gone = await connect();
    await gone.rejoined(topic, "another", 0);
    const { total, history } = server.stats();
    assert.deepEqual(
      [
        history?.historyKept,
        total.historyReplayed,
        total.historyRecovered,
        total.historyNotRecovered,
        total.historySkipped,
      ],
      [4, 5, 1, 2, 1],
    );
    await untilSo(() => {
      const { historyMessages, historyTopics, historyBytes = 0 } = server.stats().history ?? {};
      return historyMessages === 4 && historyTopics === 1 && historyBytes > 0;
    }, "the gauges");
  });

  it("counts what is evicted, and refused because it is too large", async () => {
    server = await startServer("histories", { shards: 1, historyBytes: 1_048_576 });
    for (const topic of ["long:silent", "long:later"]) await keep(topic, 100, "x".repeat(8_000));
    await untilSo(() => (server.stats().history?.historyEvicted ?? 0) > 50, "the evicted messages");
    const [silent, later] = await Promise.all(
      ["long:silent", "long:later"].map(async (topic) => (await server.history(topic)).messages),
    );
    assert.ok((silent?.length ?? 0) < 40, "the silent topic must lose messages");
    assert.equal(later?.length, 100);
    const tooLarge = server.publish(TOPIC, "said", { pad: "x".repeat(700_000) });
    await assert.rejects(tooLarge, { code: "SIM_ERR_NOT_KEPT" });
    assert.equal(server.stats().history?.historyRefused, 1);
  });

  it("never counts a client as slow because of a replay, and sends it everything when it reads", async () => {
    const COUNT = 6_000;
    server = await startServer("histories", {
      shards: 1,
      maxBackpressureBytes: 65_536,
      slowClientMs: 100,
    });
    const pad = "x".repeat(2_000);
    for (let n = 1; n < COUNT; n += 1) server.broadcast(TOPIC, "said", { n, pad });
    await server.publish(TOPIC, "said", { n: COUNT, pad });
    const client = await connect();
    client.pause();
    await client.join(TOPIC, { history: { last: COUNT } });
    // A client that is as slow, but gets live messages, is cut.
    const slow = await connect();
    await slow.joined("plain:1", {});
    slow.pause();
    for (let n = 0; n < COUNT; n += 1) server.broadcast("plain:1", "said", { n, pad });
    await untilSo(() => server.stats().total.slowCut > 0, "the slow client");
    const { total } = server.stats();
    assert.ok(
      total.historyReplayed > 10 && total.historyReplayed < COUNT,
      `${total.historyReplayed}`,
    );
    client.resume();
    await client.next();
    for (let n = 1; n <= COUNT; n += 1) {
      assert.equal(await client.next(), `[null,+${n},"${TOPIC}","said",{"n":${n},"pad":"${pad}"}]`);
    }
    const { slowCut, slowEnded } = server.stats().total;
    assert.deepEqual([slowCut, slowEnded], [1, 0]);
  });
});
