/**
 * Trackers of several shards on several nodes, connected by a network that loses, delays and duplicates
 * messages as a test wants. The test also controls the clock.
 *
 * Runs on: the test's thread. Payloads are sent as JSON, as they are between threads.
 */

import { Logger } from "../../src/log/logger.ts";
import { Counters, makeCountersMemory, readCounters } from "../../src/memory/counters.ts";
import type { AnyCallbacks, PresenceContext } from "../../src/presence/definition.ts";
import { settingsOf } from "../../src/presence/definition.ts";
import type { PresenceOptions } from "../../src/presence/definition.ts";
import type { OwnerState, PresencePubSub } from "../../src/presence/shard-presence.ts";
import { Tracker } from "../../src/presence/tracker.ts";
import type { Scope } from "../../src/pubsub/pubsub.ts";
import type { Listener } from "../../src/pubsub/registry.ts";
import { smallOptions } from "./options.ts";
import type { LogEntry } from "./world.ts";

/** A message between two shards. */
export interface Packet {
  readonly from: PresenceShard;
  readonly to: PresenceShard;
  readonly topic: string;
  readonly event: string;
  readonly json: string;
}

/** Default times, so long that they only pass if the test advances the clock. */
const SLOW: PresenceOptions = { broadcastPeriodMs: 1_000, maxSilentPeriods: 10 };

/** All shards of all nodes. */
export class PresenceNet {
  /** The clock of all shards (ms). */
  nowMs = 0;
  readonly shards: PresenceShard[] = [];
  /** Returns how often a message arrives. */
  copies: (packet: Packet) => number = () => 1;
  /** Messages in transit. */
  readonly packets: Packet[] = [];
  /** Everything that was sent, as `from>to event`. */
  readonly sent: string[] = [];

  /** Makes a shard, which sends nothing before it is started. */
  make(
    node: string,
    member: number,
    options: PresenceOptions & Partial<AnyCallbacks> = {},
  ): PresenceShard {
    const shard = new PresenceShard(this, node, member, options);
    this.shards.push(shard);
    return shard;
  }

  /** Makes a shard and starts it, with its requests to the others answered. */
  start(
    node: string,
    member: number,
    options: PresenceOptions & Partial<AnyCallbacks> = {},
  ): PresenceShard {
    const shard = this.make(node, member, options);
    shard.tracker.start();
    this.deliver();
    return shard;
  }

  /** Removes a shard abruptly, like a thread or a node that dies. */
  kill(shard: PresenceShard): void {
    this.shards.splice(this.shards.indexOf(shard), 1);
    shard.tracker.close();
  }

  send(packet: Packet): void {
    this.sent.push(`${packet.from.place}>${packet.to.place} ${packet.event}`);
    for (let copy = this.copies(packet); copy > 0; copy -= 1) this.packets.push(packet);
  }

  /** Delivers all messages in transit, and those sent in response. */
  deliver(): void {
    for (let packet = this.packets.shift(); packet; packet = this.packets.shift()) {
      packet.to.receive(packet);
    }
  }

  /** Returns what was sent since the last call. */
  taken(): string[] {
    return this.sent.splice(0);
  }
}

/** A shard as seen by its presence, with the test's network instead of a PubSub. */
export class PresenceShard implements PresencePubSub {
  readonly node: string;
  readonly member: PresencePubSub["member"];
  readonly tracker: Tracker;
  readonly log: LogEntry[] = [];
  /** Diffs to its subscribers, as `+key` and `-key` after the topic. */
  readonly heard: string[] = [];
  /** Payloads of the diffs to its subscribers. */
  readonly diffs: { readonly topic: string; readonly payload: unknown }[] = [];
  /** Everything that was broadcast to its subscribers. */
  readonly sent: (readonly [event: string, payload: unknown])[] = [];
  readonly ended = new Set<object>();
  /** Number of subscribers of each topic. */
  subscribers = 1;
  readonly #net: PresenceNet;
  readonly #listeners = new Map<string, Listener>();
  readonly #counters = makeCountersMemory(1);
  readonly #retireTasks: ((member: number) => void)[] = [];

