/**
 * Calls between the custom transports of shards, in a cluster of two nodes with two shards each.
 *
 * Runs on: the main thread of the tests, which is also the main thread of both nodes.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { memoryAdapter } from "../../src/raw.ts";
import { within } from "../support/deadline.ts";
import { startServer, type Server } from "../support/server.ts";

const SHARDS = 2;
const CONFIRM_MS = 1_000;
/** A shard that is restarted waits so long for requests that are not answered. */
const SHUTDOWN_MS = 200;
/** Longer than a test takes. */
const LONG_MS = 60_000;

function startNode(nodeName: string): Promise<Server> {
  const adapter = memoryAdapter({ hub: "transport-calls", nodeName });
  return startServer("calling", {
    shards: SHARDS,
    adapter,
    longpollTimeoutMs: CONFIRM_MS,
    shutdownMs: SHUTDOWN_MS,
  });
}

/** Makes a request on a connection of its own, which goes to the next shard. */
async function asked(port: number, path: string, body?: string): Promise<string> {
  const request = {
    headers: { connection: "close" },
    ...(body !== undefined && { method: "POST", body }),
  };
  const response = await within(fetch(`http://127.0.0.1:${port}${path}`, request), path);
  return response.text();
}

/** Returns the address of each shard of a node. */
async function addressesOf({ port }: Server): Promise<string[]> {
  const found = new Set<string>();
  while (found.size < SHARDS) found.add(await asked(port, "/address"));
  return [...found];
}

/** Lets a shard of a node call an address. */
async function called(
  { port }: Server,
  address: string,
  request: string,
  timeoutMs = LONG_MS,
): Promise<string> {
  return asked(port, `/call/${address}/${timeoutMs}`, request);
}

/** Returns the address of a node's shard. */
async function addressOf(node: Server, shard: number): Promise<string> {
  for (const address of await addressesOf(node)) {
    if ((await called(node, address, "shard")) === String(shard)) return address;
  }
  return assert.fail(`shard ${shard} has no address`);
}

describe("Calls of custom transports, with two nodes of two shards", () => {
  let ant: Server;
  let bee: Server;
  before(async () => {
    [ant, bee] = await Promise.all([startNode("ant"), startNode("bee 🐝")]);
  });
  after(async () => {
    await Promise.all([ant.close(), bee.close()]);
  });

  it("reach each shard from each", async () => {
    for (const to of [ant, bee]) {
      const addresses = await addressesOf(to);
      for (const from of [ant, bee]) {
        const shards = new Set<string>();
        for (const address of addresses) {
          for (let count = 0; count < SHARDS; count += 1) {
            shards.add(await called(from, address, "shard"));
          }
        }
        assert.deepEqual([...shards].toSorted(), ["0", "1"]);
      }
    }
  });

  it("carry more than fits into a record", async () => {
    const text = "é".repeat(100_000);
    for (const node of [ant, bee]) {
      for (const address of await addressesOf(node)) {
        assert.equal(await called(ant, address, text), text);
      }
    }
  });

  it("say what failed", async () => {
    for (const node of [ant, bee]) {
      for (const address of await addressesOf(node)) {
        assert.equal(await called(ant, address, "throw"), "SIM_ERR_TRANSPORT_FAILED");
        assert.equal(await called(ant, address, "wait", 50), "SIM_ERR_TRANSPORT_TIMEOUT");
        // Calls are in order, so the handler knows by now.
        assert.notEqual(await called(ant, address, "aborted"), "0");
      }
    }
  });

  it("can be counted in the server's stats", async () => {
    const { line } = ant.stats().transports;
    assert.deepEqual(line, {
      shard: { total: 1, shards: [0, 1] },
      callsServed: { total: 0, shards: [undefined, 0] },
    });
    const address = await addressOf(ant, 1);
    for (let count = 0; count < 3; count += 1) await called(bee, address, "measure");
    assert.deepEqual(ant.stats().transports["line"]?.["callsServed"], {
      total: 3,
      shards: [undefined, 3],
    });
    await ant.restartShard(1);
    assert.deepEqual(ant.stats().transports["line"]?.["callsServed"], {
      total: 0,
      shards: [undefined, 0],
    });
  });

  it("are rejected if the shard is restarted meanwhile, and from then on", async () => {
    for (const from of [ant, bee]) {
      const address = await addressOf(ant, 1);
      const waiting = Array.from({ length: SHARDS }, () => called(from, address, "wait"));
      // The handler has them when a later call of the same shards is answered.
      for (let count = 0; count < SHARDS; count += 1) await called(from, address, "shard");
      await ant.restartShard(1);
      for (const answer of await within(Promise.all(waiting), "the rejections")) {
        assert.equal(answer, "SIM_ERR_TRANSPORT_UNREACHABLE");
      }
      assert.equal(await called(from, address, "shard"), "SIM_ERR_TRANSPORT_UNREACHABLE");
      assert.notEqual(await addressOf(ant, 1), address);
    }
  });

  it("are rejected if the thread ends in the middle of a call", async () => {
    const address = await addressOf(ant, 0);
    // It may be the shard that makes the call, whose client then gets no answer at all.
    const near = await Promise.allSettled([0, 1].map(() => called(ant, address, "exit")));
    for (const one of near) {
      if (one.status === "fulfilled") assert.equal(one.value, "SIM_ERR_TRANSPORT_UNREACHABLE");
    }
    const far = await called(bee, await addressOf(bee, 0), "shard");
    assert.equal(far, "0");
    assert.equal(await called(bee, address, "shard"), "SIM_ERR_TRANSPORT_UNREACHABLE");
  });

  it("to a node that is gone are rejected in time", async () => {
    const gone = await startNode("cat");
    const [address = ""] = await addressesOf(gone);
    assert.equal(await called(ant, address, "echo"), "echo");
    await gone.close();
    assert.equal(await called(ant, address, "echo"), "SIM_ERR_TRANSPORT_UNREACHABLE");
  });
});
