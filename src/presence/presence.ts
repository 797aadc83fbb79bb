/**
 * The public interface of a presence: tracking and listing across all shards and nodes.
 *
 * Runs on: shard. One object for each definition. Each shard attaches a tracker, which is found by
 *          the shard's context.
 */

import {
  checkDefinition,
  type AnyCallbacks,
  type FetchResult,
  type PresenceCallbacks,
  type PresenceContext,
  type Presences,
  type TrackedMeta,
} from "./definition.ts";
import { refused } from "./meta.ts";
import type { Tracker } from "./tracker.ts";

/** The part of a channel's socket that presences use. */
export interface PresenceSocket {
  readonly topic: string;
  readonly context: object;
}

/** Owner of presences: a channel's socket or the shard's context. Its presences end with it. */
export type PresenceOwner = PresenceSocket | PresenceContext;

/** A new meta, or a function that returns it given the old meta. */
export type MetaUpdate<Meta extends object> = Meta | ((meta: TrackedMeta<Meta>) => Meta);

/** Result of `getByKey`: the value that `list` returns for the key. */
export type Found<Listed> =
  Listed extends Promise<infer All>
    ? Promise<All[keyof All] | undefined> | undefined
    : Listed[keyof Listed] | undefined;

/** A presence: tracks who is present on each topic, across all shards and nodes. */
export interface Presence<
  Meta extends object = Record<string, unknown>,
  Listed extends FetchResult<Meta> = Presences<Meta>,
> {
  readonly name: string;

  /**
   * Tracks a presence on the channel's topic until the channel ends. All subscribers of the topic
   * receive a `presence_diff`, including the channel's own client.
   *
   * @param key - identifies who is present, such as a user id. Each channel that tracks the key
   *   adds a meta
   * @param meta - plain data about this presence; stored as its JSON form
   * @returns the meta's `phx_ref`
   * @throws SIM_ERR_ALREADY_TRACKED, SIM_ERR_PRESENCE
   */
  track(socket: PresenceSocket, key: string, meta: Meta): string;
  /** Tracks a presence on any topic until the owner ends. */
  track(owner: PresenceOwner, topic: string, key: string, meta: Meta): string;

  /** Stops tracking a presence. Does nothing if it is not tracked. */
  untrack(socket: PresenceSocket, key: string): void;
  untrack(owner: PresenceOwner, topic: string, key: string): void;

  /**
   * Replaces a meta. Subscribers receive one diff, with the new meta as a join and the old one as a
   * leave.
   *
   * @param meta - the new meta, or a function that returns it given the old meta
   * @returns the `phx_ref` of the new meta; its `phx_ref_prev` is the ref of the old meta
   * @throws SIM_ERR_NO_PRESENCE if the presence is not tracked; SIM_ERR_PRESENCE
   */
  update(socket: PresenceSocket, key: string, meta: MetaUpdate<Meta>): string;
  update(owner: PresenceOwner, topic: string, key: string, meta: MetaUpdate<Meta>): string;

  /**
   * Returns the presences on a topic, including data added by `fetch`, in the form that clients
   * expect as `presence_state`.
   *
   * @param at - a channel's socket, which selects its topic; or a topic, if only one shard runs on
   *   this thread
   */
  list(at: PresenceSocket | string): Listed;
  list(owner: PresenceOwner, topic: string): Listed;

  /** Returns the entry for a key, or undefined if nothing is tracked under it. */
  getByKey(at: PresenceSocket | string, key: string): Found<Listed>;
  getByKey(owner: PresenceOwner, topic: string, key: string): Found<Listed>;

  /**
   * Announces that this shard no longer tracks presences. All its presences leave immediately. To
   * be called in the endpoint's `stop`.
   */
  gracefulPermdown(owner: PresenceOwner): void;
}

/** A presence with any types of metas, as passed to an endpoint. */
export type AnyPresence = Pick<Presence, "name">;

const KIND = Symbol.for("simurgh.presence");
const DEFAULT_NAME = "presence";

