/**
 * What one replica tells the others of its presence, and what it does with what they tell.
 *
 * Within the node each change is told at once, in the order of everything else that its thread
 * sends; other nodes are told what changed within a period together. Nothing is acknowledged. A
 * replica that gets a message and finds that it has not seen all of the sender's clock asks for the
 * rest; it also asks when PubSub reports that something was lost, and when it begins. Only the
 * replica itself answers for what it did, so every row comes from where it is true, and nobody
 * relays.
 *
 * Runs on: shard; one for each presence.
 * Owns: the time of each replica's last word, and who was asked when.
 * Full: what is sent goes in parts (`answers`).
 * Slow: a thread that is lapped loses parts, and asks again, at most every `MISSED_MS`.
 */

import type { Broadcast } from "../pubsub/envelope.ts";
import type { Scope } from "../pubsub/pubsub.ts";
import type { Listener } from "../pubsub/registry.ts";
import { telemetry } from "../telemetry.ts";
import type { Announcements } from "./announcements.ts";
import { Answers, partsSince } from "./answers.ts";
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
import { replicaId, type Delta, type Replica, type ReplicaRef } from "./replica.ts";
import type { ShardPresence } from "./shard-presence.ts";
import type { State } from "./state.ts";

/** Pause between two requests to everybody. */
const MISSED_MS = 250;
const NOTHING: Delta = { spans: [], rows: [] };

/** One replica's end of the conversation. */
export class Replication implements Listener {
  readonly #presence: ShardPresence;
  readonly #state: State;
  readonly #announcements: Announcements;
  readonly #topic: string;
  readonly #inbox: string;
  readonly #answers: Answers;
  /** Up to which tick of the own clock other nodes have been told. */
  #toldNodes = 0;
  /** As many as may be, so that the first period ends with a sign of life. */
  #silentPeriods: number;
  #tickMs: number;
  #ticker: NodeJS.Timeout | undefined;
  /** When everybody was asked last, and the next time if that was too recent. */
  #askedAllMs = -Infinity;
  #askingAll: NodeJS.Timeout | undefined;
  /** By id: the incarnation that does not come back, and since when that is known. */
  readonly #gone = new Map<string, { readonly incarnation: number; readonly sinceMs: number }>();
  #isRunning = false;

  constructor(presence: ShardPresence, state: State, announcements: Announcements) {
    const { name, pubsub, settings, now } = presence;
    this.#presence = presence;
    this.#state = state;
    this.#announcements = announcements;
    this.#topic = gossipTopic(name);
    this.#inbox = inboxTopic(name, state.own.ref);
    this.#answers = new Answers(name, pubsub, state);
    this.#silentPeriods = settings.maxSilentPeriods;
    this.#tickMs = now();
  }

