/**
 * Histories while threads are late or end: what was lost on its way to a shard is fetched again, and what is
 * gone is said. Also what may overtake a kept broadcast, by the table of promises.
 *
 * Runs on: the main thread of the tests; the server's shards and its keeper are threads of the same process.
 * Slow: blocks a shard, and ends a keeper.
 */

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import type { Worker } from "node:worker_threads";

import { HistoryClient } from "../support/history-client.ts";
import { within } from "../support/deadline.ts";
import { startServer, type Server } from "../support/server.ts";
import { onWorker } from "../support/workers.ts";

const LIVE = { history: null };
/** The smallest queues, so that little is lost in no time. */
const SMALL = { ringBytes: 4_096, overflowBytes: 65_536, overflowTotalBytes: 65_536 };

/** Returns the last worker that is started meanwhile: a server starts its keeper last. */
async function lastWorkerOf(start: () => Promise<void>): Promise<Worker> {
  let last: Worker | undefined;
  const stop = onWorker((worker) => (last = worker));
  try {
    await start();
  } finally {
    stop();
  }
  assert.ok(last);
  return last;
}

describe("A history", () => {
  let server: Server;
  const clients: HistoryClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.cut();
    await server.close();
  });

  async function connect(user = "ann"): Promise<HistoryClient> {
    const client = await HistoryClient.connect(server.port, { user });
    clients.push(client);
    return client;
  }

  /** Connects, and joins on this shard. */
  async function joinedOn(shard: number, topic: string, payload: object): Promise<HistoryClient> {
    for (;;) {
      const client = await connect();
      await client.joined(topic, payload);
      if ((await client.asked(topic, "shard")) === `{"shard":${shard}}`) return client;
    }
  }

  it("gives a shard again what it was too late for, whether or not its clients asked", async () => {
    server = await startServer("histories", { shards: 2, ...SMALL });
    const topic = "long:1";
    const asking = await joinedOn(0, topic, LIVE);
    const silent = await joinedOn(0, topic, {});
    const COUNT = 1_200;
    const heard: unknown[] = [];
    const heardAll = new Promise<void>((resolve) => {
      server.subscribe(topic, ({ payload }) => {
        heard.push((payload as { n: number }).n);
        if (heard.length > COUNT) resolve();
      });
    });
    await server.publish(topic, "said", { n: 0 });
    assert.equal(await asking.next(), `[null,+1,"${topic}","said",{"n":0}]`);
    assert.equal(await silent.next(), `[null,null,"${topic}","said",{"n":0}]`);
    await silent.push(topic, "spin", { ms: 1_500 });
    // More than fits into the ring and the queue to the shard that spins.
    const AT_ONCE = 40;
    const pad = "x".repeat(200);
    for (let n = 1; n <= COUNT; n += AT_ONCE) {
      const said = Array.from({ length: AT_ONCE }, (_, at) => ({ n: n + at, pad }));
      await Promise.all(said.map((payload) => server.publish(topic, "said", payload)));
    }
    for (let n = 1; n <= COUNT; n += 1) {
      const rest = `"${topic}","said",{"n":${n},"pad":"${pad}"}]`;
      assert.equal(await asking.next(), `[null,+${n + 1},${rest}`);
      assert.equal(await silent.next(), `[null,null,${rest}`);
    }
    const { lapped = 0 } = server.stats().history ?? {};
    assert.ok(lapped > 10, `${lapped} lapped`);
    await within(heardAll, "the messages for the host");
    assert.deepEqual(
      heard,
      Array.from({ length: COUNT + 1 }, (_, n) => n),
    );
  });

  it("begins a new epoch if its keeper ends, and says so", async () => {
    const keeper = await lastWorkerOf(async () => {
      server = await startServer("histories", { shards: 2 });
    });
    const topic = "long:2";
    const live = await connect();
    await live.joined(topic, LIVE);
    await server.publish(topic, "said", { n: 1 });
    assert.equal(await live.next(), `[null,+1,"${topic}","said",{"n":1}]`);
    const { epoch } = live;
    await keeper.terminate();
    const missed = `["1","1","${topic}","phx_error",{"reason":"missed broadcasts"}]`;
    assert.equal(await live.next(), missed);
    const back = await connect();
    const start = '{"history":{"epoch":E,"offset":+0,"recovered":false,"count":0}}';
    assert.equal(await back.rejoined(topic, epoch, 1), start);
    assert.notEqual(back.epoch, epoch);
    // Whether the new keeper tells everybody before or after the join, the next offset is the first.
    const settled = await published(topic);
    const frame = await back.next();
    if (frame !== missed) assert.equal(frame, `[null,+1,"${topic}","said",{"n":2}]`);
    assert.equal(settled.epoch, back.epoch);
  });

  it("fails its server if its keeper ends again and again", async () => {
    const first = await lastWorkerOf(async () => {
      server = await startServer("histories", { shards: 1 });
    });
    const ended = new Set([first]);
    const stop = onWorker((keeper) => {
      if (ended.has(keeper)) return;
      ended.add(keeper);
      keeper.once("online", () => void keeper.terminate());
    });
    try {
      await first.terminate();
      const { code, message } = (await within(server.failed, "the failure")) as Error & {
        readonly code: string;
      };
      assert.deepEqual(
        [code, message.includes("got no thread that keeps histories")],
        ["SIM_ERR_NO_SHARDS", true],
      );
      assert.equal(ended.size, 6);
    } finally {
      stop();
    }
  });

  /** Publishes until it succeeds: without a keeper, it rejects. */
  async function published(topic: string): Promise<{ readonly epoch: string }> {
    for (;;) {
      try {
        return await server.publish(topic, "said", { n: 2 });
      } catch (error) {
        assert.equal((error as { code?: string }).code, "SIM_ERR_NOT_KEPT");
      }
    }
  }

  it("is divided among several keepers, by topic", async () => {
    server = await startServer("histories", { shards: 1, historyThreads: 3 });
    const topics = Array.from({ length: 12 }, (_, at) => `long:divided ${at}`);
    for (const topic of topics) {
      for (const n of [1, 2]) await server.publish(topic, "said", { n });
    }
    const client = await connect();
    for (const topic of topics) {
      const start = '{"history":{"epoch":E,"offset":+1,"recovered":true,"count":1}}';
      assert.equal(await client.joined(topic, { history: { last: 1 } }), start);
      assert.equal(await client.next(), `[null,+2,"${topic}","said",{"n":2}]`);
    }
  });

  it("lets ephemeral and presence events, pushes and replies overtake kept broadcasts", async () => {
    server = await startServer("histories", { shards: 1 });
    const topic = "long:3";
    const client = await connect();
    await client.joined(topic, LIVE);
    await client.send(JSON.stringify(["1", "2", topic, "overtake", {}]));
    const [last, ...first] = (await client.take(5)).toReversed();
    assert.equal(last, `[null,+1,"${topic}","said",{"n":1}]`);
    const diff = `[null,null,"${topic}","presence_diff",`;
    assert.deepEqual(
      new Set(first.map((frame) => (frame.startsWith(diff) ? diff : frame))),
      new Set([
        diff,
        `[null,null,"${topic}","typing",{"n":2}]`,
        `["1",null,"${topic}","pushed",{"n":3}]`,
        `["1","2","${topic}","phx_reply",{"status":"ok","response":{"n":4}}]`,
      ]),
    );
  });
});
