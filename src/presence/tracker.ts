/**
 * One presence on one shard: the presences tracked here, and those known from other replicas.
 *
 * Every operation changes the state first. Then the change is sent to other threads, and then to
 * this thread's subscribers.
 *
 * Runs on: shard; one for each presence of its endpoint.
 * Owns:    its replica of the state. When an owner (a channel) ends, its presences leave.
 * Full:    a presence larger than `maxBytes` is refused, and so is one with which the channels of a connection would
 *          track more than `maxClientBytes`.
 */

import { randomBytes } from "node:crypto";

import { makeError } from "../errors.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { Announcements } from "./announcements.ts";
import type { PresenceEntry, Presences } from "./definition.ts";
import { presencesOf } from "./diff.ts";
import { Fetching } from "./fetching.ts";
import { checkKey, checkSize, checkTopic, metaOf, PhxRefs, refused } from "./meta.ts";
import { bytesOf, type Row } from "./replica.ts";
import { Replication } from "./replication.ts";
import type { ShardPresence } from "./shard-presence.ts";
import { State, type Change } from "./state.ts";

const INCARNATION_BYTES = 6;

/** Tracks one presence on one shard. */
export class Tracker {
  readonly #presence: ShardPresence;
  readonly #state: State;
  readonly #refs: PhxRefs;
  readonly #owners = new Owners();
  readonly #fetching: Fetching;
  readonly #announcements: Announcements;
  readonly #replication: Replication;
  #isOver = false;

  constructor(presence: ShardPresence) {
    const { node, number: member } = presence.pubsub.member;
    const incarnation = randomBytes(INCARNATION_BYTES).readUIntBE(0, INCARNATION_BYTES);
    this.#presence = presence;
    this.#state = new State({ node, member, incarnation }, presence.settings.maxDeltaSize);
    this.#refs = new PhxRefs(incarnation);
    this.#fetching = new Fetching(presence);
    this.#announcements = new Announcements(presence, this.#fetching);
    this.#replication = new Replication(presence, this.#state, this.#announcements);
  }

  /** Starts the replication. The other replicas then receive what has already been tracked. */
  start(): void {
    this.#replication.start();
  }

  /** Sends the remaining changes. Other nodes keep the presences that are still tracked. */
  stop(): void {
    // Announce a permdown if no presences remain, so that others need not wait for this replica.
    const isGone = this.#presence.settings.permdownOnShutdown || this.#state.own.rows.size === 0;
    if (isGone) this.gracefulPermdown();
    else this.#replication.stop();
  }

  /** Announces that all presences of this shard have left, and tracks no more. */
  gracefulPermdown(): void {
    this.#isOver = true;
    this.#replication.permdown();
  }

  /** Continues after main has ended what a callback had called (`shard/forced-end`). */
  recover(): void {
    this.#announcements.recover();
  }

  /** Ends the tracker without sending anything. */
  close(): void {
    this.#isOver = true;
    this.#replication.close();
    this.#announcements.close();
  }

  /** Handles the end of an owner: its presences leave. */
  ended(owner: object): void {
    for (const row of this.#owners.take(owner)) {
      const { diff } = this.#leave(row);
      // Announce immediately, so that a channel that replaces the owner does not receive this diff.
      this.#announcements.announce(diff);
    }
  }

  // -- tracking ----------------------------------------------------------------------------------

