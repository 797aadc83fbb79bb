/**
 * How a server ends, and what it survives.
 *
 * Runs on: the main thread of the tests; each server but the last is a process of its own.
 * Slow: each test starts a process.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, describe, it } from "node:test";
import { WebSocket } from "ws";
import { startChild } from "../support/child.ts";
import type { Child } from "../support/child.ts";
import { Client, joined } from "../support/client.ts";
import { shardsOf } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { startServer } from "../support/server.ts";

const CLIENTS = 1_000;
/** Concurrent handshakes; the backlog of the listening socket is limited. */
const AT_ONCE = 50;
const BIG_BYTES = 1_000_000;
const BIG_REPLIES = 40;

let child: Child | undefined;

/** Starts a child that is killed after the test if it still runs. */
async function start(...given: Parameters<typeof startChild>): Promise<Child> {
  child = await startChild(...given);
  return child;
}

async function connectMany(port: number, count: number): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    const size = Math.min(AT_ONCE, count - clients.length);
    clients.push(...(await Promise.all(Array.from({ length: size }, () => Client.connect(port)))));
  }
  await Promise.all(clients.map((client, i) => joined(client, `room:${i % 10}`)));
  return clients;
}

/** Joins, requests more than the kernel buffers, and reads nothing from then on. */
async function connectDeaf(port: number): Promise<WebSocket> {
  const deaf = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`);
  await once(deaf, "open");
  deaf.send('["1","1","room:deaf","phx_join",{}]');
  await once(deaf, "message");
  deaf.pause();
  for (let i = 0; i < BIG_REPLIES; i += 1) {
    deaf.send(`["1","2","room:deaf","big",{"n":${BIG_BYTES}}]`);
  }
  return deaf;
}

async function closeCodes(clients: readonly Client[]): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  for (const { code } of await Promise.all(clients.map((client) => client.closed(10_000)))) {
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  return counts;
}

/** Retries until a connection is accepted: a shard that is being replaced is away for a moment. */
async function connectAtLast(port: number): Promise<Client> {
  const connected = (async (): Promise<Client> => {
    for (;;) {
      const client = await Client.connect(port).catch(() => undefined);
      if (client !== undefined) return client;
    }
  })();
  return within(connected, "a connection to the replaced shard");
}

describe("A server", () => {
  afterEach(() => {
    child?.process.kill("SIGKILL");
    child = undefined;
  });

  it("exits with 0 on SIGTERM, and each of 1000 joined clients sees 1012", async () => {
    const {
      port,
      process: server,
      exited,
    } = await start("conformance.main", ["--port", "0", "--shards", "2"]);
    const clients = await connectMany(port, CLIENTS);
    const codes = closeCodes(clients);
    const startedMs = performance.now();
    server.kill("SIGTERM");
    assert.deepEqual(await codes, new Map([[1012, CLIENTS]]));
    assert.deepEqual(await exited(), { code: 0, signal: null });
    assert.ok(performance.now() - startedMs < 10_000, "it took longer than the drain time");
  });

  it("exits with 0 on SIGINT", async () => {
    const {
      port,
      process: server,
      exited,
    } = await start("conformance.main", ["--port", "0", "--shards", "1"]);
    const [client] = await connectMany(port, 1);
    server.kill("SIGINT");
    assert.equal((await client?.closed())?.code, 1012);
    assert.deepEqual(await exited(), { code: 0, signal: null });
  });

  it("waits on SIGTERM for a client that reads slowly, until a second SIGTERM", async () => {
    const {
      port,
      process: server,
      exited,
    } = await start("conformance.main", ["--port", "0", "--shards", "2"], {
      SIMURGH_DRAIN_MS: "60000",
      SIMURGH_MAX_BACKPRESSURE_BYTES: "1000000000",
    });
    const deaf = await connectDeaf(port);
    const [client] = await connectMany(port, 1);
    server.kill("SIGTERM");
    assert.equal((await client?.closed())?.code, 1012);
    assert.equal(server.exitCode, null);
    server.kill("SIGTERM");
    assert.deepEqual(await exited(), { code: 0, signal: null });
    deaf.terminate();
  });

  it("keeps the code of process.exit in the host, with clients connected", async () => {
    const { port, process: host, exited } = await start("host.main");
    const clients = await connectMany(port, 10);
    host.send("exit");
    assert.deepEqual(await exited(), { code: 7, signal: null });
    await closeCodes(clients);
  });

  it("keeps the code and the stack of an uncaught throw in the host", async () => {
    const { port, process: host, exited, output } = await start("host.main");
    const clients = await connectMany(port, 10);
    host.send("throw");
    assert.deepEqual(await exited(), { code: 1, signal: null });
    assert.match(output(), /thrown in the host[\s\S]+at /);
    await closeCodes(clients);
  });

  it("survives a throw outside any handler, and so do the connections of that shard", async () => {
    const { port, process: host, said } = await start("host.main");
    const client = await Client.connect(port);
    await joined(client, "room:1");
    await client.replyTo(client.push("room:1", "throw_outside"));
    const echoed = await client.replyTo(client.push("room:1", "echo", { n: 1 }));
    assert.deepEqual(echoed.response, { n: 1 });
    await client.nothingMore();
    assert.equal(host.exitCode, null);
    await said(/outside any handler/);
    await client.close();
  });

  it("replaces a shard that calls process.exit, whose clients are cut and can reconnect", async () => {
    const { port, process: host, exited } = await start("host.main");
    const clients: Client[] = [];
    const shards: unknown[] = [];
    while (clients.length < 4 || new Set(shards).size < shardsOf(2)) {
      const client = await Client.connect(port);
      clients.push(client);
      shards.push(JSON.stringify(await joined(client, "room:shard")));
    }
    const [first] = clients;
    assert.ok(first);
    const mates = clients.filter((_, at) => shards[at] === shards[0]);
    const others = clients.filter((client) => !mates.includes(client));
    first.push("room:shard", "exit_shard");
    const codes = await closeCodes(mates);
    // After 1000 a client would not reconnect.
    assert.equal(codes.has(1000), false);
    for (const other of others) {
      const echoed = await other.replyTo(other.push("room:shard", "echo", { still: "here" }));
      assert.deepEqual(echoed.response, { still: "here" });
    }
    const seen = new Set<string>();
    while (seen.size < shardsOf(2)) {
      const back = await connectAtLast(port);
      seen.add(JSON.stringify(await joined(back, "room:back")));
    }
    host.send("exit");
    assert.deepEqual(await exited(), { code: 7, signal: null });
  });

  it("does not start on a port that is in use", async () => {
    const server = await startServer("channels", { shards: 1 });
    await assert.rejects(startServer("channels", { shards: 1, port: server.port }), {
      code: "SIM_ERR_LISTEN",
    });
    const client = await Client.connect(server.port);
    await joined(client, "room:1");
    await client.cut();
    await server.close();
  });
});
