/**
 * Messages of one replica to the others of its presence, and from them.
 *
 * Within the node each change is sent at once, in order with everything else that its thread sends.
 * Other nodes get the changes of a period together. Nothing is acknowledged. If a message shows that a
 * replica has not seen all of the sender's clock, it asks for the rest. It also asks when PubSub
 * reports a loss, and when it starts. Only a replica itself answers for its changes, so every row
 * comes from its writer, and nothing is relayed.
 *
 * Runs on: shard; one for each presence.
 * Owns: the time of each replica's last message, and of the last request to it.
 * Full: large answers are sent in parts (`answers`).
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

/** Shortest time between two requests to all replicas. */
const MISSED_MS = 250;
const NOTHING: Delta = { spans: [], rows: [] };

/** The replication of one presence on one shard. */
export class Replication implements Listener {
  readonly #presence: ShardPresence;
  readonly #state: State;
  readonly #announcements: Announcements;
  readonly #topic: string;
  readonly #inbox: string;
  readonly #answers: Answers;
  /** Other nodes have been sent the changes up to this tick of the own clock. */
  #toldNodes = 0;
  /** Starts at the maximum, so that the first period ends with a heartbeat. */
  #silentPeriods: number;
  #tickMs: number;
  #ticker: NodeJS.Timeout | undefined;
  /** When all replicas were last asked, and a timer if they are to be asked again. */
  #askedAllMs = -Infinity;
  #askingAll: NodeJS.Timeout | undefined;
  /** By id: the incarnation that will not come back, and since when that is known. */
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

  /** Subscribes to the messages of the others, and asks them for what they have. */
  start(): void {
    const { settings, pubsub, now } = this.#presence;
    this.#isRunning = true;
    pubsub.subscribe(this.#topic, this);
    pubsub.subscribe(this.#inbox, this);
    pubsub.member.onRetired((member) => this.#retired(member));
    this.#askAll();
    this.#tickMs = now();
    // Shards that start together must not send at the same moments forever.
    const firstMs = settings.broadcastPeriodMs * (0.75 + Math.random() / 4);
    this.#ticker = setTimeout(() => {
      this.#ticker = setInterval(() => this.tick(), settings.broadcastPeriodMs).unref();
      this.tick();
    }, firstMs).unref();
  }

  /** Sends what is left to other nodes, and stops. */
  stop(): void {
    if (!this.#isRunning) return;
    this.#tellNodes();
    this.close();
  }

  /** Tells all others that this replica will not come back, and stops. */
  permdown(): void {
    if (!this.#isRunning) return;
    const { ref } = this.#state.own;
    this.#tell(GOSSIP.permdown, packPermdown(ref, ref), "cluster");
    this.close();
  }

  /** Stops without sending anything. */
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

  /** Sends a change of this replica to the other threads of the node. */
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
      this.#tell(GOSSIP.delta, this.#heartbeat(), "cluster");
      this.#silentPeriods = 0;
    } else {
      this.#silentPeriods += 1;
    }
    this.#watch();
  }

  // -- from the others ---------------------------------------------------------------------------

  receive({ event, payload }: Broadcast): void {
    if (event === GOSSIP.delta) this.#takeDelta(unpackDelta(payload));
    else if (event === GOSSIP.request) this.#takeRequest(unpackRequest(payload));
    else if (event === GOSSIP.permdown) this.#takePermdown(unpackPermdown(payload));
  }

  /** Asks all replicas, because something was lost on its way to this thread, whoever had sent it. */
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
    // A replica that does not know this one is always answered, so that both know each other.
    if (mine && since >= this.#state.clock) return;
    this.#answers.tell(from, since);
  }

  #takePermdown({ from, gone }: PermdownMessage): void {
    const { ref } = this.#state.own;
    if (isSamePlace(from, ref) || isSamePlace(gone, ref)) return;
    this.#bury(gone);
  }

  /** Drops the replica of a retired member of this node, which will not come back. */
  #retired(member: number): void {
    const { node } = this.#presence.pubsub.member;
    const replica = this.#state.find({ node, member });
    if (!replica) return;
    this.#bury(replica.ref);
    // Every thread of this node tells the other nodes, since any of them may be the last.
    this.#tell(GOSSIP.permdown, packPermdown(this.#state.own.ref, replica.ref), "otherNodes");
  }

  /**
   * Finds the sender of a message. A replica that was down or unknown is up now; an earlier incarnation
   * of it is gone.
   *
   * @param isAsking - true if the message is a request, which is answered anyway
   * @returns undefined for this replica itself, and for one that will not come back
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
    // It was running when all were asked a moment ago, so its answer is on the way.
    if (nowMs - this.#askedAllMs < MISSED_MS) replica.askedMs = this.#askedAllMs;
    if (this.#state.clock > 0) this.#greet(replica);
    return replica;
  }

  /** Sends a new thread of this node this replica's clock, which shows it what it has missed. */
  #greet({ ref }: Replica): void {
    const { name, pubsub } = this.#presence;
    if (ref.node !== pubsub.member.node) return;
    this.#tell(GOSSIP.delta, this.#heartbeat(), "otherThreads", inboxTopic(name, ref));
  }

  // -- to the others -----------------------------------------------------------------------------

  #askIfBehind(replica: Replica): void {
    const { name, settings, pubsub, now } = this.#presence;
    if (replica.seen.through >= replica.clock) {
      replica.askedMs = -Infinity;
      return;
    }
    // It was asked already, and this message was sent before its answer. `#watch` asks again if the
    // answer is lost.
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

  #heartbeat(): object {
    const { own, clock } = this.#state;
    return packDelta(own.ref, NOTHING, clock);
  }

  #tell(event: string, payload: object, scope: Scope, topic = this.#topic): void {
    this.#presence.pubsub.broadcast(topic, event, payload, scope);
  }

  // -- silent replicas -----------------------------------------------------------------------------

  /** Asks replicas whose answer is missing again, and finds silent replicas of other nodes. */
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
      // A thread of this node is alive until main retires it, however busy it is.
      if (replica.ref.node === pubsub.member.node) continue;
      // If this thread was blocked, messages from that time have not been read yet.
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

  /** Drops a replica that will not come back, and ignores its late messages from now on. */
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
