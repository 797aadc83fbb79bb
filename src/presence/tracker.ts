/**
 * The presences of one shard under one definition: what is tracked here, and who is there anywhere.
 *
 * Everything done here changes the state first; then the other threads are told, and then this
 * thread's subscribers.
 *
 * Runs on: shard; one for each presence of its endpoint.
 * Owns:    its replica of the state. An owner that ends (a channel) takes its presences along.
 * Full:    a presence larger than `maxBytes` is refused. How many are tracked is up to the app.
 */

import { randomBytes } from "node:crypto";

import { makeError } from "../errors.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { Announcements } from "./announcements.ts";
import type { PresenceEntry, Presences } from "./definition.ts";
import { presencesOf } from "./diff.ts";
import { Fetching } from "./fetching.ts";
import { checkKey, checkSize, checkTopic, metaOf, PhxRefs, refused } from "./meta.ts";
import type { Row } from "./replica.ts";
import { Replication } from "./replication.ts";
import type { ShardPresence } from "./shard-presence.ts";
import { State, type Change } from "./state.ts";

const INCARNATION_BYTES = 6;

/** One shard's end of a presence. */
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

  /** Begins to talk to the other replicas. They hear then of what was tracked before. */
  start(): void {
    this.#replication.start();
  }

  /** Tells the others what is left to be told. What nothing has ended stays there for them. */
  stop(): void {
    // If nothing is left to be seen, a farewell spares the others the wait for this replica.
    const isGone = this.#presence.settings.permdownOnShutdown || this.#state.own.rows.size === 0;
    if (isGone) this.gracefulPermdown();
    else this.#replication.stop();
  }

  /** Tells everybody that nothing that was tracked here is there any more, and tracks no more. */
  gracefulPermdown(): void {
    this.#isOver = true;
    this.#replication.permdown();
  }

  /** Ends the tracker without a word. */
  close(): void {
    this.#isOver = true;
    this.#replication.close();
    this.#announcements.close();
  }

  /** Handles the end of an owner: what it had tracked leaves. */
  ended(owner: object): void {
    for (const row of this.#owners.take(owner)) {
      const { diff } = this.#leave(row);
      // At once: a channel that takes its place on the topic must not hear of it.
      this.#announcements.announce(diff);
    }
  }

  // -- what is tracked here ----------------------------------------------------------------------

  /** Tracks. @returns the meta's phx_ref */
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
    checkSize(topic, key, meta, settings.maxBytes);
    const change = this.#state.join(topic, key, meta);
    this.#owners.set(owner, change.row);
    pubsub.member.counters.add(COUNTER.presences);
    this.#replication.changed(change.delta);
    this.#announcements.announceSoon(change.diff);
    return meta.phx_ref;
  }

  /** Ends a presence. Nothing happens if there is none. */
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
    const meta = metaOf(made, this.#refs.next(), before.meta.phx_ref);
    checkSize(topic, key, meta, this.#presence.settings.maxBytes);
    // The function may have done anything, even ended what it was asked about.
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

  /** Returns who is there on a topic, with what `fetch` adds. */
  list(topic: string): Presences | Promise<Presences> {
    this.#announcements.announceDue();
    return this.#fetching.fetch(topic, presencesOf(this.#state.rowsOf(topic)));
  }

  /** Returns who is there under a key. */
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
    const message = `presence ${this.#presence.name} must have been tracked by this owner, got ${what}`;
    throw makeError("SIM_ERR_NO_PRESENCE", message);
  }

  #leave(row: Row): Change {
    this.#presence.pubsub.member.counters.add(COUNTER.presences, -1);
    const change = this.#state.leave(row);
    this.#replication.changed(change.delta);
    return change;
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
 * Who tracked which of a replica's own rows, so that the rows leave when their owner ends.
 *
 * Most owners have one presence, and keep it without a map. An owner that tracks nothing is not
 * here, and costs nothing.
 */
export class Owners {
  readonly #owned = new Map<object, Row | Map<string, Row>>();

  /** Finds what an owner has tracked under a key of a topic. */
  get(owner: object, topic: string, key: string): Row | undefined {
    const owned = this.#owned.get(owner);
    if (owned === undefined) return undefined;
    if (owned instanceof Map) return owned.get(nameOf(topic, key));
    return owned.topic === topic && owned.key === key ? owned : undefined;
  }

  /** Notes what an owner has tracked, in place of what it had there before. */
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

  /** Forgets one presence. */
  delete(owner: object, row: Row): void {
    const owned = this.#owned.get(owner);
    if (owned instanceof Map) {
      owned.delete(nameOf(row.topic, row.key));
      if (owned.size === 0) this.#owned.delete(owner);
    } else if (owned === row) {
      this.#owned.delete(owner);
    }
  }

  /** Forgets an owner. @returns what it had tracked */
  take(owner: object): Row[] {
    const owned = this.#owned.get(owner);
    if (owned === undefined) return [];
    this.#owned.delete(owner);
    return owned instanceof Map ? [...owned.values()] : [owned];
  }
}

/** Joins topic and key so that no two pairs are the same, whatever characters they have. */
function nameOf(topic: string, key: string): string {
  return `${topic.length}:${topic}${key}`;
}
