/**
 * Trackers of several shards on several nodes, and what lies between them: a net that loses,
 * delays and doubles what a test says, and whose time passes when the test says so.
 *
 * Runs on: the test's thread. Payloads cross as JSON, as they do between threads.
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

/** Times so long that only a test lets them pass, unless it gives others. */
const SLOW: PresenceOptions = { broadcastPeriodMs: 1_000, maxSilentPeriods: 10 };

/** All shards of all nodes. */
export class PresenceNet {
  /** Time of all shards (ms). */
  nowMs = 0;
  readonly shards: PresenceShard[] = [];
  /** Says how often a message arrives. */
  copies: (packet: Packet) => number = () => 1;
  /** What is on its way. */
  readonly packets: Packet[] = [];
  /** All that was sent, as `from>to event`. */
  readonly sent: string[] = [];

  /** Makes a shard, which says nothing before it is started. */
  make(
    node: string,
    member: number,
    options: PresenceOptions & Partial<AnyCallbacks> = {},
  ): PresenceShard {
    const shard = new PresenceShard(this, node, member, options);
    this.shards.push(shard);
    return shard;
  }

  /** Makes a shard and starts it; what it asks the others is answered. */
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

  /** Takes a shard away without a word, as a thread or a node that dies. */
  kill(shard: PresenceShard): void {
    this.shards.splice(this.shards.indexOf(shard), 1);
    shard.tracker.close();
  }

  send(packet: Packet): void {
    this.sent.push(`${packet.from.place}>${packet.to.place} ${packet.event}`);
    for (let copy = this.copies(packet); copy > 0; copy -= 1) this.packets.push(packet);
  }

  /** Delivers all that is on its way, and what comes of it. */
  deliver(): void {
    for (let packet = this.packets.shift(); packet; packet = this.packets.shift()) {
      packet.to.receive(packet);
    }
  }

  /** Gives what was sent since the last call. */
  taken(): string[] {
    return this.sent.splice(0);
  }
}

/** One shard, as its presence knows it: the net in place of its PubSub. */
export class PresenceShard implements PresencePubSub {
  readonly node: string;
  readonly member: PresencePubSub["member"];
  readonly tracker: Tracker;
  readonly log: LogEntry[] = [];
  /** What its subscribers were told, as `+key` and `-key`, with the topic before it. */
  readonly heard: string[] = [];
  /** Payloads of what its subscribers were told. */
  readonly diffs: { readonly topic: string; readonly payload: unknown }[] = [];
  /** All that was broadcast to its subscribers. */
  readonly sent: (readonly [event: string, payload: unknown])[] = [];
  readonly ended = new Set<object>();
  /** Subscribers of each topic. */
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
      now: () => net.nowMs,
    });
  }

  /** Name of the place, `a1`: node and member. */
  get place(): string {
    return `${this.node}${this.member.number}`;
  }

  /** Presences that are tracked here. */
  get tracked(): number {
    return readCounters(this.#counters, 0).presences;
  }

  /** Retires a member of its node, as main has all threads do. */
  retire(member: number): void {
    for (const task of this.#retireTasks) task(member);
  }

  /** Tracks for an owner of its own. */
  track(key: string, topic = "room", meta: object = {}): object {
    const owner = { owns: key };
    this.tracker.track(owner, topic, key, meta);
    return owner;
  }

  /** Keys that are there on a topic, in order, each as often as it has metas. */
  keys(topic = "room"): string[] {
    const presences = this.tracker.list(topic) as Record<string, { metas: unknown[] }>;
    return Object.entries(presences)
      .flatMap(([key, { metas }]) => metas.map(() => key))
      .toSorted();
  }

  /** Metas that are there under a key of a topic. */
  metas(key: string, topic = "room"): readonly Readonly<Record<string, unknown>>[] {
    const entry = this.tracker.getByKey(topic, key) as
      | { metas: Record<string, unknown>[] }
      | undefined;
    return entry?.metas ?? [];
  }

  /** Gives what its subscribers were told since the last call. */
  taken(): string[] {
    return this.heard.splice(0);
  }

  receive({ topic, event, json }: Packet): void {
    this.#listeners.get(topic)?.receive({ topic, event, payload: JSON.parse(json) });
  }

  /** Is told by PubSub that it may have missed something. */
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