  /** Begins to hear the others, and asks them for what they have. */
  start(): void {
    const { settings, pubsub, now } = this.#presence;
    this.#isRunning = true;
    pubsub.subscribe(this.#topic, this);
    pubsub.subscribe(this.#inbox, this);
    pubsub.member.onRetired((member) => this.#retired(member));
    this.#askAll();
    this.#tickMs = now();
    // Shards that start together must not speak together forever.
    const firstMs = settings.broadcastPeriodMs * (0.75 + Math.random() / 4);
    this.#ticker = setTimeout(() => {
      this.#ticker = setInterval(() => this.tick(), settings.broadcastPeriodMs).unref();
      this.tick();
    }, firstMs).unref();
  }

  /** Tells what is left to be told, and stops hearing the others. */
  stop(): void {
    if (!this.#isRunning) return;
    this.#tellNodes();
    this.close();
  }

  /** Tells everybody that this replica does not come back, and stops. */
  permdown(): void {
    if (!this.#isRunning) return;
    const { ref } = this.#state.own;
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
    const { pubsub } = this.#presence;
    pubsub.unsubscribe(this.#topic, this);
    pubsub.unsubscribe(this.#inbox, this);
  }

  /** Tells the other threads of the node what this replica just did. */
  changed(delta: Delta): void {
    const { own, clock } = this.#state;
    if (!this.#isRunning || !this.#hasSiblings()) return;
    this.#tell(GOSSIP.delta, packDelta(own.ref, delta, clock), "otherThreads");
  }

  /** Does what is due at the end of a period. */
  tick(): void {
    if (this.#state.clock > this.#toldNodes) {
      this.#tellNodes();
    } else if (this.#silentPeriods >= this.#presence.settings.maxSilentPeriods) {
      this.#tell(GOSSIP.delta, this.#signOfLife(), "cluster");
      this.#silentPeriods = 0;
    } else {
      this.#silentPeriods += 1;
    }
    this.#watch();
  }

  // -- what others tell --------------------------------------------------------------------------

  receive({ event, payload }: Broadcast): void {
    if (event === GOSSIP.delta) this.#takeDelta(unpackDelta(payload));
    else if (event === GOSSIP.request) this.#takeRequest(unpackRequest(payload));
    else if (event === GOSSIP.permdown) this.#takePermdown(unpackPermdown(payload));
  }

  /** Asks everybody: something was lost on its way to this thread, and nobody knows whose it was. */
  missed(): void {
    if (this.#askingAll) return;
    const waitMs = this.#askedAllMs + MISSED_MS - this.#presence.now();
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
    this.#announcements.announce(this.#state.merge(replica, delta));
    if (clock === undefined) return;
    replica.clock = Math.max(replica.clock, clock);
    this.#askIfBehind(replica);
  }

  #takeRequest({ from, clock, clocks }: RequestMessage): void {
    const replica = this.#hear(from, true);
    if (!replica) return;
    replica.clock = Math.max(replica.clock, clock);
    this.#askIfBehind(replica);
    const mine = clocks.find(({ ref }) => isSame(ref, this.#state.own.ref));
    const since = mine?.through ?? 0;
    // A replica that does not know this one is answered in any case, so that both know each other.
    if (mine && since >= this.#state.clock) return;
    this.#answers.tell(from, since);
  }

  #takePermdown({ from, gone }: PermdownMessage): void {
    const { ref } = this.#state.own;
    if (isSamePlace(from, ref) || isSamePlace(gone, ref)) return;
    this.#bury(gone);
  }

  /** Drops the replica of a member of this node that was retired: it does not come back. */
  #retired(member: number): void {
    const { node } = this.#presence.pubsub.member;
    const replica = this.#state.find({ node, member });
    if (!replica) return;
    this.#bury(replica.ref);
    // The other nodes hear it from each thread of this one, as any of them may be the last.
    this.#tell(GOSSIP.permdown, packPermdown(this.#state.own.ref, replica.ref), "otherNodes");
  }

  /**
   * Finds the replica that speaks. One that was down or unknown is up now; one of an earlier start
   * is gone.
   *
   * @param isAsking - whether it gets an answer anyway
   * @returns undefined for this replica itself, and for one that does not come back
   */
  #hear(ref: ReplicaRef, isAsking: boolean): Replica | undefined {
    const state = this.#state;
    if (isSamePlace(ref, state.own.ref)) return undefined;
    const known = state.find(ref);
    if (known && isSame(known.ref, ref)) {
      known.heardMs = this.#presence.now();
      if (known.status === "down") {
        this.#announcements.announce(state.show(known));
        this.#noteStatus(ref, "up");
      }
      return known;
    }
    if (this.#gone.get(replicaId(ref))?.incarnation === ref.incarnation) return undefined;
    if (known) this.#bury(known.ref);
    return this.#meet(ref, isAsking);
  }

  #meet(ref: ReplicaRef, isAsking: boolean): Replica {
    const nowMs = this.#presence.now();
    const replica = this.#state.add(ref);
    replica.heardMs = nowMs;
    this.#noteStatus(ref, "up");
    if (isAsking) return replica;
    // It was there when everybody was asked just now, and its answer is on the way.
    if (nowMs - this.#askedAllMs < MISSED_MS) replica.askedMs = this.#askedAllMs;
    if (this.#state.clock > 0) this.#greet(replica);
    return replica;
  }

  /** Shows a thread of this node that it may have missed something. */
  #greet({ ref }: Replica): void {
    const { name, pubsub } = this.#presence;
    if (ref.node !== pubsub.member.node) return;
    this.#tell(GOSSIP.delta, this.#signOfLife(), "otherThreads", inboxTopic(name, ref));
  }

  // -- what is asked, and told -------------------------------------------------------------------

  #askIfBehind(replica: Replica): void {
    const { name, settings, pubsub, now } = this.#presence;
    if (replica.seen.through >= replica.clock) {
      replica.askedMs = -Infinity;
      return;
    }
    // It was asked, and answers: this came before the answer. If that is lost too, see `#watch`.
    if (now() - replica.askedMs < settings.broadcastPeriodMs) return;
    replica.askedMs = now();
    const { ref, seen } = replica;
    const { own, clock } = this.#state;
    const request = packRequest(own.ref, clock, [{ ref, through: seen.through }]);
    const topic = inboxTopic(name, ref);
    const isNear = ref.node === pubsub.member.node;
    if (isNear) this.#tell(GOSSIP.request, request, "otherThreads", topic);
    else pubsub.directBroadcast(ref.node, topic, GOSSIP.request, request);
  }

  #askAll(): void {
    const { own, clock } = this.#state;
    this.#askedAllMs = this.#presence.now();
    const clocks = Array.from(this.#state.others(), (replica) => {
      replica.askedMs = this.#askedAllMs;
      return { ref: replica.ref, through: replica.seen.through };
    });
    this.#tell(GOSSIP.request, packRequest(own.ref, clock, clocks), "cluster");
  }

  #tellNodes(): void {
    const { clock } = this.#state;
    if (clock === this.#toldNodes) return;
    this.#silentPeriods = 0;
    if (this.#presence.pubsub.member.hasNodes) {
      for (const { payload } of partsSince(this.#state, this.#toldNodes)) {
        this.#tell(GOSSIP.delta, payload, "otherNodes");
      }
    }
    this.#toldNodes = clock;
  }

  #signOfLife(): object {
    const { own, clock } = this.#state;
    return packDelta(own.ref, NOTHING, clock);
  }

  #tell(event: string, payload: object, scope: Scope, topic = this.#topic): void {
    this.#presence.pubsub.broadcast(topic, event, payload, scope);
  }

  // -- which replicas are silent -------------------------------------------------------------------

  /** Looks for replicas that owe an answer, and for silent replicas of other nodes. */
  #watch(): void {
    const { settings, pubsub, now } = this.#presence;
    const state = this.#state;
    for (const [id, { sinceMs }] of this.#gone) {
      if (now() - sinceMs > settings.permdownPeriodMs) this.#gone.delete(id);
    }
    const lateMs = now() - this.#tickMs - settings.broadcastPeriodMs;
    this.#tickMs = now();
    for (const replica of state.others()) {
      if (replica.status === "up") this.#askIfBehind(replica);
      // A thread of this node lives until main says otherwise, however busy it is.
      if (replica.ref.node === pubsub.member.node) continue;
      // This thread stood still: what they said meanwhile is still to be read.
      if (lateMs > settings.broadcastPeriodMs) {
        replica.heardMs = Math.min(now(), replica.heardMs + lateMs);
      }
      const silentMs = now() - replica.heardMs;
      if (silentMs > settings.permdownPeriodMs) {
        this.#announcements.announce(state.drop(replica));
        this.#noteStatus(replica.ref, "permdown");
      } else if (silentMs > settings.downPeriodMs && replica.status === "up") {
        this.#announcements.announce(state.hide(replica));
        this.#noteStatus(replica.ref, "down");
      }
    }
  }

  /** Drops a replica that does not come back, and ignores what of it is late. */
  #bury(ref: ReplicaRef): void {
    const { incarnation } = ref;
    this.#gone.set(replicaId(ref), { incarnation, sinceMs: this.#presence.now() });
    const replica = this.#state.find(ref);
    if (!replica || !isSame(replica.ref, ref)) return;
    this.#announcements.announce(this.#state.drop(replica));
    this.#noteStatus(ref, "permdown");
  }

  #noteStatus({ node, member }: ReplicaRef, status: "up" | "down" | "permdown"): void {
    const { name, pubsub } = this.#presence;
    const fields = { presence: name, node, member, status };
    pubsub.member.logger.log("presenceReplica", fields);
    if (telemetry.presence_replica.hasSubscribers) telemetry.presence_replica.publish(fields);
  }

  #hasSiblings(): boolean {
    const { node } = this.#presence.pubsub.member;
    for (const { ref } of this.#state.others()) if (ref.node === node) return true;
    return false;
  }
}

function isSamePlace(one: ReplicaRef, other: ReplicaRef): boolean {
  return one.node === other.node && one.member === other.member;
}

function isSame(one: ReplicaRef, other: ReplicaRef): boolean {
  return isSamePlace(one, other) && one.incarnation === other.incarnation;
}
