/**
 * Servers with room for a few connections: they stop listening when it is used, and listen again.
 *
 * Runs on: the main thread of the tests, which is the server's main thread as well.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type Server as NetServer } from "node:net";
import { afterEach, describe, it } from "node:test";

import type { Options } from "../../src/options/options.ts";
import { Client, joined } from "../support/client.ts";
import { CommandLine } from "../support/command-line.ts";
import { noSecondShard, restartAll } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { startServer, type Server } from "../support/server.ts";

interface Line {
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Main's log, of which a test awaits lines. */
class Lines {
  readonly seen: Line[] = [];
  #wake: () => void = () => undefined;
  readonly #note = (fields: object, text: string): void => {
    this.seen.push({ text, fields: { ...fields } });
    this.#wake();
  };
  readonly sink = { debug: this.#note, info: this.#note, warn: this.#note, error: this.#note };

  count(part: string): number {
    return this.seen.filter(({ text }) => text.includes(part)).length;
  }

  async until(part: string, count = 1): Promise<void> {
    const seen = async (): Promise<void> => {
      while (this.count(part) < count) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    };
    await within(seen(), `${count} lines with "${part}"`);
  }
}

const PAUSED = "no room for more connections";
const RESUMED = "room for connections: listening again";
const TAKEN = "another program listens";

const DEMO = ["demo", "--host", "127.0.0.1", "--port", "0", "--shards", "1"];

/** Servers and lines of a test. */
let server: Server;
let lines: Lines;

async function started(limits: Options): Promise<void> {
  lines = new Lines();
  server = await startServer("drain", {
    shards: 2,
    ...limits,
    logLevel: "info",
    logger: lines.sink,
  });
}

async function connected(count: number): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) clients.push(await Client.connect(server.port));
  return clients;
}

/** Waits until so many requests wait for an answer, on connections that are all there are. */
async function pendingRequests(count: number): Promise<void> {
  for (;;) {
    const { tcpConnections, idleConnections } = server.stats().total;
    if (tcpConnections === count && idleConnections === 0) return;
    await new Promise((resolve) => void setImmediate(resolve));
  }
}

/** Takes a port as soon as it is free: with the portable engine, the shards stop listening by themselves. */
async function taken(port: number): Promise<NetServer> {
  for (;;) {
    const other = createServer().listen(port, "127.0.0.1");
    const isListening = await once(other, "listening").then(
      () => true,
      () => false,
    );
    if (isListening) return other;
  }
}

/** CPU time that a process has used (ms). */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

describe("a server at its limit of connections", () => {
  afterEach(async () => {
    await server.closeNow();
  });

  it("does not listen until there is room, and then on the port that the system chose", async () => {
    await started({ maxConnections: 4 });
    const clients = await connected(4);
    for (let round = 1; round <= 3; round += 1) {
      await lines.until(PAUSED, round);
      assert.equal(server.isReady, false);
      await assert.rejects(Client.connect(server.port), "the system refuses it");
      assert.equal(server.stats().main.listenPauses, round);
      assert.equal(server.stats().total.tcpConnections, 4);
      await clients.pop()?.close();
      await lines.until(RESUMED, round);
      assert.equal(server.isReady, true);
      clients.push(...(await connected(1)));
    }
    assert.deepEqual(
      lines.seen.filter(({ text }) => text.startsWith(PAUSED))[0]?.fields["connections"],
      4,
    );
  });

  it("waits for its port if another program has taken it meanwhile", async () => {
    await started({ maxConnections: 1 });
    const [client] = await connected(1);
    await lines.until(PAUSED);
    const other = await taken(server.port);
    await client?.close();
    await lines.until(TAKEN);
    assert.equal(server.isReady, false);
    other.close();
    await lines.until(RESUMED);
    assert.equal(lines.count(TAKEN), 1);
    await connected(1);
  });

  it("stays closed if it is drained while it does not listen", async () => {
    await started({ maxConnections: 2 });
    const clients = await connected(2);
    await lines.until(PAUSED);
    await server.drain();
    await Promise.all(clients.map((client) => within(client.closed(), "the end of a client")));
    await assert.rejects(Client.connect(server.port));
    await server.close();
    assert.equal(lines.count(RESUMED), 0);
  });
});

describe("the connections of an address", { skip: noSecondShard }, () => {
  afterEach(async () => {
    await server.closeNow();
  });

  it("are limited over all shards, and free again if their shard has ended", async () => {
    await started({ maxConnectionsPerAddress: 4 });
    for (let round = 0; round < 2; round += 1) {
      const clients = await connected(4);
      await assert.rejects(Client.connect(server.port), /429/);
      // Both shards have two clients. One shard ends by itself, and the other is restarted.
      const [first] = clients;
      assert.ok(first);
      const { shard } = (await joined(first, "room:1")) as { readonly shard: number };
      first.push("room:1", "exit");
      await lines.until("shard replaced", round + 1);
      await server.restartShard(1 - shard);
      await Promise.all(clients.map((client) => within(client.closed(), "the end of a client")));
    }
    await connected(4);
    assert.equal(server.stats().total.addressesFull, 2);
  });
});

describe("the requests of an address that a thread has not decided when it ends", () => {
  afterEach(async () => {
    await server.closeNow();
  });

  it("take no places from its successor", async () => {
    await started({ maxConnectionsPerAddress: 4 });
    const url = `http://127.0.0.1:${server.port}/socket/longpoll?vsn=2.0.0`;
    const pending = Array.from({ length: 4 }, async () => fetch(`${url}&never=1`));
    const failed = Promise.allSettled(pending);
    await within(pendingRequests(4), "four requests that wait for an answer");
    await assert.rejects(Client.connect(server.port), /429/);
    await restartAll(server);
    const ends = await within(failed, "the end of the requests");
    assert.ok(ends.every(({ status }) => status === "rejected"));
    await connected(4);
  });
});

describe("a server at the system's limit of open files", () => {
  it("says so, uses no CPU, and accepts clients again when there is room", async () => {
    await using command = new CommandLine(DEMO, { SIMURGH_LOG_LEVEL: "warn" }, 140);
    const port = await command.port();
    const sockets = Array.from({ length: 200 }, () => connect(port, "127.0.0.1"));
    for (const socket of sockets) socket.on("error", () => undefined);
    await within(command.logged(PAUSED), "the line");
    const { pid } = command.process;
    assert.ok(pid !== undefined);
    const before = cpuMs(pid);
    await new Promise((resolve) => void setTimeout(resolve, 1_000));
    const spent = cpuMs(pid) - before;
    assert.ok(spent < 500, `${spent} ms of CPU in a second`);
    for (const socket of sockets) socket.destroy();
    await within(command.logged(RESUMED), "the other line");
    await Client.connect(port).then(async (client) => client.close());
  });
});
