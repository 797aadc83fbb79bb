/**
 * The `history` channel of the conformance app, with which others test from outside.
 *
 * Runs on: the main thread of the tests; the server's shards and its keeper are threads of the same process.
 */

import assert from "node:assert/strict";
import { it } from "node:test";

import { HistoryClient } from "../support/history-client.ts";
import { startServer } from "../support/server.ts";

it("The conformance app keeps what is broadcast and published to history:*, apart from typing", async () => {
  const server = await startServer("conformance", { shards: 2 });
  const topic = "history:1";
  const clients: HistoryClient[] = [];
  const connect = async (): Promise<HistoryClient> => {
    const client = await HistoryClient.connect(server.port);
    clients.push(client);
    return client;
  };
  const publish = async (event: string, body: object): Promise<void> => {
    const url = `http://127.0.0.1:${server.port}/publish?topic=${topic}&event=${event}`;
    const headers = { "content-type": "application/json" };
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    assert.equal(response.status, 200);
  };
  try {
    const live = await connect();
    await live.joined(topic, { history: null });
    assert.equal(await live.asked(topic, "e", { n: 0 }), '{"n":0}');
    await live.push(topic, "b", { n: 1 });
    assert.equal(await live.next(), `[null,+1,"${topic}","b",{"n":1}]`);
    await publish("said", { n: 2 });
    assert.equal(await live.next(), `[null,+2,"${topic}","said",{"n":2}]`);
    await publish("typing", { n: 3 });
    assert.equal(await live.next(), `[null,null,"${topic}","typing",{"n":3}]`);
    const back = await connect();
    const start = '{"history":{"epoch":E,"offset":+0,"recovered":true,"count":2}}';
    assert.equal(await back.rejoined(topic, live.epoch, 0), start);
    assert.deepEqual(await back.take(2), [
      `[null,+1,"${topic}","b",{"n":1}]`,
      `[null,+2,"${topic}","said",{"n":2}]`,
    ]);
    await back.nothingMore();
  } finally {
    for (const client of clients) client.cut();
    await server.close();
  }
});
