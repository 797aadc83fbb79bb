/**
 * Random joins, drops, losses in both directions, trims, slow clients and a replaced keeper, compared with a
 * plain list of what the keeper has numbered: every client gets every message after its position once, in order,
 * or is told that something is missing.
 *
 * Runs on: the test's thread, with two shards, a host and a keeper on tiny rings.
 * Slow: some thousands of steps for each seed.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";

import type { ChannelSocket } from "../../src/channel/channel-socket.ts";
import { BASE, KeptNode, type TopicModel } from "../support/kept-node.ts";
import { makeRandom } from "../support/litmus.ts";
import { channel, World, type WorldClient } from "../support/world.ts";

const TOPIC = "room:1";
const STEPS = 3_000;
const CLIENTS = 8;
const SIZE = 20;
const HISTORY = { size: SIZE, ttlMs: 1_000_000, maxBytes: 1_000_000 };

type Room = ChannelSocket<Record<string, unknown>>;
type Random = (limit: number) => number;

interface Sent {
  readonly n: number;
  /** The client and its join that is left out. */
  readonly but?: string;
  /** Only for clients with this remainder, where messages are intercepted. */
  readonly only?: number;
}

/** A shard whose channels have a history. */
function makeWorld(node: KeptNode, member: number): World {
  const shared = {
    history: HISTORY,
    handleIn: {
      say: (socket: Room, payload: object) => socket.broadcast("said", payload),
      sayToOthers: (socket: Room, payload: object) => socket.broadcastFrom("said", payload),
    },
  };
  const intercept = {
    said: async (socket: Room, payload: unknown): Promise<void> => {
      const { n, only } = payload as Sent;
      if (n % 3 === 0) await setImmediate();
      const { number } = socket.assigns as { number?: number };
      if (only === undefined || only === Number(number) % 2) socket.push("said", payload);
    },
  };
  const world = new World({
    channels: { "room:*": channel(shared), "seen:*": channel({ ...shared, intercept }) },
    node: node.node,
    member,
    maxMailbox: 100,
    maxWaitingBytes: 1_000_000,
  });
  node.join(world.member.pubsub);
  return world;
}

/** A client that comes back with its position whenever it is told that something is missing. */
class Returning {
  readonly number: number;
  readonly topic: string;
  readonly #node: KeptNode;
  readonly #worlds: readonly World[];
  #client: WorldClient | undefined;
  #joins = 0;
  #ref = 0;
  #state: "away" | "joining" | "joined" | "told" = "away";
  #epoch: string | undefined;
  /** Offset of the last message that it got. */
  #offset = 0;
  got = 0;
  told = 0;

  constructor(node: KeptNode, worlds: readonly World[], number: number) {
    this.#node = node;
    this.#worlds = worlds;
    this.number = number;
    this.topic = number % 4 === 3 ? `seen:${TOPIC}` : TOPIC;
  }

