/**
 * User code blocks one shard for seconds, while the other shards and the host broadcast to it.
 *
 *   the sender's next number                                            allowed
 *   the end of the channel by phx_error, or of the connection           allowed if limits are small
 *   a gap or a repeat before that; neither the last number nor an end   forbidden
 *
 * Runs on: the main thread of the tests; the server is a process of its own, so that its memory
 * can be measured.
 * Slow: a shard stands still for seconds.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { it } from "node:test";
import { WebSocket } from "ws";
import type { StallReport } from "../apps/stall.main.ts";
import { startChild } from "../support/child.ts";
import type { Child } from "../support/child.ts";
import { Client, joined } from "../support/client.ts";
import { noSecondShard } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";

const SHARDS = 3;
const MEGABYTE = 2 ** 20;
const BYTES = 65_536;
const TOPIC = "room:flood";
const SENDERS = ["host", "shard a", "shard b"];
const DEADLINE_MS = 60_000;

/** A client that reads numbers, and records what is forbidden. */
class Listener {
  readonly wrong: string[] = [];
  /** How it learned that it missed something. */
  told: string | undefined = undefined;
  readonly last = new Map(SENDERS.map((from) => [from, 0]));
  readonly #webSocket: WebSocket;
  readonly #count: number;
  #settle: () => void = () => undefined;
  readonly settled = new Promise<void>((resolve) => {
    this.#settle = resolve;
  });
  #onJoined: (shard: number) => void = () => undefined;

  /** @param count - the last number of each sender */
  constructor(port: number, count: number) {
    this.#count = count;
    this.#webSocket = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`);
    this.#webSocket.on("message", (data: Buffer) => this.#onFrame(data.toString()));
    this.#webSocket.on("close", (code) => this.#tell(`close ${code}`));
    this.#webSocket.on("error", () => undefined);
  }

  /** Joins a topic, and returns the shard. */
  async join(topic: string): Promise<number> {
    if (this.#webSocket.readyState !== WebSocket.OPEN) await once(this.#webSocket, "open");
    const shard = new Promise<number>((resolve) => {
      this.#onJoined = resolve;
    });
    this.#webSocket.send(JSON.stringify(["1", "1", topic, "phx_join", {}]));
    return within(shard, `the join of ${topic}`);
  }

  cut(): void {
    this.#webSocket.terminate();
  }

  #onFrame(text: string): void {
    const [, , topic, event, payload] = JSON.parse(text) as [
      unknown,
      unknown,
      string,
      string,
      { from: string; n: number; response: { shard: number }; reason: string },
    ];
    if (event === "phx_reply") this.#onJoined(payload.response.shard);
    else if (event === "phx_error") this.#tell(`${topic}: ${payload.reason}`);
    else this.#hear(payload.from, payload.n);
  }

  #hear(from: string, n: number): void {
    const last = this.last.get(from) ?? 0;
    if (n !== last + 1) this.wrong.push(`${from}: ${n} after ${last}`);
    if (this.told !== undefined) this.wrong.push(`${from}: ${n} after the end`);
    this.last.set(from, n);
    if ([...this.last.values()].every((each) => each === this.#count)) this.#settle();
  }

  #tell(how: string): void {
    this.told ??= how;
    this.#settle();
  }
}

/** A server, listeners on one of its shards, and a client on each. */
interface Stage {
  readonly child: Child;
  /** All on shard 0. */
  readonly listeners: readonly Listener[];
  /** By shard. */
  readonly clients: readonly Client[];
}

async function onStage(
  environment: Readonly<Record<string, string>>,
  count: number,
  play: (stage: Stage) => Promise<void>,
): Promise<void> {
  const child = await startChild("stall.main", [], environment);
  const others: Listener[] = [];
  try {
    const listeners: Listener[] = [];
    const clients: Client[] = [];
    while (clients.filter(Boolean).length < SHARDS) {
      const client = await Client.connect(child.port);
      const { shard } = (await joined(client, "room:pump")) as { shard: number };
      if (clients[shard]) await client.close();
      else clients[shard] = client;
    }
    while (listeners.length < 2) {
      const listener = new Listener(child.port, count);
      others.push(listener);
      if ((await listener.join("room:wing")) !== 0) continue;
      await listener.join(TOPIC);
      listeners.push(listener);
    }
    await play({ child, listeners, clients });
    for (const client of clients) await client.cut();
  } finally {
    for (const listener of others) listener.cut();
    child.process.kill("SIGKILL");
  }
}

