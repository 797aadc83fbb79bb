/**
 * `definePresence`, and a presence as user code sees it: track, update, list.
 *
 * Runs on: shard. One object for each definition. Each shard attaches a tracker, which is found by the
 *          shard's context.
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

/** A channel's socket, as presences know it. */
export interface PresenceSocket {
  readonly topic: string;
  readonly context: object;
}

/** The owner of a presence, which ends with it: a channel's socket, or the shard's context. */
export type PresenceOwner = PresenceSocket | PresenceContext;

/** A new meta, or a function that returns it for the old one. */
export type MetaUpdate<Meta extends object> = Meta | ((meta: TrackedMeta<Meta>) => Meta);

/** Result of `getByKey`: what `list` returns for the key. */
export type Found<Listed> =
  Listed extends Promise<infer All>
    ? Promise<All[keyof All] | undefined> | undefined
    : Listed[keyof Listed] | undefined;

/** A presence: tracks who is where, on all shards and nodes. */
export interface Presence<
  Meta extends object = Record<string, unknown>,
  Listed extends FetchResult<Meta> = Presences<Meta>,
> {
  readonly name: string;

  /**
   * Tracks a presence on the channel's topic, as long as the channel lives. All subscribers of the
   * topic get a `presence_diff`, including the channel's own client.
   *
   * @param key - identifies whose presence it is, such as a user. Each channel of the user adds its
   *   own meta under this key
   * @param meta - data about this presence; copied through JSON
   * @returns the meta's `phx_ref`
   * @throws SIM_ERR_ALREADY_TRACKED, SIM_ERR_PRESENCE
   */
  track(socket: PresenceSocket, key: string, meta: Meta): string;
  /** Tracks a presence on any topic, as long as the owner lives. */
  track(owner: PresenceOwner, topic: string, key: string, meta: Meta): string;

  /** Ends a presence. Does nothing if it is not tracked. */
  untrack(socket: PresenceSocket, key: string): void;
  untrack(owner: PresenceOwner, topic: string, key: string): void;

  /**
   * Replaces a meta. Others get one diff, with the new meta in its joins and the old one in its leaves.
   *
   * @param meta - the new one, or a function that returns it for the old one
   * @returns the new meta's `phx_ref`; its `phx_ref_prev` is the old one's
   * @throws SIM_ERR_NO_PRESENCE if it is not tracked; SIM_ERR_PRESENCE
   */
  update(socket: PresenceSocket, key: string, meta: MetaUpdate<Meta>): string;
  update(owner: PresenceOwner, topic: string, key: string, meta: MetaUpdate<Meta>): string;

  /**
   * Returns the presences of a topic, with what `fetch` adds, as clients expect in `presence_state`.
   *
   * @param at - a channel's socket, for its topic; or a topic, if only one shard runs on this thread
   */
  list(at: PresenceSocket | string): Listed;
  list(owner: PresenceOwner, topic: string): Listed;

  /** Returns the presences under a key, or undefined. */
  getByKey(at: PresenceSocket | string, key: string): Found<Listed>;
  getByKey(owner: PresenceOwner, topic: string, key: string): Found<Listed>;

  /**
   * Stops tracking on this shard. Everything that it tracked leaves at once, on all nodes. For the
   * endpoint's `stop`.
   */
  gracefulPermdown(owner: PresenceOwner): void;
}

/** A presence of any type, as an endpoint takes it. */
export type AnyPresence = Pick<Presence, "name">;

const KIND = Symbol.for("simurgh.presence");
const DEFAULT_NAME = "presence";

/**
 * Defines a presence. List it in `presences` of the endpoint.
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

/** Reports whether a value was made by `definePresence`, even in another copy of this package. */
export function isPresence(value: unknown): value is DefinedPresence {
  return typeof value === "object" && value !== null && KIND in value;
}

type Place = readonly [tracker: Tracker, topic: string, key: string];

/** A presence, and its trackers. */
export class DefinedPresence {
  readonly [KIND] = true;
  readonly name: string;
  readonly callbacks: AnyCallbacks;
  /** By the context of their shard: one, except in tests that run several shards on a thread. */
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

  /** Reads the arguments: a key alone, or a topic and a key. The tracker checks them. */
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