  get isLevel(): boolean {
    if (this.#state !== "joined") return false;
    return this.#offset === this.#node.model(this.topic).head;
  }

  toString(): string {
    return `${this.number} on ${this.topic}, ${this.#state}, at ${this.#offset - BASE}`;
  }

  get isAway(): boolean {
    return this.#state === "away";
  }

  connect(random: Random): void {
    const world = this.#worlds[random(this.#worlds.length)] as World;
    this.#client = world.connect({ assigns: { number: this.number } });
    this.join();
  }

  join(): void {
    this.#joins += 1;
    this.#ref += 1;
    this.#state = "joining";
    const position = { epoch: this.#epoch, offset: String(this.#offset) };
    const payload = { history: this.#epoch === undefined ? null : position };
    const ref = String(this.#ref);
    this.#client?.send(JSON.stringify([ref, ref, this.topic, "phx_join", payload]));
  }

  drop(): void {
    this.#client?.connection.lose();
    this.#state = "away";
  }

  setRoom(frames: number): void {
    this.#client?.connection.setRoom(frames);
  }

  say(n: number, random: Random): void {
    if (this.#state !== "joined") return;
    const isToOthers = random(2) === 0;
    const but = isToOthers ? { but: `${this.number}/${this.#joins}` } : {};
    const event = isToOthers ? "sayToOthers" : "say";
    const ref = String(this.#ref);
    this.#client?.send(JSON.stringify([ref, null, this.topic, event, { n, ...but }]));
  }

  /** Reads what it was sent, and comes back if it was told that something is missing. */
  read(): void {
    for (const frame of this.#client?.taken() ?? []) {
      if (this.#state === "away") return;
      this.#take(JSON.parse(frame) as [unknown, string | null, string, string, unknown]);
    }
    if (this.#state === "told") this.join();
  }

  #take([, ref, , event, payload]: [unknown, string | null, string, string, unknown]): void {
    // What it said when its channel had already ended.
    if (event === "phx_reply" && ref === null) return;
    if (event === "phx_reply") this.#joined(payload as Reply);
    else if (event === "phx_error") {
      this.told += 1;
      this.#state = "told";
    } else {
      assert.equal(this.#state, "joined", `${event} while ${this.#state}`);
      this.#message(Number(ref), event, payload as Sent);
    }
  }

  #joined({ status, response }: Reply): void {
    assert.equal(status, "ok", JSON.stringify(response));
    const { epoch, offset, recovered } = response.history;
    const model = this.#node.model(this.topic);
    const isCurrent = epoch === model.epoch;
    if (recovered && this.#epoch !== undefined) {
      assert.deepEqual([epoch, Number(offset)], [this.#epoch, this.#offset]);
    } else if (!recovered && isCurrent && this.#epoch === epoch) {
      assert.ok(!model.isWhole(this.#offset, SIZE), `nothing is missing after ${this.#offset}`);
    }
    if (this.#epoch === undefined) assert.ok(recovered);
    this.#epoch = epoch;
    this.#offset = Number(offset);
    this.#state = "joined";
  }

  #message(offset: number, event: string, payload: Sent): void {
    const before = this.#offset;
    assert.equal(offset, before + 1, `client ${this.number} got ${offset} after ${before}`);
    this.#offset = offset;
    this.got += 1;
    const model = this.#node.model(this.topic);
    // The frames of a keeper that has ended cannot be compared any more.
    if (this.#epoch !== model.epoch) return;
    const numbered = model.at(offset)?.payload as Sent | undefined;
    assert.ok(numbered, `offset ${offset - BASE} was burned`);
    if (event !== "history") {
      assert.deepEqual(payload, numbered);
      return;
    }
    const isExcluded = numbered.but === `${this.number}/${this.#joins}`;
    const isHidden = this.topic !== TOPIC && numbered.only === (this.number + 1) % 2;
    assert.ok(isExcluded || isHidden, `client ${this.number} did not get ${numbered.n}`);
  }
}

interface Reply {
  readonly status: string;
  readonly response: {
    readonly history: {
      readonly epoch: string;
      readonly offset: string;
      readonly recovered: boolean;
    };
  };
}

async function run(seed: number): Promise<{ got: number; told: number; lapped: number }> {
  const random = makeRandom(seed);
  // "seen:…" must be kept as well, so every topic is.
  const node = new KeptNode({
    pattern: "*",
    history: { size: SIZE },
    overflowBytes: 6_000,
    ringBytes: 2_048,
  });
  const worlds = [makeWorld(node, 1), makeWorld(node, 2)];
  const host = node.node.member(0);
  node.join(host.pubsub);
  const clients = Array.from({ length: CLIENTS }, (_, at) => new Returning(node, worlds, at));
  let n = 0;
  const said = new Map<string, number[]>([
    [TOPIC, []],
    [`seen:${TOPIC}`, []],
  ]);
  const say = (): void => {
    n += 1;
    const topic = random(4) === 0 ? `seen:${TOPIC}` : TOPIC;
    said.get(topic)?.push(n);
    const only = random(3) === 0 ? { only: random(2) } : {};
    const pad = random(20) === 0 ? { pad: "x".repeat(random(600)) } : {};
    host.broadcast(topic, "said", { n, ...only, ...pad });
  };
  const drainAll = (): void => {
    node.drain();
    for (const world of worlds) world.member.drain();
    host.drain();
  };
  const someone = (): Returning => clients[random(CLIENTS)] as Returning;
  const burst = (): void => {
    for (let count = random(80); count > 0; count -= 1) say();
  };
  const comeOrGo = (): void => {
    const client = someone();
    if (client.isAway) client.connect(random);
    else if (random(4) === 0) client.drop();
  };
  const actions: readonly (readonly [chance: number, run: () => unknown])[] = [
    [30, say],
    [4, burst],
    [10, () => someone().say((n += 1), random)],
    [10, comeOrGo],
    [6, () => someone().setRoom(random(3) === 0 ? random(3) : Infinity)],
    [15, () => node.drain(1 + random(20))],
    [15, () => (worlds[random(2)] as World).member.drain()],
    [6, () => someone().read()],
    [1, () => random(10) === 0 && node.replace()],
    [3, setImmediate],
  ];
  for (let step = 0; step < STEPS; step += 1) {
    let dice = random(100);
    const [, act] = actions.find(([chance]) => (dice -= chance) < 0) ?? [0, say];
    await act();
  }
  // Everybody comes back, has room, and gets everything.
  for (const client of clients) {
    if (client.isAway) client.connect(random);
    client.setRoom(Infinity);
  }
  const untilMs = performance.now() + 20_000;
  while (!clients.every((client) => client.isLevel)) {
    drainAll();
    for (const client of clients) client.read();
    const late = clients.filter((client) => !client.isLevel).map(String);
    assert.ok(performance.now() < untilMs, `not level: ${late.join(", ")}`);
    await setImmediate();
  }
  for (const [topic, numbers] of said) checkLosses(node.model(topic).messages, numbers);
  const sum = (of: (client: Returning) => number): number =>
    clients.reduce((total, client) => total + of(client), 0);
  node.stop();
  const lapped = node.node.counter(3, "lapped");
  return { got: sum((client) => client.got), told: sum((client) => client.told), lapped };
}

/**
 * Checks that an offset was burned wherever a message of the host was lost on its way to the keeper.
 *
 * @param said - the numbers of the host's messages on the topic, in order
 */
function checkLosses(messages: TopicModel["messages"], said: readonly number[]): void {
  let next: number | undefined;
  let isBurned = false;
  for (const message of messages) {
    isBurned ||= message === undefined;
    const { n } = (message?.payload ?? { n: 0 }) as Sent;
    const at = said.indexOf(n);
    if (at < 0) continue;
    // What was said before this keeper began is unknown to it.
    assert.ok(next === undefined || at === next || isBurned, `lost before ${n} in silence`);
    assert.ok(at >= (next ?? 0), `${n} came after a later message of its sender`);
    next = at + 1;
    isBurned = false;
  }
}

describe("A history, compared with a plain list", () => {
  let all = { got: 0, told: 0, lapped: 0 };
  for (let seed = 1; seed <= 12; seed += 1) {
    it(`gives every client everything once, in order, or tells it, with seed ${seed}`, async () => {
      const { got, told, lapped } = await run(seed);
      all = { got: all.got + got, told: all.told + told, lapped: all.lapped + lapped };
    });
  }

  it("has tried what it is about", () => {
    assert.ok(all.got > 1_000 && all.told > 10 && all.lapped > 100, JSON.stringify(all));
  });
});