  constructor(
    net: PresenceNet,
    node: string,
    member: number,
    options: PresenceOptions & Partial<AnyCallbacks>,
  ) {
    this.#net = net;
    this.node = node;
    const note = (fields: object, text: string): void =>
      void this.log.push({ text, fields: fields as LogEntry["fields"] });
    this.member = {
      number: member,
      node,
      hasNodes: true,
      counters: new Counters(this.#counters, 0),
      logger: new Logger("debug", { debug: note, info: note, warn: note, error: note }),
      onRetired: (task) => void this.#retireTasks.push(task),
    };
    this.tracker = new Tracker({
      name: "presence",
      callbacks: options,
      settings: settingsOf("presence", { ...SLOW, ...options }, smallOptions()),
      context: { shard: member } as unknown as PresenceContext,
      pubsub: this,
      ownerState: (owner) => this.#ownerState(owner),
      ownersOfClient: (owner) => this.clients.find((owners) => owners.includes(owner)),
      now: () => net.nowMs,
    });
  }

  /** Owners by client. An owner that is not listed belongs to none. */
  readonly clients: (readonly object[])[] = [];

  /** Node and member, such as `a1`. */
  get place(): string {
    return `${this.node}${this.member.number}`;
  }

  /** Number of presences tracked here. */
  get tracked(): number {
    return readCounters(this.#counters, 0).presences;
  }

  /** Retires a member of its node, as every thread does when main tells it to. */
  retire(member: number): void {
    for (const task of this.#retireTasks) task(member);
  }

  /** Tracks a presence with a new owner. */
  track(key: string, topic = "room", meta: object = {}): object {
    const owner = { owns: key };
    this.tracker.track(owner, topic, key, meta);
    return owner;
  }

  /** Returns the keys present on a topic, sorted, each as often as it has metas. */
  keys(topic = "room"): string[] {
    const presences = this.tracker.list(topic) as Record<string, { metas: unknown[] }>;
    return Object.entries(presences)
      .flatMap(([key, { metas }]) => metas.map(() => key))
      .toSorted();
  }

  /** Returns the metas of a key on a topic. */
  metas(key: string, topic = "room"): readonly Readonly<Record<string, unknown>>[] {
    const entry = this.tracker.getByKey(topic, key) as
      | { metas: Record<string, unknown>[] }
      | undefined;
    return entry?.metas ?? [];
  }

  /** Returns the diffs to its subscribers since the last call. */
  taken(): string[] {
    return this.heard.splice(0);
  }

  receive({ topic, event, json }: Packet): void {
    this.#listeners.get(topic)?.receive({ topic, event, payload: JSON.parse(json) }, json.length);
  }

  /** Called as by PubSub when it may have missed messages. */
  miss(): void {
    for (const [topic, listener] of this.#listeners) listener.missed(topic);
  }

  subscribe(topic: string, listener: Listener): void {
    this.#listeners.set(topic, listener);
  }

  unsubscribe(topic: string): void {
    this.#listeners.delete(topic);
  }

  count(): number {
    return this.subscribers;
  }

  broadcast(topic: string, event: string, payload: object, scope: Scope): void {
    const json = JSON.stringify(payload);
    if (scope === "thread") {
      this.sent.push([event, JSON.parse(json)]);
      if (event === "presence_diff") this.#hear(topic, JSON.parse(json));
      return;
    }
    for (const to of this.#net.shards) {
      const isNear = to.node === this.node;
      if (scope === "otherNodes" ? isNear : scope === "otherThreads" && !isNear) continue;
      if (to === this && scope !== "cluster") continue;
      this.#net.send({ from: this, to, topic, event, json });
    }
  }

  directBroadcast(node: string, topic: string, event: string, payload: object): void {
    const json = JSON.stringify(payload);
    for (const to of this.#net.shards) {
      if (to.node === node) this.#net.send({ from: this, to, topic, event, json });
    }
  }

  #ownerState(owner: object): OwnerState {
    if ("stranger" in owner) return "stranger";
    return this.ended.has(owner) ? "ended" : "alive";
  }

  #hear(topic: string, payload: unknown): void {
    this.diffs.push({ topic, payload });
    const { joins, leaves } = payload as Record<"joins" | "leaves", object>;
    const signs = [
      ...Object.keys(joins).map((key) => `+${key}`),
      ...Object.keys(leaves).map((key) => `-${key}`),
    ];
    this.heard.push(`${topic} ${signs.join(" ")}`);
  }
}
