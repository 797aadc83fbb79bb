/**
 * Clients that send as fast as a shard reads, in every way, and come back when they are cut: other clients of the shard
 * are served all the time.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread. Each flooder has its own thread.
 * Alone: it uses all CPUs.
 * Slow: a server, and a second of each flood.
 */
import assert from "node:assert/strict";
import { request } from "node:http";
import { afterEach, describe, it } from "node:test";

import { Client, joined } from "../support/client.ts";
import { within } from "../support/deadline.ts";
import {
  announced,
  clientFrame,
  endless,
  Flooder,
  frames,
  push,
  requests,
  type Flood,
} from "../support/flooder.ts";
import { LongPollClient } from "../support/longpoll-client.ts";
import { startServer, startServerWith, type Server } from "../support/server.ts";

/** Without a limit, a flood keeps a shard from doing anything else for as long as it lasts. */
const CALLS = 30;
const DEADLINE_MS = 60_000;
const SUBSCRIBERS = 50;
const MOUNT = "/socket/websocket?vsn=2.0.0";
const LONGPOLL = "/socket/longpoll?vsn=2.0.0";

let server: Server | undefined;
let flooders: Flooder[] = [];
const clients: Client[] = [];

async function serving(options: Parameters<typeof startServer>[1] = {}): Promise<Server> {
  server = await startServer("flooded", { shards: 1, ...options });
  return server;
}

async function connected(port: number, topic: string): Promise<Client> {
  const client = await Client.connect(port);
  clients.push(client);
  await joined(client, topic);
  return client;
}

/**
 * Messages that take long, so that most of them wait: an engine may read cheap ones as slowly as they are handled. They
 * have no replies, since a client of which replies wait may be cut as slow before it is cut for flooding.
 */
const COSTLY = frames(MOUNT, push("costly"));

/** What a proxy says of a client. */
function from(address: string): Record<string, string> {
  return { "x-forwarded-for": address };
}

/** Floods with a header in the request for its WebSocket. */
function withHeader(flood: Flood, line: string): Flood {
  const head = Buffer.from(flood.head);
  const end = head.indexOf("\r\n\r\n");
  return {
    ...flood,
    head: Buffer.concat([head.subarray(0, end), Buffer.from(`\r\n${line}`), head.subarray(end)]),
  };
}

async function flooded(port: number, flood: Flood, count = 1): Promise<void> {
  flooders = Array.from({ length: count }, () => new Flooder(port, flood));
  await within(Promise.all(flooders.map((each) => each.started())), "the floods");
}

/** Calls one after the other, while the flood goes on. */
async function callAll(client: Client): Promise<void> {
  for (let n = 0; n < CALLS; n += 1) {
    const reply = client.replyTo(client.push("room:other", "call"));
    assert.equal((await within(reply, `answer ${n} of ${CALLS}`, DEADLINE_MS)).status, "ok");
  }
}

/** A POST of many messages to the session of a long-poll client. */
async function posts(port: number): Promise<Flood> {
  const { token } = await LongPollClient.connect(port);
  const lines = `${JSON.stringify(["1", "2", "room:flood", "silent", {}])}\n`.repeat(100);
  const path = `/socket/longpoll?vsn=2.0.0&token=${token}`;
  return requests("POST", path, lines, "application/x-ndjson");
}

const FLOODS: Readonly<Record<string, (port: number) => Flood | Promise<Flood>>> = {
  calls: () => frames(MOUNT, push("call")),
  "large messages": () => frames(MOUNT, push("silent", { pad: "x".repeat(60_000) })),
  "joins and leaves": () => frames(MOUNT, push("phx_leave"), push("phx_join")),
  pings: () => frames(MOUNT, clientFrame("", 9)),
  "empty messages": () => frames(MOUNT, clientFrame("", 1)),
  "requests to a route": () => requests("GET", "/quick"),
  "requests to a route that is asynchronous": () => requests("GET", "/later"),
  "requests to an unknown path": () => requests("GET", "/nothing"),
  "requests with a body": () => requests("POST", "/body", "x".repeat(8_000)),
  "handshakes that are refused": () => requests("GET", MOUNT),
  "long-poll sessions": () => requests("GET", LONGPOLL),
  "long-poll messages": posts,
  "a body in chunks of a byte": () => endless("POST", "/body", 1),
  "a body without end, to a route": () => endless("POST", "/body", 65_000),
  "a body without end, to a route that does not read it": () => endless("GET", "/quick", 65_000),
  "a body without end, to an unknown path": () => announced("POST", "/nothing"),
  "a body without end, in a handshake": () => announced("GET", MOUNT),
};

