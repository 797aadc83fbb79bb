/**
 * Exchanges the changes of one presence with other replicas.
 *
 * Within the node, each change is sent immediately, in order with all other messages of its thread.
 * To other nodes, the changes of a period are sent together. There are no acknowledgements. If a
 * message shows that a replica has not seen all ticks of the sender's clock, it requests the
 * missing changes. It also sends requests when it starts, and when PubSub reports that messages
 * were lost. Only the replica that made a change sends it. Changes are never relayed, so a row
 * always comes from its only writer.
 *
 * Runs on: shard; one for each presence.
 * Owns: the times of the last message from each replica and of the last request to it.
 * Full: long answers are sent in parts (`answers`).
 * Slow: a thread that is lapped loses parts, and requests them again, at most once every
 *       `MISSED_MS`.
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

/** Minimum time between two requests to all replicas. */
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
  /** Tick of this replica's clock up to which changes have been sent to other nodes. */
  #toldNodes = 0;
  /** Starts at its maximum, so that the first period ends with a heartbeat. */
  #silentPeriods: number;
  #tickMs: number;
  #ticker: NodeJS.Timeout | undefined;
  /** Time of the last request to all replicas. */
  #askedAllMs = -Infinity;
  #askingAll: NodeJS.Timeout | undefined;
  /** By replica id: the incarnation that will not return, and when this became known. */
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

  /** Subscribes to the other replicas' messages, and requests their state. */
  start(): void {
    const { settings, pubsub, now } = this.#presence;
    this.#isRunning = true;
    pubsub.subscribe(this.#topic, this);
    pubsub.subscribe(this.#inbox, this);
    pubsub.member.onRetired((member) => this.#retired(member));
    this.#askAll();
    this.#tickMs = now();
    // Spread the periods of shards that start together, so that they do not all send at once.
    const firstMs = settings.broadcastPeriodMs * (0.75 + Math.random() / 4);
    this.#ticker = setTimeout(() => {
      this.#ticker = setInterval(() => this.tick(), settings.broadcastPeriodMs).unref();
      this.tick();
    }, firstMs).unref();
  }

  /** Sends the remaining changes to other nodes and unsubscribes. */
  stop(): void {
    if (!this.#isRunning) return;
    this.#tellNodes();
    this.close();
  }

  /** Announces that this replica will not return, and stops. */
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

  /** Performs the work due at the end of a period. */
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

  // -- received messages -------------------------------------------------------------------------

  receive({ event, payload }: Broadcast): void {
    if (event === GOSSIP.delta) this.#takeDelta(unpackDelta(payload));
    else if (event === GOSSIP.request) this.#takeRequest(unpackRequest(payload));
    else if (event === GOSSIP.permdown) this.#takePermdown(unpackPermdown(payload));
  }

  /** Requests changes from all replicas, because messages from unknown senders were lost. */
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
    // Always answer a replica that does not know this one yet, so that it adds this replica.
    if (mine && since >= this.#state.clock) return;
    this.#answers.tell(from, since);
  }

  #takePermdown({ from, gone }: PermdownMessage): void {
    const { ref } = this.#state.own;
    if (isSamePlace(from, ref) || isSamePlace(gone, ref)) return;
    this.#bury(gone);
  }

  /** Removes the replica of a retired member of this node, because it will not return. */
  #retired(member: number): void {
    const { node } = this.#presence.pubsub.member;
    const replica = this.#state.find({ node, member });
    if (!replica) return;
    this.#bury(replica.ref);
    // Every thread of this node sends this, because any of them may be the last one that runs.
    this.#tell(GOSSIP.permdown, packPermdown(this.#state.own.ref, replica.ref), "otherNodes");
  }

  /**
   * Returns the replica that sent a message. A replica that was down or unknown is marked as up. An
   * earlier incarnation of it is removed.
   *
   * @param isAsking - whether the message is a request, which is answered anyway
   * @returns undefined for this replica itself, and for a replica that will not return
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
    // The replica received the recent request to all replicas, so its answer is on the way.
    if (nowMs - this.#askedAllMs < MISSED_MS) replica.askedMs = this.#askedAllMs;
    if (this.#state.clock > 0) this.#greet(replica);
    return replica;
  }

  /** Sends this replica's clock to a thread of this node, which may have missed changes. */
  #greet({ ref }: Replica): void {
    const { name, pubsub } = this.#presence;
    if (ref.node !== pubsub.member.node) return;
    this.#tell(GOSSIP.delta, this.#signOfLife(), "otherThreads", inboxTopic(name, ref));
  }

  // -- sent messages -----------------------------------------------------------------------------

  #askIfBehind(replica: Replica): void {
    const { name, settings, pubsub, now } = this.#presence;
    if (replica.seen.through >= replica.clock) {
      replica.askedMs = -Infinity;
      return;
    }
    // This message was sent before the answer to the last request, which is still on the way. If
    // the answer is lost, `#watch` sends another request.
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

  // -- silent replicas -----------------------------------------------------------------------------

  /** Checks for replicas whose answers are overdue, and for silent replicas of other nodes. */
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
      // However busy a thread of this node is, it counts as up until main retires it.
      if (replica.ref.node === pubsub.member.node) continue;
      // This thread was blocked, so messages from other nodes may still be waiting to be read.
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

  /** Removes a replica that will not return. Messages from it that arrive later are ignored. */
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
