/**
 * Every subscriber gets every message of every sender once, in that sender's order, across eight shards.
 *
 * Runs on: the main thread of the tests; the server's shards are threads of the same process.
 *
 *   the sender's next number on that topic     allowed
 *   a gap, a repeat, an older number           forbidden
 *
 * Slow: many messages between shards.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { WebSocket } from "ws";
import { within } from "../support/deadline.ts";
import { startServer } from "../support/server.ts";
import type { Server } from "../support/server.ts";

const SHARDS = 8;
const CONNECTIONS = SHARDS * 50;
const TOPICS = 40;
const MESSAGES = 20;
/** The smallest rings: they wrap all the time and fill up, so records wait in the overflow queues. */
const RING_BYTES = 4_096;
const DEADLINE_MS = 20_000;

/** A connection that joins two topics, sends on both, and checks what it receives. */
class Member {
  readonly topics: readonly string[];
  heard = 0;
  readonly wrong: string[] = [];
  readonly #number: number;
  readonly #webSocket: WebSocket;
  /** The last number received, by topic and sender. */
  readonly #last = new Map<string, number>();
  #joins = 0;
  #enough: { readonly count: number; readonly resolve: () => void } | undefined;
  #onJoined: () => void = () => undefined;

  constructor(port: number, number: number) {
    this.#number = number;
    this.topics = [`bench:${number % TOPICS}`, `bench:${(number * 7 + 3) % TOPICS}`];
    this.#webSocket = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`);
    this.#webSocket.on("message", (data: Buffer) => this.#onFrame(data.toString()));
  }

  async join(): Promise<void> {
    await once(this.#webSocket, "open");
    const joined = new Promise<void>((resolve) => {
      this.#onJoined = resolve;
    });
    for (const topic of new Set(this.topics)) {
      this.#webSocket.send(JSON.stringify([topic, "1", topic, "phx_join", {}]));
    }
    await joined;
  }

  /** Waits until this many messages were received. */
  hears(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#enough = { count, resolve };
    });
  }

  say(n: number): void {
    for (const topic of new Set(this.topics)) {
      this.#webSocket.send(JSON.stringify([topic, null, topic, "b", { from: this.#number, n }]));
    }
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
      unknown,
    ];
    if (event === "b") return this.#hear(topic, payload as { from: number; n: number });
    if (event !== "phx_reply") this.wrong.push(`${topic} got ${text}`);
    this.#joins += 1;
    if (this.#joins === new Set(this.topics).size) this.#onJoined();
    return undefined;
  }

  #hear(topic: string, { from, n }: { from: number; n: number }): void {
    const key = `${topic} from ${from}`;
    const last = this.#last.get(key) ?? 0;
    if (n !== last + 1) this.wrong.push(`${this.#number} heard ${n} after ${last} on ${key}`);
    this.#last.set(key, n);
    this.heard += 1;
    if (this.heard === this.#enough?.count) this.#enough.resolve();
  }
}

describe("Broadcasts between shards", () => {
  let server: Server;
  let members: Member[] = [];
  before(async () => {
    server = await startServer("conformance", { shards: SHARDS, ringBytes: RING_BYTES });
  });
  after(async () => {
    for (const member of members) member.cut();
    await server.close();
  });

  it("reach every subscriber once and in their sender's order", async () => {
    members = Array.from({ length: CONNECTIONS }, (_, number) => new Member(server.port, number));
    await within(Promise.all(members.map((member) => member.join())), "all joins", DEADLINE_MS);
    const sizes = new Map<string, number>();
    for (const topic of members.flatMap(({ topics }) => [...new Set(topics)])) {
      sizes.set(topic, (sizes.get(topic) ?? 0) + 1);
    }
    const expected = members.map(({ topics }) =>
      [...new Set(topics)].reduce((sum, topic) => sum + MESSAGES * (sizes.get(topic) ?? 0), 0),
    );

    const complete = Promise.all(members.map((member, i) => member.hears(expected[i] ?? 0)));
    for (let n = 1; n <= MESSAGES; n += 1) {
      for (const member of members) member.say(n);
      await setImmediate();
    }
    // If something is missing at the deadline, it is reported below, member by member.
    await within(complete, "the last message", DEADLINE_MS).catch(() => undefined);

    assert.deepEqual(
      members.flatMap(({ wrong }) => wrong),
      [],
    );
    assert.deepEqual(
      members.map(({ heard }) => heard),
      expected,
    );
  });
});