describe("A client is served while others flood its shard with", () => {
  afterEach(async () => {
    await Promise.all(flooders.splice(0).map((flooder) => flooder.stop()));
    await Promise.all(clients.splice(0).map((client) => client.cut()));
    await server?.closeNow();
  });

  for (const [what, flood] of Object.entries(FLOODS)) {
    it(what, async () => {
      const { port } = await serving({ floodPauseMs: 0 });
      const client = await connected(port, "room:other");
      await flooded(port, await flood(port), 2);
      await callAll(client);
    });
  }

  it("broadcasts to a topic with many subscribers", async () => {
    const { port } = await serving({ floodPauseMs: 0 });
    const client = await connected(port, "room:other");
    for (let n = 0; n < SUBSCRIBERS; n += 1) (await connected(port, "room:flood")).pause();
    await flooded(port, frames(MOUNT, push("say", { pad: "x".repeat(100) })), 2);
    await callAll(client);
  });
});

describe("A client that calls many times at once", () => {
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.cut()));
    await server?.closeNow();
  });

  for (const count of [300, 5_000]) {
    it(`gets its answers if these are ${count} small calls`, async () => {
      const node = await serving();
      const client = await connected(node.port, "room:other");
      for (let n = 0; n < count; n += 1) client.push("room:other", "call");
      for (let n = 0; n < count; n += 1) await client.next("phx_reply");
      assert.equal(node.stats().total.floodCut, 0);
    });
  }
});

/** Status of a handshake or of the request for a long-poll session. */
async function statusOf(
  port: number,
  path: string,
  localAddress: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<number | undefined> {
  const isUpgrade = path.includes("/websocket");
  const upgrade = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  const asked = request({
    port,
    path,
    host: "127.0.0.1",
    localAddress,
    headers: { ...(isUpgrade && upgrade), ...headers },
  });
  const answered = new Promise<number | undefined>((resolve, reject) => {
    asked.on("error", reject);
    asked.on("response", (response) => resolve(response.statusCode));
    asked.on("upgrade", (response) => resolve(response.statusCode));
  });
  asked.end();
  const status = await within(answered, `an answer to ${path}`);
  asked.destroy();
  return status;
}

describe("An address from which a client was cut for flooding", () => {
  afterEach(async () => {
    await Promise.all(flooders.splice(0).map((flooder) => flooder.stop()));
    await Promise.all(clients.splice(0).map((client) => client.cut()));
    await server?.closeNow();
  });

  it("gets 429 for a while, unless a proxy says that it forwards; others connect", async () => {
    const node = await serving({ floodPauseMs: 10_000 });
    const { port } = node;
    await flooded(port, COSTLY);
    await within(Promise.race(flooders.map((each) => each.cut())), "the cut");
    assert.ok(node.stats().total.floodCut > 0);
    const forwarded = { "x-forwarded-for": "10.0.0.1" };
    assert.deepEqual(
      await Promise.all([
        statusOf(port, MOUNT, "127.0.0.2"),
        statusOf(port, LONGPOLL, "127.0.0.2"),
        statusOf(port, MOUNT, "127.0.0.2", forwarded),
        statusOf(port, LONGPOLL, "127.0.0.2", forwarded),
        statusOf(port, MOUNT, "127.0.0.3"),
        statusOf(port, LONGPOLL, "127.0.0.3"),
      ]),
      [429, 429, 101, 200, 101, 200],
    );
    assert.ok(node.stats().total.floodPaused >= 2);
  });

  it("is the client's behind a trusted proxy, and not the proxy's", async () => {
    const environment = { FLOODED_TRUST_PROXY: "127.0.0.2" };
    const options = { shards: 1, floodPauseMs: 10_000 };
    const node = await startServerWith(environment, "flooded", options);
    server = node;
    const { port } = node;
    await flooded(port, withHeader(COSTLY, "X-Forwarded-For: 192.0.2.1"));
    await within(Promise.race(flooders.map((each) => each.cut())), "the cut");
    assert.ok(node.stats().total.floodCut > 0);
    assert.deepEqual(
      await Promise.all([
        statusOf(port, MOUNT, "127.0.0.2", from("192.0.2.1")),
        statusOf(port, LONGPOLL, "127.0.0.2", from("6.6.6.6, 192.0.2.1")),
        statusOf(port, MOUNT, "127.0.0.2", from("192.0.2.2")),
        statusOf(port, MOUNT, "127.0.0.2"),
        // Not a proxy, so that what it says has no effect.
        statusOf(port, MOUNT, "127.0.0.3", from("192.0.2.1")),
      ]),
      [429, 429, 101, 101, 101],
    );
  });
});
