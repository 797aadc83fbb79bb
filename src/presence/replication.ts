/**
 * What one replica says to the others of its presence, and does at what they say.
 *
 * Within the node each change is told at once, in the order of all else that its thread sends; to
 * other nodes, what changed within a period together. Nothing is acknowledged. Whoever gets a
 * message and finds that it has not seen all of its sender's clock asks for the rest; and so it does
 * where PubSub says that something was lost, and when it begins. Only the replica itself answers for
 * what it did, so every row comes from where it is true, and nobody relays.
 *
 * Runs on: shard; one for each presence.
 * Owns: the time of each replica's last word, and who was asked when.
 * Full: what is sent goes in parts (`answers`).
 * Slow: a thread that is lapped loses parts, and asks again, at most every `MISSED_MS`.
 */

import type { Broadcast } from "../pubsub/envelope.ts";
import type { Scope } from "../pubsub/pubsub.ts";
import type { Listener } from "../pubsub/registry.ts";
import { Answers, partsSince } from "./answers.ts";
import type { Delta } from "./delta.ts";
import type { Diff } from "./diff.ts";
import {
  GOSSIP,
  gossipTopic,
  inboxTopic,
  packDelta,
  packPermdown,
  packRequest,
  unpackDelta,
  unpackPermdown,
  unpackRequest,
  type DeltaMessage,
  type PermdownMessage,
  type RequestMessage,
} from "./gossip.ts";
import { replicaId, type Replica, type ReplicaRef } from "./replica.ts";
import type { PresenceSettings } from "./settings.ts";
import type { State } from "./state.ts";
import type { PresenceWire } from "./wire.ts";

/** What became of a replica. */
export type ReplicaStatus = "up" | "down" | "permdown";

/** What a replication is made of. */
export interface ReplicationParts {
  readonly name: string;
  readonly state: State;
  readonly settings: PresenceSettings;
  readonly wire: PresenceWire;
  /** Monotonic time (ms). */
  readonly now: () => number;
  /** Takes who came and went by what others said. */
  readonly onDiff: (diff: Diff) => void;
  readonly onStatus: (ref: ReplicaRef, status: ReplicaStatus) => void;
}

/** Pause between two requests to everybody. */
const MISSED_MS = 250;
const NOTHING: Delta = { spans: [], rows: [] };

/** One replica's end of the conversation. */
export class Replication implements Listener {
  readonly #parts: ReplicationParts;
  readonly #topic: string;
  /** Up to which tick of the own clock other nodes have been told. */
  #toldNodes = 0;
  /** At the most, so that the first period ends with a sign of life. */
  #silentPeriods: number;
  #tickMs: number;
  #ticker: NodeJS.Timeout | undefined;
  readonly #answers: Answers;
  /** When everybody was asked last, and the next time where that was too lately. */
  #askedAllMs = -Infinity;
  #askingAll: NodeJS.Timeout | undefined;
  /** By id: the incarnation that does not come back, and since when that is known. */
  readonly #gone = new Map<string, { readonly incarnation: number; readonly sinceMs: number }>();
  #isRunning = false;

  constructor(parts: ReplicationParts) {
    this.#parts = parts;
    this.#topic = gossipTopic(parts.name);
    this.#answers = new Answers(parts);
    this.#silentPeriods = parts.settings.maxSilentPeriods;
    this.#tickMs = parts.now();
  }

