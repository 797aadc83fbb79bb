/**
 * Channels of `simurgh/client` that resume by themselves.
 *
 * Runs on: the main thread of the tests; the server's shards and its keeper are threads of the same process.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import type app from "../apps/histories.ts";
import { Client, type PhoenixPush, type Recovered } from "../../src/client/index.ts";
import { within } from "../support/deadline.ts";
import { connectPhoenix, disconnect } from "../support/phoenix-client.ts";
import { startServer, type Server } from "../support/server.ts";

describe("A channel that resumes", () => {
  let server: Server;
  before(async () => {
    server = await startServer("histories", { shards: 2 });
  });
  after(() => server.close());

  it("gets a backlog, then what it missed, and is told whether something is missing", async () => {
    const topic = "room:resume";
    for (const n of [1, 2, 3]) await server.publish(topic, "said", { n });
    const socket = await connectPhoenix(server.port, { user: "ann" });
    const channel = new Client<typeof app>(socket).channel(topic, { history: { last: 2 } });
    const heard: unknown[] = [];
    const recovered: Recovered[] = [];
    let wake: () => void = assert.fail;
    channel.channel.on("said", (payload) => {
      heard.push((payload as { n: number }).n);
      wake();
    });
    channel.onRecovered((how) => {
      recovered.push(how);
      wake();
    });
    const until = async (isDone: () => boolean): Promise<void> => {
      while (!isDone()) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await within(woken, `more than ${heard.length} messages, ${recovered.length} joins`);
      }
    };
    const joined = channel.join();
    await until(() => heard.length === 2);
    await joined;
    assert.deepEqual([heard, recovered], [[2, 3], [{ recovered: true, count: 2 }]]);

    server.disconnect("users:ann");
    for (const n of [4, 5]) await server.publish(topic, "said", { n });
    await until(() => heard.length === 4 && recovered.length === 2);
    assert.deepEqual(heard, [2, 3, 4, 5]);
    assert.equal(recovered[1]?.recovered, true);

    // Away for longer than the history: the last messages are asked for again.
    const closed = new Promise<void>((resolve) => {
      socket.disconnect(resolve);
    });
    await within(closed, "the close");
    for (const n of [6, 7, 8, 9, 10, 11, 12]) await server.publish(topic, "said", { n });
    socket.connect();
    await until(() => recovered.length === 3 && heard.length === 6);
    assert.deepEqual(recovered[2], { recovered: false, count: 2 });
    assert.deepEqual(heard.slice(4), [11, 12]);
    await disconnect(socket);
  });

  it("leaves the parameters of a channel without a history as the app gave them, also when it joins again", async () => {
    const socket = await connectPhoenix(server.port, { user: "bob" });
    const client = new Client<typeof app>(socket);
    const asked: Readonly<Record<string, object>> = {
      "plain:none": { x: 1 },
      "plain:own": { history: { last: "mine" } },
    };
    for (const [topic, params] of Object.entries(asked)) {
      const channel = client.channel(topic as "plain:none", params);
      channel.onRecovered(() => assert.fail("there is nothing to recover"));
      assert.deepEqual(await channel.join(), { payload: params });
      const again = new Promise((resolve) => {
        (Reflect.get(channel.channel, "joinPush") as PhoenixPush).receive("ok", resolve);
      });
      server.disconnect("users:bob");
      assert.deepEqual(await within(again, `another join of ${topic}`), { payload: params });
    }
    await disconnect(socket);
  });
});
