/**
 * The presences of one shard under one definition: what is tracked here, and who is there anywhere.
 *
 * Each thing that is done here changes the state first; then the other threads are told, and then
 * this thread's subscribers.
 *
 * Runs on: shard; one for each presence of its endpoint.
 * Owns:    its replica of the state. What has an end (a channel) takes its presences along.
 * Full:    a presence larger than `maxBytes` is refused. Who tracks, and how much, is the app's.
 */

import { randomBytes } from "node:crypto";

import { makeError } from "../errors.ts";
import type { Logger } from "../log/logger.ts";
import { telemetry } from "../telemetry.ts";
import { Announcements } from "./announcements.ts";
import type { AnyCallbacks, PresenceContext, PresenceEntry, Presences } from "./definition.ts";
import { Fetching } from "./fetching.ts";
import { presencesOf } from "./grouping.ts";
import { checkKey, checkSize, checkTopic, metaOf, refused } from "./meta.ts";
import { Owners } from "./owners.ts";
import { PhxRefs } from "./phx-ref.ts";
import type { ReplicaRef, Row } from "./replica.ts";
import { Replication, type ReplicaStatus } from "./replication.ts";
import type { PresenceSettings } from "./settings.ts";
import { State, type Change } from "./state.ts";
import type { PresenceWire } from "./wire.ts";

/** What a tracker is made of. */
export interface TrackerParts {
  readonly name: string;
  readonly callbacks: AnyCallbacks;
  readonly settings: PresenceSettings;
  readonly context: PresenceContext;
  readonly wire: PresenceWire;
  readonly logger: Logger;
  /** Monotonic time (ms). */
  readonly now: () => number;
}

const INCARNATION_BYTES = 6;

/** One shard's end of a presence. */
export class Tracker {
  readonly #parts: TrackerParts;
  readonly #state: State;
  readonly #refs: PhxRefs;
  readonly #owners = new Owners();
  readonly #fetching: Fetching;
  readonly #announcements: Announcements;
  readonly #replication: Replication;
  #isOver = false;