/**
 * Defines a presence. List it under `presences` of an endpoint.
 *
 * ```ts
 * export const presence = definePresence();
 *
 * joined(socket) {
 *   presence.track(socket, socket.assigns.userId, { onlineAt: Date.now() });
 *   socket.push("presence_state", presence.list(socket));
 * },
 * ```
 *
 * @throws SIM_ERR_DEFINITION_INVALID, SIM_ERR_OPTION_INVALID
 */
export function definePresence<
  Meta extends object = Record<string, unknown>,
  Listed extends FetchResult<Meta> = Presences<Meta>,
  State = undefined,
>(callbacks: PresenceCallbacks<Meta, Listed, State> = {}): Presence<Meta, Listed> {
  const { name = DEFAULT_NAME } = callbacks;
  const any = callbacks as unknown as AnyCallbacks;
  checkDefinition(name, any);
  return new DefinedPresence(name, any) as unknown as Presence<Meta, Listed>;
}

/** Reports whether a value was created by `definePresence`, even by another copy of the package. */
export function isPresence(value: unknown): value is DefinedPresence {
  return typeof value === "object" && value !== null && KIND in value;
}

type Place = readonly [tracker: Tracker, topic: string, key: string];

/** A presence and its trackers. */
export class DefinedPresence {
  readonly [KIND] = true;
  readonly name: string;
  readonly callbacks: AnyCallbacks;
  /** Trackers by shard context. There is one, unless a test runs several shards on a thread. */
  readonly #trackers = new Map<object, Tracker>();

  constructor(name: string, callbacks: AnyCallbacks) {
    this.name = name;
    this.callbacks = callbacks;
  }

  /** Attaches the tracker of a shard. */
  attach(context: object, tracker: Tracker): void {
    this.#trackers.set(context, tracker);
  }

  /** Detaches the tracker of a shard that has ended. */
  detach(context: object): void {
    this.#trackers.delete(context);
  }

  track(owner: PresenceOwner, ...given: readonly unknown[]): string {
    const meta = given.at(-1);
    const [tracker, topic, key] = this.#placeOf(owner, given.slice(0, -1));
    return tracker.track(owner, topic, key, meta);
  }

  untrack(owner: PresenceOwner, ...given: readonly unknown[]): void {
    const [tracker, topic, key] = this.#placeOf(owner, given);
    tracker.untrack(owner, topic, key);
  }

  update(owner: PresenceOwner, ...given: readonly unknown[]): string {
    const meta = given.at(-1);
    const [tracker, topic, key] = this.#placeOf(owner, given.slice(0, -1));
    return tracker.update(owner, topic, key, meta);
  }

  list(at: PresenceOwner | string, topic?: string): unknown {
    if (typeof at === "string") return this.#only().list(at);
    return this.#trackerOf(at).list(topic ?? topicOf(at));
  }

  getByKey(at: PresenceOwner | string, ...given: readonly string[]): unknown {
    if (typeof at === "string") return this.#only().getByKey(at, given[0] ?? "");
    const [tracker, topic, key] = this.#placeOf(at, given);
    return tracker.getByKey(topic, key);
  }

  gracefulPermdown(owner: PresenceOwner): void {
    this.#trackerOf(owner).gracefulPermdown();
  }

  /** Accepts `(key)` or `(topic, key)`. The tracker checks the types. */
  #placeOf(owner: PresenceOwner, given: readonly unknown[]): Place {
    const tracker = this.#trackerOf(owner);
    const [topic, key] = given.length > 1 ? given : [topicOf(owner), given[0]];
    return [tracker, topic as string, key as string];
  }

  #trackerOf(owner: PresenceOwner): Tracker {
    const { context } = Object(owner) as { readonly context?: object };
    const tracker = this.#trackers.get(owner) ?? this.#trackers.get(context ?? owner);
    if (tracker) return tracker;
    throw refused(
      `presence ${this.name} must be in presences of the endpoint, and be used with the socket of a channel or the context of a running shard`,
    );
  }

  #only(): Tracker {
    const [tracker, another] = this.#trackers.values();
    if (tracker && !another) return tracker;
    throw refused(
      `presence ${this.name} must have one shard on this thread to list a topic without an owner, got ${this.#trackers.size}: pass the owner, as in list(socket) or list(context, topic)`,
    );
  }
}

function topicOf(owner: PresenceOwner): string {
  return (owner as PresenceSocket).topic;
}