  /** Tracks a presence. @returns the meta's phx_ref */
  track(owner: object, topic: string, key: string, given: unknown): string {
    const { name, settings, pubsub } = this.#presence;
    this.#checkOwner(owner);
    checkTopic(topic);
    checkKey(key, settings.isAnyKey);
    if (this.#owners.get(owner, topic, key)) {
      const what = `${JSON.stringify(key)} on ${topic}`;
      const message = `presence ${name} must track a key once for each owner, got ${what} again; use update`;
      throw makeError("SIM_ERR_ALREADY_TRACKED", message);
    }
    const meta = metaOf(given, this.#refs.next());
    const bytes = checkSize(topic, key, meta, settings.maxBytes);
    this.#checkClient(owner, bytes, undefined);
    const change = this.#state.join(topic, key, meta);
    this.#owners.set(owner, change.row);
    pubsub.member.counters.add(COUNTER.presences);
    this.#replication.changed(change.delta);
    this.#announcements.announceSoon(change.diff);
    return meta.phx_ref;
  }

  /** Stops tracking a presence. Does nothing if it is not tracked. */
  untrack(owner: object, topic: string, key: string): void {
    const row = this.#owners.get(owner, topic, key);
    if (!row) return;
    this.#owners.delete(owner, row);
    const { diff } = this.#leave(row);
    this.#announcements.announceSoon(diff);
  }

  /** Replaces a meta. @returns the phx_ref of the new meta */
  update(owner: object, topic: string, key: string, given: unknown): string {
    const before = this.#find(owner, topic, key);
    const made: unknown = typeof given === "function" ? given(before.meta) : given;
    const meta = metaOf(made, this.#refs.next(), before.meta.phx_ref);
    const bytes = checkSize(topic, key, meta, this.#presence.settings.maxBytes);
    this.#checkClient(owner, bytes, before);
    // The function may have had side effects; it may even have untracked the presence.
    if (this.#find(owner, topic, key) !== before) {
      throw refused("meta must not be updated within the function that makes it");
    }
    const change = this.#state.update(before, meta);
    this.#owners.set(owner, change.row);
    this.#replication.changed(change.delta);
    this.#announcements.announceSoon(change.diff);
    return meta.phx_ref;
  }

  // -- listing -----------------------------------------------------------------------------------

  /** Returns the presences on a topic, including data added by `fetch`. */
  list(topic: string): Presences | Promise<Presences> {
    this.#announcements.announceDue();
    return this.#fetching.fetch(topic, presencesOf(this.#state.rowsOf(topic)));
  }

  /** Returns the entry for a key, including data added by `fetch`. */
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
    const message = `presence ${this.#presence.name} must be tracked by this owner, got ${what}`;
    throw makeError("SIM_ERR_NO_PRESENCE", message);
  }

  #leave(row: Row): Change {
    this.#presence.pubsub.member.counters.add(COUNTER.presences, -1);
    const change = this.#state.leave(row);
    this.#replication.changed(change.delta);
    return change;
  }

  /** Checks what a client tracks in all. Most clients track one presence, for which nothing is computed. */
  #checkClient(owner: object, bytes: number, replaced: Row | undefined): void {
    const { ownersOfClient, settings, name } = this.#presence;
    let sum = bytes;
    for (const other of ownersOfClient(owner) ?? []) {
      for (const row of this.#owners.rowsOf(other)) if (row !== replaced) sum += bytesOf(row);
    }
    const { maxClientBytes } = settings;
    if (sum <= maxClientBytes) return;
    const what = `presences of one connection for presence ${name}`;
    throw refused(`${what} must have at most ${maxClientBytes} (bytes) as JSON, got ${sum}`);
  }

  #checkOwner(owner: object): void {
    const { name, ownerState } = this.#presence;
    const state = this.#isOver ? "ended" : ownerState(owner);
    if (state === "alive") return;
    const got = state === "ended" ? "one that has ended" : "something else";
    const wanted = "the socket of a channel, or the shard's context, while it lives";
    throw refused(`owner of what presence ${name} tracks must be ${wanted}, got ${got}`);
  }
}

async function entryOf(
  fetched: Promise<Presences>,
  key: string,
): Promise<PresenceEntry | undefined> {
  return (await fetched)[key];
}

/**
 * The owner of each of a replica's own rows, so that the rows can be removed when their owner ends.
 *
 * Most owners have a single presence, which is stored without a map. Owners that track nothing are
 * not stored.
 */
export class Owners {
  readonly #owned = new Map<object, Row | Map<string, Row>>();

  /** Returns the row that an owner has tracked under a key of a topic. */
  get(owner: object, topic: string, key: string): Row | undefined {
    const owned = this.#owned.get(owner);
    if (owned === undefined) return undefined;
    if (owned instanceof Map) return owned.get(nameOf(topic, key));
    return owned.topic === topic && owned.key === key ? owned : undefined;
  }

  /** Returns all rows of an owner. */
  rowsOf(owner: object): Iterable<Row> {
    const owned = this.#owned.get(owner);
    if (owned === undefined) return [];
    return owned instanceof Map ? owned.values() : [owned];
  }

  /** Stores a row of an owner, replacing its previous row for the same topic and key. */
  set(owner: object, row: Row): void {
    const owned = this.#owned.get(owner);
    if (owned instanceof Map) owned.set(nameOf(row.topic, row.key), row);
    else if (owned === undefined || (owned.topic === row.topic && owned.key === row.key)) {
      this.#owned.set(owner, row);
    } else {
      const both = [owned, row].map((one) => [nameOf(one.topic, one.key), one] as const);
      this.#owned.set(owner, new Map(both));
    }
  }

  /** Removes one row of an owner. */
  delete(owner: object, row: Row): void {
    const owned = this.#owned.get(owner);
    if (owned instanceof Map) {
      owned.delete(nameOf(row.topic, row.key));
      if (owned.size === 0) this.#owned.delete(owner);
    } else if (owned === row) {
      this.#owned.delete(owner);
    }
  }

  /** Removes an owner. @returns the rows that it had tracked */
  take(owner: object): Row[] {
    const owned = this.#owned.get(owner);
    if (owned === undefined) return [];
    this.#owned.delete(owner);
    return owned instanceof Map ? [...owned.values()] : [owned];
  }
}

/** Joins a topic and a key into one string. Different pairs always give different strings. */
function nameOf(topic: string, key: string): string {
  return `${topic.length}:${topic}${key}`;
}
