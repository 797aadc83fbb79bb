/**
 * Blocked shards: joins are refused, then connections, and all are accepted again later.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread.
 * Slow: shards are blocked until they count as overloaded, and until they have recovered.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Client, joined } from "../support/client.ts";
import { isPortable, noSecondShard } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { startServer } from "../support/server.ts";
import type { Server } from "../support/server.ts";
import { ShardEvents } from "../support/shard-events.ts";

/** Less than the app blocks the loop, and far more than the lag of an idle shard. */
const LAG_MS = 150;

let events: ShardEvents;
let server: Server;

/** The lines of main's log, and waiters for one. */
class Lines {
  readonly #seen: string[] = [];
  #wake: () => void = () => undefined;

  readonly sink = {
    debug: (_fields: object, text: string): void => this.#add(text),
    info: (_fields: object, text: string): void => this.#add(text),
    warn: (_fields: object, text: string): void => this.#add(text),
    error: (_fields: object, text: string): void => this.#add(text),
  };

  #add(text: string): void {
    this.#seen.push(text);
    this.#wake();
  }

  async until(part: string, count = 1): Promise<void> {
    const seen = (async (): Promise<void> => {
      while (this.#seen.filter((text) => text.includes(part)).length < count) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    })();
    await within(seen, `${count} lines with "${part}"`, 30_000);
  }
}

/** Sends a request on a connection of its own. */
async function get(path: string): Promise<IncomingMessage & { readonly text: string }> {
  const sent = request({ host: "127.0.0.1", port: server.port, path, agent: false });
  sent.end();
  const [response] = (await within(once(sent, "response"), path)) as [IncomingMessage];
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return Object.assign(response, { text });
}

/**
 * Waits until answers come from one shard only, or from main ("").
 *
 * With the portable engine, a shard stops listening when its loop turns, and the system resets what it has not accepted.
 */
async function takenOut(expected: string): Promise<void> {
  if (!isPortable(server)) return;
  for (let count = 0; count < 8;) {
    const text = await get("/shard").then(
      (answer) => answer.text,
      () => "reset",
    );
    count = text === expected ? count + 1 : 0;
  }
}

/** Connects until there is a client on each of two shards. */
async function onBothShards(): Promise<[Client, Client]> {
  const found: (Client | undefined)[] = [undefined, undefined];
  for (let tries = 0; tries < 64; tries += 1) {
    const client = await Client.connect(server.port);
    const { shard } = (await joined(client, "room:1")) as { readonly shard: number };
    if (found[shard]) await client.close();
    else found[shard] = client;
    if (found[0] && found[1]) return [found[0], found[1]];
  }
  throw new Error("all connections went to one shard");
}

async function held(client: Client): Promise<void> {
  await client.replyTo(client.push("room:1", "spin"));
}

async function letGo(client: Client): Promise<void> {
  await client.replyTo(client.push("room:1", "calm"));
}

describe("An overloaded server", () => {
  let lines: Lines;

  beforeEach(() => {
    events = new ShardEvents();
    lines = new Lines();
  });

  afterEach(async () => {
    await server.closeNow();
    events.close();
  });

  it("refuses joins with a reason while a shard is blocked, keeps joined channels, and accepts joins again", async () => {
    server = await startServer("slow", {
      shards: 1,
      overloadLagMs: LAG_MS,
      withdrawPercent: 10_000,
      data: { events: events.name },
    });
    const client = await Client.connect(server.port);
    await joined(client, "room:1");
    await held(client);
    const [begin] = await events.until({ name: "overload_begin", level: "refusing" });
    assert.ok((begin?.["lagMs"] as number) >= LAG_MS && (begin?.["heapBytes"] as number) > 0);
    assert.deepEqual(await client.replyTo(client.join("room:2")), {
      status: "error",
      response: { reason: "overloaded" },
    });
    assert.equal(server.stats().total.joinsOverloaded, 1);
    assert.equal(server.stats().shards[0]?.overloadLevel, 1);
    // Joined channels continue, and new connections are accepted.
    const echoed = await client.replyTo(client.push("room:1", "echo", { n: 1 }));
    assert.deepEqual(echoed, { status: "ok", response: { n: 1 } });
    await (await Client.connect(server.port)).close();
    await letGo(client);
    await events.until({ name: "overload_end", level: "refusing" });
    await joined(client, "room:2");
    assert.equal(server.stats().shards[0]?.overloadLevel, 0);
    await client.close();
  });

  it("refuses joins if a shard's heap is too large", async () => {
    server = await startServer("slow", {
      shards: 1,
      overloadHeapBytes: 1_048_576,
      withdrawPercent: 10_000,
      data: { events: events.name },
    });
    const client = await Client.connect(server.port);
    // Any heap is larger than that, so the shard refuses joins from its first samples on.
    await events.until({ name: "overload_begin", level: "refusing" });
    assert.deepEqual(await client.replyTo(client.join("room:1")), {
      status: "error",
      response: { reason: "overloaded" },
    });
    await client.close();
  });

  it(
    "takes a shard out of the rotation, answers 503 if all are out, and puts them back",
    { skip: noSecondShard },
    async () => {
      server = await startServer("slow", {
        shards: 2,
        overloadLagMs: LAG_MS,
        withdrawPercent: 100,
        logLevel: "warn",
        logger: lines.sink,
        data: { events: events.name },
      });
      const clients = await onBothShards();
      await held(clients[0]);
      await lines.until("overloaded shard gets no new connections");
      await takenOut("1");
      const served = new Set<string>();
      for (let n = 0; n < 4; n += 1) served.add((await get("/shard")).text);
      assert.deepEqual([...served], ["1"]);

      await held(clients[1]);
      await lines.until("new connections get 503");
      await takenOut("");
      const refused = await get("/shard");
      assert.deepEqual([refused.statusCode, refused.headers["retry-after"]], [503, "5"]);
      await assert.rejects(Client.connect(server.port));
      assert.ok(server.stats().main.turnedAway >= 2);

      await letGo(clients[0]);
      await letGo(clients[1]);
      await lines.until("recovered shard gets new connections", 2);
      await events.until({ name: "overload_end", level: "refusing" }, 2);
      for (const client of await onBothShards()) await client.close();
      for (const client of clients) await client.close();
    },
  );
});