  constructor(parts: TrackerParts) {
    const { name, callbacks, settings, context, wire, logger, now } = parts;
    this.#parts = parts;
    const incarnation = randomBytes(INCARNATION_BYTES).readUIntBE(0, INCARNATION_BYTES);
    const { node, member } = wire;
    this.#state = new State({ node, member, incarnation }, settings.maxDeltaSize);
    this.#refs = new PhxRefs(incarnation);
    const { fetchTimeoutMs } = settings;
    const user = { name, callbacks, context, logger };
    const fetching = new Fetching({ ...user, fetchTimeoutMs });
    this.#fetching = fetching;
    this.#announcements = new Announcements({ ...user, fetching, wire });
    this.#replication = new Replication({
      name,
      state: this.#state,
      settings,
      wire,
      now,
      onDiff: (diff) => this.#announcements.announce(diff),
      onStatus: (ref, status) => this.#noteStatus(ref, status),
    });
  }

  /** Begins to speak with the other replicas. What is tracked before, they hear of then. */
  start(): void {
    this.#replication.start();
  }

  /** Says what is left to be said to others. What nothing has ended is still there for them. */
  stop(): void {
    // With nothing left to be seen a farewell spares the others to wait for it.
    const isGone = this.#parts.settings.permdownOnShutdown || this.#state.own.rows.size === 0;
    if (isGone) this.gracefulPermdown();
    else this.#replication.stop();
  }

  /** Tells everybody that nothing that was tracked here is there any more, and tracks no more. */
  gracefulPermdown(): void {
    this.#isOver = true;
    this.#replication.permdown();
  }

  /** Ends it without a word. */
  close(): void {
    this.#isOver = true;
    this.#replication.close();
    this.#announcements.close();
  }

  /** A member of this node's exchange has ended. */
  retired(member: number): void {
    this.#replication.retired(member);
  }

  /** An owner has ended: what it had tracked leaves. */
  ended(owner: object): void {
    for (const row of this.#owners.take(owner)) {
      const { diff } = this.#leave(row);
      // At once: whoever takes its place on the topic must not hear of it.
      this.#announcements.announce(diff);
    }
  }

  // -- what is tracked here ----------------------------------------------------------------------

  /** Tracks. @returns the meta's phx_ref */
  track(owner: object, topic: string, key: string, given: unknown): string {
    const { settings, wire, name } = this.#parts;
    this.#checkOwner(owner);
    checkTopic(topic);
    checkKey(key, settings.isAnyKey);
    if (this.#owners.get(owner, topic, key)) {
      const what = `${JSON.stringify(key)} on ${topic}`;
      const message = `presence ${name} must track a key once for each owner, got ${what} again; use update`;
      throw makeError("SIM_ERR_ALREADY_TRACKED", message);
    }
    const meta = metaOf(given, this.#refs.next());
    checkSize(topic, key, meta, settings.maxBytes);
    const change = this.#state.join(topic, key, meta);
    this.#owners.set(owner, change.row);
    wire.onCount(1);
    this.#replication.changed(change.delta);
    this.#announcements.announceSoon(change.diff);
    return meta.phx_ref;
  }

  /** Ends one. Nothing happens where there is none. */
  untrack(owner: object, topic: string, key: string): void {
    const row = this.#owners.get(owner, topic, key);
    if (!row) return;
    this.#owners.delete(owner, row);
    const { diff } = this.#leave(row);
    this.#announcements.announceSoon(diff);
  }

  /** Replaces a meta. @returns the new one's phx_ref */
  update(owner: object, topic: string, key: string, given: unknown): string {
    const before = this.#find(owner, topic, key);
    const made: unknown = typeof given === "function" ? given(before.meta) : given;
    const { settings } = this.#parts;
    const meta = metaOf(made, this.#refs.next(), before.meta.phx_ref);
    checkSize(topic, key, meta, settings.maxBytes);
    // The function may have done anything, and ended what it was asked about.
    if (this.#find(owner, topic, key) !== before) {
      throw refused("meta must not be updated within the function that makes it");
    }
    const change = this.#state.update(before, meta);
    this.#owners.set(owner, change.row);
    this.#replication.changed(change.delta);
    this.#announcements.announceSoon(change.diff);
    return meta.phx_ref;
  }

  // -- who is there ------------------------------------------------------------------------------

  /** Gives who is there on a topic, with what `fetch` adds. */
  list(topic: string): Presences | Promise<Presences> {
    this.#announcements.announceDue();
    return this.#fetching.fetch(topic, presencesOf(this.#state.rowsOf(topic)));
  }

  /** Gives who is there under a key. */
  getByKey(
    topic: string,
    key: string,
  ): PresenceEntry | undefined | Promise<PresenceEntry | undefined> {
    this.#announcements.announceDue();
    const rows = this.#state.get(topic, key);
    if (rows.length === 0) return undefined;
    const fetched = this.#fetching.fetch(topic, presencesOf(rows));
    return fetched instanceof Promise ? entryOf(fetched, key) : fetched[key];
  }

  #find(owner: object, topic: string, key: string): Row {
    const row = this.#owners.get(owner, topic, key);
    if (row) return row;
    const what = `${JSON.stringify(key)} on ${topic}`;
    const message = `presence ${this.#parts.name} must have been tracked by this owner, got ${what}`;
    throw makeError("SIM_ERR_NO_PRESENCE", message);
  }

  #leave(row: Row): Change {
    this.#parts.wire.onCount(-1);
    const change = this.#state.leave(row);
    this.#replication.changed(change.delta);
    return change;
  }

  #checkOwner(owner: object): void {
    const { name, wire } = this.#parts;
    const state = this.#isOver ? "ended" : wire.stateOf(owner);
    if (state === "alive") return;
    const got = state === "ended" ? "one that has ended" : "something else";
    const wanted = "the socket of a channel, or the shard's context, while it lives";
    throw refused(`owner of what presence ${name} tracks must be ${wanted}, got ${got}`);
  }

  #noteStatus({ node, member }: ReplicaRef, status: ReplicaStatus): void {
    const { name, logger } = this.#parts;
    const fields = { presence: name, node, member, status };
    logger.log("presenceReplica", fields);
    if (telemetry.presence_replica.hasSubscribers) telemetry.presence_replica.publish(fields);
  }
}

async function entryOf(
  fetched: Promise<Presences>,
  key: string,
): Promise<PresenceEntry | undefined> {
  return (await fetched)[key];
}
