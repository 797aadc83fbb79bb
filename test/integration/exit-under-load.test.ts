/**
 * Exits while new connections arrive, which the engine answers by an abort of the process if they reach a
 * thread that no longer runs JavaScript.
 *
 * Runs on: the main thread of the tests; each server is a process of its own.
 * Slow: each test starts a process, and waits for several exits.
 */
import assert from "node:assert/strict";
import { createConnection } from "node:net";
import { afterEach, describe, it } from "node:test";
import { startChild, type Child } from "../support/child.ts";
import { Client, joined } from "../support/client.ts";

const AT_ONCE = 20;
const EXITS = 4;

let child: Child | undefined;
afterEach(() => child?.process.kill("SIGKILL"));

/** Opens connections one after the other, each with one request. */
class Visitors {
  readonly #port: number;
  answered = 0;
  #isStopped = false;

  constructor(port: number) {
    this.#port = port;
    for (let left = AT_ONCE; left > 0; left -= 1) this.#visit();
  }

  stop(): void {
    this.#isStopped = true;
  }

  #visit(): void {
    if (this.#isStopped) return;
    const socket = createConnection(this.#port, "127.0.0.1");
    socket.once("data", () => {
      this.answered += 1;
      socket.destroy();
    });
    socket.on("error", () => undefined);
    // The next turn of the loop: after the server has ended, connections are refused at once.
    socket.once("close", () => setImmediate(() => this.#visit()));
    socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
}

/** Connects and joins once a shard accepts connections again. */
async function joinAtLast({ port, process, output }: Child): Promise<Client> {
  for (;;) {
    assert.equal(process.exitCode ?? process.signalCode, null, output());
    try {
      const client = await Client.connect(port);
      await joined(client, "room:1");
      return client;
    } catch {
      // The connection was on its way to a shard that has just ended.
    }
  }
}

describe("while connections arrive", () => {
  it("a shard can call process.exit without harm to the others", async () => {
    child = await startChild("host.main");
    const visitors = new Visitors(child.port);
    for (let exits = 0; exits < EXITS; exits += 1) {
      const client = await joinAtLast(child);
      client.push("room:1", "exit_shard");
      await client.closed();
    }
    const before = visitors.answered;
    while (visitors.answered < before + AT_ONCE) await (await joinAtLast(child)).close();
    visitors.stop();
    assert.equal(child.process.signalCode, null, child.output());
  });

  it("the host can call process.exit, and its code stays", async () => {
    child = await startChild("host.main");
    const visitors = new Visitors(child.port);
    while (visitors.answered < AT_ONCE) await new Promise(setImmediate);
    child.process.send("exit");
    assert.deepEqual(await child.exited(), { code: 7, signal: null }, child.output());
    visitors.stop();
  });
});
