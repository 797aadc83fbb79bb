/**
 * Two nodes that lose their connection to Redis for a moment: connections with an ID stay open, except for those that
 * were disconnected meanwhile.
 *
 * Runs on: the main thread of the tests, which is also the main thread of both nodes. Redis is a process of its own.
 * Slow: nodes that connect to Redis again.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";

import { Client, joined } from "../support/client.ts";
import { within } from "../support/deadline.ts";
import { noRedis, TestRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";

const CLOSE_MS = 20_000;

/** Waits until a channel has ended because broadcasts were missed. */
async function missed(client: Client): Promise<void> {
  const { payload } = await client.next("phx_error");
  assert.deepEqual(payload, { reason: "missed broadcasts" });
}

async function answers(client: Client): Promise<void> {
  assert.equal((await client.replyTo(client.push("phoenix", "heartbeat", {}))).status, "ok");
}

describe("Connections with an ID, if Redis", { skip: noRedis }, () => {
  let redis: TestRedis;
  let nodes: readonly Server[] = [];
  const clients: Client[] = [];

  before(async () => {
    redis = await TestRedis.start();
    nodes = await Promise.all(
      ["ant", "bee"].map((nodeName) =>
        startServer("clients", { shards: 1, clusterUrl: redis.url, nodeName }),
      ),
    );
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.cut()));
  });
  after(async () => {
    await Promise.all(nodes.map((node) => node.close()));
    await redis.kill();
  });

  /** Clients that are connected to both nodes in turn, each with an ID and a channel of its own. */
  async function connected(count: number): Promise<readonly Client[]> {
    for (let n = 0; n < count; n += 1) {
      const { port } = nodes[n % nodes.length] as Server;
      const client = await Client.connect(port, { params: { user_id: String(n) } });
      clients.push(client);
      await joined(client, `room:${n}`);
    }
    return clients;
  }

  it("cuts its connections, stay open", async () => {
    const all = await connected(10);
    await redis.cutAll();
    await Promise.all(all.map(missed));
    // The nodes answer each other before they pass on what follows.
    for (const [n, client] of all.entries()) {
      await joined(client, `room:${n}`);
      nodes[(n + 1) % 2]?.broadcast(`room:${n}`, "shout", {});
      await client.next("shout");
    }
    for (const client of all) await answers(client);
  });

  it("is gone for a while, stay open, unless they are disconnected meanwhile", async () => {
    const all = await connected(6);
    await redis.kill();
    // Clients of the second node, disconnected at the first.
    for (const id of ["users:1", "users:3"]) nodes[0]?.disconnect(id);
    await redis.start();
    for (const n of [1, 3]) {
      const ended = (all[n] as Client).closed(CLOSE_MS);
      assert.equal((await within(ended, `the end of ${n}`, CLOSE_MS)).code, 1001);
    }
    for (const n of [0, 2, 4, 5]) {
      const client = all[n] as Client;
      await missed(client);
      await answers(client);
    }
  });
});