  /** Begins to hear the others, and asks them for what they have. */
  start(): void {
    const { name, state, settings, wire, now } = this.#parts;
    this.#isRunning = true;
    wire.subscribe(this.#topic, this);
    wire.subscribe(inboxTopic(name, state.own.ref), this);
    this.#askAll();
    this.#tickMs = now();
    // Shards that start together do not speak together for ever.
    const firstMs = settings.broadcastPeriodMs * (0.75 + Math.random() / 4);
    this.#ticker = setTimeout(() => {
      this.#ticker = setInterval(() => this.tick(), settings.broadcastPeriodMs).unref();
      this.tick();
    }, firstMs).unref();
  }

  /** Says what is left to be said, and hears nobody any more. */
  stop(): void {
    if (!this.#isRunning) return;
    this.#tellNodes();
    this.close();
  }

  /** Tells everybody that this replica does not come back, and stops. */
  permdown(): void {
    if (!this.#isRunning) return;
    const { ref } = this.#parts.state.own;
    this.#tell(GOSSIP.permdown, packPermdown(ref, ref), "cluster");
    this.close();
  }

  /** Stops without a word. */
  close(): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    clearTimeout(this.#ticker);
    clearTimeout(this.#askingAll);
    this.#answers.close();
    const { name, state, wire } = this.#parts;
    wire.unsubscribe(this.#topic, this);
    wire.unsubscribe(inboxTopic(name, state.own.ref), this);
  }

  /** Tells the other threads of the node what this replica just did. */
  changed(delta: Delta): void {
    const { state } = this.#parts;
    if (!this.#isRunning || !this.#hasSiblings()) return;
    this.#tell(GOSSIP.delta, packDelta(state.own.ref, delta, state.clock), "otherThreads");
  }

  /** A member of this node's exchange has ended: its replica does not come back. */
  retired(member: number): void {
    const { state, wire } = this.#parts;
    const replica = state.find({ node: wire.node, member });
    if (!replica) return;
    this.#bury(replica.ref);
    // The other nodes hear it from each thread of this one, as any of them may be the last.
    this.#tell(GOSSIP.permdown, packPermdown(state.own.ref, replica.ref), "otherNodes");
  }

  /** Does what is due at the end of a period. */
  tick(): void {
    const { settings } = this.#parts;
    if (this.#parts.state.clock > this.#toldNodes) {
      this.#tellNodes();
    } else if (this.#silentPeriods >= settings.maxSilentPeriods) {
      this.#tell(GOSSIP.delta, this.#signOfLife(), "cluster");
      this.#silentPeriods = 0;
    } else {
      this.#silentPeriods += 1;
    }
    this.#watch();
  }

  // -- what others say ---------------------------------------------------------------------------

  receive({ event, payload }: Broadcast): void {
    if (event === GOSSIP.delta) this.#takeDelta(unpackDelta(payload));
    else if (event === GOSSIP.request) this.#takeRequest(unpackRequest(payload));
    else if (event === GOSSIP.permdown) this.#takePermdown(unpackPermdown(payload));
  }

  /** Is told that something was lost on its way to this thread. Whose, nobody knows: asks all. */
  missed(): void {
    if (this.#askingAll) return;
    const { now } = this.#parts;
    const waitMs = this.#askedAllMs + MISSED_MS - now();
    if (waitMs <= 0) {
      this.#askAll();
      return;
    }
    this.#askingAll = setTimeout(() => {
      this.#askingAll = undefined;
      this.#askAll();
    }, waitMs).unref();
  }

  #takeDelta({ from, delta, clock }: DeltaMessage): void {
    const replica = this.#hear(from, false);
    if (!replica) return;
    this.#parts.onDiff(this.#parts.state.merge(replica, delta));
    if (clock === undefined) return;
    replica.clock = Math.max(replica.clock, clock);
    this.#askIfBehind(replica);
  }

  #takeRequest({ from, clock, clocks }: RequestMessage): void {
    const { state } = this.#parts;
    const replica = this.#hear(from, true);
    if (!replica) return;
    replica.clock = Math.max(replica.clock, clock);
    this.#askIfBehind(replica);
    const mine = clocks.find(({ ref }) => isSame(ref, state.own.ref));
    const since = mine?.through ?? 0;
    // Who does not know this one is answered in any case, so that both know each other.
    if (mine && since >= state.clock) return;
    this.#answers.tell(from, since);
  }

  #takePermdown({ from, gone }: PermdownMessage): void {
    const { state } = this.#parts;
    if (isSamePlace(from, state.own.ref) || isSamePlace(gone, state.own.ref)) return;
    this.#bury(gone);
  }

  /**
   * Finds who speaks. A replica that was down or unknown is up now; one of an earlier start is gone.
   *
   * @param isAsking - whether it gets an answer anyway
   * @returns undefined for this replica itself, and for one that does not come back
   */
  #hear(ref: ReplicaRef, isAsking: boolean): Replica | undefined {
    const { state, now, onDiff, onStatus } = this.#parts;
    if (isSamePlace(ref, state.own.ref)) return undefined;
    const known = state.find(ref);
    if (known && isSame(known.ref, ref)) {
      known.heardMs = now();
      if (known.status === "down") {
        onDiff(state.show(known));
        onStatus(ref, "up");
      }
      return known;
    }
    if (this.#gone.get(replicaId(ref))?.incarnation === ref.incarnation) return undefined;
    if (known) this.#bury(known.ref);
    return this.#meet(ref, isAsking);
  }

  #meet(ref: ReplicaRef, isAsking: boolean): Replica {
    const { state, now, onStatus } = this.#parts;
    const replica = state.add(ref);
    replica.heardMs = now();
    onStatus(ref, "up");
    if (isAsking) return replica;
    // It was there when everybody was asked just now, and its answer is on the way.
    if (now() - this.#askedAllMs < MISSED_MS) replica.askedMs = this.#askedAllMs;
    if (state.clock > 0) this.#greet(replica);
    return replica;
  }

  /** Shows a thread of this node that it may have missed something. */
  #greet({ ref }: Replica): void {
    const { name, wire } = this.#parts;
    if (ref.node !== wire.node) return;
    this.#tell(GOSSIP.delta, this.#signOfLife(), "otherThreads", inboxTopic(name, ref));
  }

  // -- what is asked -----------------------------------------------------------------------------

  #askIfBehind(replica: Replica): void {
    const { state, name, settings, wire, now } = this.#parts;
    if (replica.seen.through >= replica.clock) {
      replica.askedMs = -Infinity;
      return;
    }
    // It was asked, and answers: this came before the answer. Unless that is lost too: see `#watch`.
    if (now() - replica.askedMs < settings.broadcastPeriodMs) return;
    replica.askedMs = now();
    const seen = { ref: replica.ref, through: replica.seen.through };
    const request = packRequest(state.own.ref, state.clock, [seen]);
    const topic = inboxTopic(name, replica.ref);
    if (replica.ref.node === wire.node) this.#tell(GOSSIP.request, request, "otherThreads", topic);
    else wire.directBroadcast(replica.ref.node, topic, GOSSIP.request, request);
  }

  #askAll(): void {
    const { state, now } = this.#parts;
    this.#askedAllMs = now();
    const clocks = Array.from(state.others(), (replica) => {
      replica.askedMs = this.#askedAllMs;
      return { ref: replica.ref, through: replica.seen.through };
    });
    this.#tell(GOSSIP.request, packRequest(state.own.ref, state.clock, clocks), "cluster");
  }

  #tellNodes(): void {
    const { state, wire } = this.#parts;
    if (state.clock === this.#toldNodes) return;
    this.#silentPeriods = 0;
    if (wire.hasNodes) {
      for (const { payload } of partsSince(state, this.#toldNodes)) {
        this.#tell(GOSSIP.delta, payload, "otherNodes");
      }
    }
    this.#toldNodes = state.clock;
  }

  #signOfLife(): object {
    const { own, clock } = this.#parts.state;
    return packDelta(own.ref, NOTHING, clock);
  }

  #tell(event: string, payload: object, scope: Scope, topic = this.#topic): void {
    this.#parts.wire.broadcast(topic, event, payload, scope);
  }

  // -- who is silent -----------------------------------------------------------------------------

  /** Looks for replicas that owe an answer, and for those of other nodes that are silent. */
  #watch(): void {
    const { state, settings, wire, now, onDiff, onStatus } = this.#parts;
    for (const [id, { sinceMs }] of this.#gone) {
      if (now() - sinceMs > settings.permdownPeriodMs) this.#gone.delete(id);
    }
    const lateMs = now() - this.#tickMs - settings.broadcastPeriodMs;
    this.#tickMs = now();
    for (const replica of state.others()) {
      if (replica.status === "up") this.#askIfBehind(replica);
      // A thread of this node lives until main says otherwise, however busy it is.
      if (replica.ref.node === wire.node) continue;
      // This thread stood still: what they said meanwhile is still to be read.
      if (lateMs > settings.broadcastPeriodMs) {
        replica.heardMs = Math.min(now(), replica.heardMs + lateMs);
      }
      const silentMs = now() - replica.heardMs;
      if (silentMs > settings.permdownPeriodMs) {
        onDiff(state.drop(replica));
        onStatus(replica.ref, "permdown");
      } else if (silentMs > settings.downPeriodMs && replica.status === "up") {
        onDiff(state.hide(replica));
        onStatus(replica.ref, "down");
      }
    }
  }

  /** Drops a replica that does not come back, and hears it no more if something of it is late. */
  #bury(ref: ReplicaRef): void {
    const { state, now, onDiff, onStatus } = this.#parts;
    this.#gone.set(replicaId(ref), { incarnation: ref.incarnation, sinceMs: now() });
    const replica = state.find(ref);
    if (!replica || !isSame(replica.ref, ref)) return;
    onDiff(state.drop(replica));
    onStatus(ref, "permdown");
  }

  #hasSiblings(): boolean {
    const { state, wire } = this.#parts;
    for (const { ref } of state.others()) if (ref.node === wire.node) return true;
    return false;
  }
}

function isSamePlace(one: ReplicaRef, other: ReplicaRef): boolean {
  return one.node === other.node && one.member === other.member;
}

function isSame(one: ReplicaRef, other: ReplicaRef): boolean {
  return isSamePlace(one, other) && one.incarnation === other.incarnation;
}