async function report(child: Child): Promise<StallReport> {
  const answer = once(child.process, "message");
  child.process.send("report");
  const [said] = await within(answer, "the report", DEADLINE_MS);
  return said as StallReport;
}

/** Waits until main has seen the end of a stall. */
async function sawEnd(child: Child, said: StallReport): Promise<void> {
  let { stalls } = said;
  while (!stalls.includes(false)) ({ stalls } = await report(child));
}

/** Blocks shard 0, and floods it from everywhere meanwhile. Resolves when all is settled. */
async function flooded(stage: Stage, stallMs: number, count: number): Promise<StallReport> {
  const { child, listeners, clients } = stage;
  const [stalled, a, b] = clients;
  assert.ok(stalled && a && b);
  await report(child);
  await stalled.replyTo(stalled.push("room:pump", "spin", { ms: stallMs }));
  const flood = { topic: TOPIC, count, bytes: BYTES };
  const refs = [
    a.push("room:pump", "flood", { ...flood, from: "shard a" }),
    b.push("room:pump", "flood", { ...flood, from: "shard b" }),
  ];
  child.process.send({ ...flood, from: "host" });
  const all = Promise.all(listeners.map(({ settled }) => settled));
  await within(all, "the last number, or its loss, at all listeners", DEADLINE_MS);
  // The server is up: every shard answers, including the one that was blocked.
  for (const [at, client] of [a, b].entries()) {
    const ref = refs[at];
    assert.ok(ref !== undefined);
    await within(client.replyTo(ref), "the end of the flood", DEADLINE_MS);
  }
  for (const client of clients) {
    const { status } = await client.replyTo(client.push("room:pump", "echo"));
    assert.equal(status, "ok");
  }
  return report(child);
}

it(
  "keeps its memory bounded while a shard is stalled, and tells the clients that missed something",
  { skip: noSecondShard },
  async () => {
    const count = Math.ceil((200 * MEGABYTE) / SENDERS.length / BYTES);
    const environment = {
      SIMURGH_RING_BYTES: "262144",
      SIMURGH_OVERFLOW_BYTES: String(4 * MEGABYTE),
      SIMURGH_OVERFLOW_TOTAL_BYTES: String(4 * MEGABYTE),
      // So that no client is cut for reading slowly: all losses here come from lapped records.
      SIMURGH_MAX_BACKPRESSURE_BYTES: String(256 * MEGABYTE),
    };
    await onStage(environment, count, async (stage) => {
      const said = await flooded(stage, 5_000, count);
      for (const { wrong, told } of stage.listeners) {
        assert.deepEqual(wrong, []);
        assert.equal(told, `${TOPIC}: missed broadcasts`);
      }
      assert.ok(said.lapped > 0, "nothing was lapped");
      // Three producers queue 4 MB each, which is then buffered for two sockets again. The rest is
      // garbage of three threads that made 200 MB of frames.
      const grownBytes = said.peakRssBytes - said.rssBytes;
      assert.ok(grownBytes < 100 * MEGABYTE, `memory grew by ${grownBytes / MEGABYTE} MB`);
      assert.equal(said.stalls[0], true, "main has not seen the shard stand still");
      await within(sawEnd(stage.child, said), "the end of the stall", DEADLINE_MS);
    });
  },
);

it("loses nothing while the overflow queues have room", { skip: noSecondShard }, async () => {
  const count = Math.ceil((40 * MEGABYTE) / SENDERS.length / BYTES);
  const environment = {
    SIMURGH_RING_BYTES: "262144",
    SIMURGH_OVERFLOW_BYTES: String(64 * MEGABYTE),
    SIMURGH_MAX_BACKPRESSURE_BYTES: String(256 * MEGABYTE),
  };
  await onStage(environment, count, async (stage) => {
    const said = await flooded(stage, 2_000, count);
    for (const { wrong, told, last } of stage.listeners) {
      assert.deepEqual({ wrong, told }, { wrong: [], told: undefined });
      assert.deepEqual([...last.values()], [count, count, count]);
    }
    assert.equal(said.lapped, 0);
  });
});
