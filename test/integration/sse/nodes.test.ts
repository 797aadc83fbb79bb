/**
 * Server-sent events in a cluster, and over a restart of the process.
 *
 * Runs on: the main thread of the tests, which is also the main thread of both nodes.
 * Slow: several nodes.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";

import { SseTransport } from "../../../src/client/index.ts";
import { memoryAdapter } from "../../../src/raw.ts";
import { within } from "../../support/deadline.ts";
import { Heard, upTo } from "../../support/heard.ts";
import { connectPhoenix, disconnect } from "../../support/phoenix-client.ts";
import { freePort, startServer, type Server } from "../../support/server.ts";
import { askHttp, SseClient, SseReader } from "../../support/sse-client.ts";
import { TornProxy } from "../../support/torn-proxy.ts";

const GONE = '{"code":3410,"reason":"session_gone"}';

function startNode(hub: string, nodeName: string): Promise<Server> {
  return startServer("streams", { shards: 2, adapter: memoryAdapter({ hub, nodeName }) });
}

describe("Server-sent events, with two nodes of two shards", () => {
  let nodes: Server[] = [];
  let ports: readonly number[] = [];
  before(async () => {
    nodes = await Promise.all(["ant", "bee"].map((name) => startNode("sse-nodes", name)));
    ports = nodes.map(({ port }) => port);
  });
  after(async () => {
    await Promise.all(nodes.map((each) => each.close()));
  });

  it("serve streams and POSTs of a session on both nodes, with nothing missed or doubled", async () => {
    const client = await SseClient.connect(ports);
    await client.join("room:nodes");
    const heard: number[] = [];
    for (let n = 1; n <= 60; n += 1) {
      await client.push("room:nodes", "shout", { n });
      if (n % 5 !== 0) continue;
      client.cut();
      await client.resume();
      while (heard.length < n) {
        const [, , , , payload] = await client.message();
        heard.push((payload as { n: number }).n);
      }
    }
    assert.deepEqual(heard, upTo(60));
    client.cut();
  });

  it("carry events larger than a batch to the other node", async () => {
    const client = await SseClient.connect(ports);
    await client.join("room:large");
    for (let round = 0; round < 4; round += 1) {
      await client.push("room:large", "many", { count: 4, size: 100_000 });
      for (let n = 1; n <= 4; n += 1) {
        const [, , , , payload] = await client.message();
        assert.equal((payload as { text: string }).text.length, 100_000);
      }
      client.cut();
      await client.resume();
    }
    client.cut();
  });

  it("keep the official client joined while its connections are torn, and change nodes", async () => {
    const proxy = await TornProxy.start(...ports);
    const socket = await connectPhoenix(proxy.port, {}, { transport: SseTransport });
    const room = socket.channel("room:official");
    const [said, shouted] = [new Heard(room, "said"), new Heard(room, "shout")];
    let joins = 0;
    const joined = new Promise<void>((resolve) => {
      room.join().receive("ok", () => {
        joins += 1;
        resolve();
      });
    });
    await within(joined, "the join");
    for (let n = 1; n <= 100; n += 1) {
      room.push("shout", { n });
      nodes[n % 2]?.broadcast("room:official", "said", { n });
      await said.until(n);
      if (n % 10 === 0) proxy.tear();
    }
    await shouted.until(100);
    assert.deepEqual([said.numbers, shouted.numbers], [upTo(100), upTo(100)]);
    assert.equal(joins, 1);
    await disconnect(socket);
    proxy.close();
  });

  it("tell a client that the node with its session is gone", async () => {
    const cat = await startNode("sse-nodes", "cat");
    const client = await SseClient.connect([cat.port, ports[1] ?? 0]);
    await client.join("room:gone");
    client.cut();
    // On the other node.
    await client.post("");
    const stream = await client.resume();
    await client.push("room:gone", "echo", {}).catch(() => {});
    await cat.close();
    // With the close code, unless that was lost with its node.
    await stream.end();
    const again = await SseReader.open(ports[1] ?? 0, "/socket/sse?vsn=2.0.0", {
      "last-event-id": `${client.session}:${client.lastId}`,
    });
    assert.equal((await again.end())[0]?.data, GONE);
    const headers = { "x-simurgh-session": client.session };
    const { status } = await askHttp(ports[1] ?? 0, "POST", "/socket/sse", headers, "[]");
    assert.equal(status, 410);
  });
});

describe("Server-sent events with topics, when the process is started again", () => {
  let folder = "";
  let server: Server | undefined;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "simurgh-sse-"));
  });
  afterEach(async () => {
    await server?.close();
    rmSync(folder, { recursive: true });
  });

  it("go on from their positions, if the histories are saved", async () => {
    const port = await freePort();
    const options = { port, shards: 2, historyFile: join(folder, "histories") };
    server = await startServer("streams", options);
    const path = "/socket/sse?topic=long:saved&topic=room:unsaved";
    const stream = await SseReader.open(port, path);
    let id = "";
    const next = async (from: SseReader): Promise<Record<string, unknown>> => {
      const event = await from.next();
      assert.ok(event);
      id = event.id;
      return JSON.parse(event.data) as Record<string, unknown>;
    };
    await next(stream);
    await next(stream);
    await server.publish("long:saved", "said", { n: 1 });
    assert.deepEqual((await next(stream))["payload"], { n: 1 });
    stream.pause();
    await server.publish("long:saved", "said", { n: 2 });
    await server.close();
    server = await startServer("streams", options);
    await server.publish("long:saved", "said", { n: 3 });
    const again = await SseReader.open(port, path, { "last-event-id": id });
    const heard: unknown[] = [];
    for (let count = 0; count < 4; count += 1) {
      const { topic, event, payload, recovered } = await next(again);
      heard.push(event === "said" ? (payload as { n: number }).n : [topic, recovered]);
    }
    assert.deepEqual(
      heard.filter((one) => typeof one === "number"),
      [2, 3],
    );
    const joins = heard.filter((one): one is [string, boolean] => Array.isArray(one));
    assert.deepEqual(Object.fromEntries(joins), { "long:saved": true, "room:unsaved": false });
    again.cut();
  });
});
