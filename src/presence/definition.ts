/**
 * The definition of a presence: its callbacks, its options, and the types that are inferred from
 * them.
 *
 * Runs on: shard; the definition is created once per shard.
 */

import {
  checkBoolean,
  checkCallbacks,
  checkChoice,
  checkKeys,
  invalid,
  invalidOption,
  shown,
} from "../definition-checks.ts";
import type { BroadcastOptions } from "../pubsub/broadcast-options.ts";
import { checkOption, type OptionName, type ResolvedOptions } from "../options/options.ts";
import { automaticDownMs } from "../options/resolution.ts";

// -- tracked and listed data -------------------------------------------------------------------------

/** A tracked meta as clients see it, with the refs that distinguish metas. Frozen. */
export type TrackedMeta<Meta extends object = Record<string, unknown>> = Readonly<Meta> & {
  readonly phx_ref: string;
  /** Ref of the meta that an update replaced with this one. */
  readonly phx_ref_prev?: string;
};

/** The presences under one key. */
export interface PresenceEntry<Meta extends object = Record<string, unknown>> {
  /** The metas tracked under the key, one for each channel that tracks it. */
  metas: readonly TrackedMeta<Meta>[];
  /** Data added by `fetch`. */
  [fetched: string]: unknown;
}

/** Presences by key. The object has no prototype, so any string can be a key. */
export type Presences<Meta extends object = Record<string, unknown>> = Record<
  string,
  PresenceEntry<Meta>
>;

/** The presences that joined and left. */
export interface PresenceDiff<Meta extends object = Record<string, unknown>> {
  readonly joins: Presences<Meta>;
  readonly leaves: Presences<Meta>;
}

/** The part of an endpoint's `ShardContext` that presences use. */
export interface PresenceContext {
  readonly data: unknown;
  readonly shard: number;
  broadcast(topic: string, event: string, payload?: unknown, options?: BroadcastOptions): void;
  [name: string]: unknown;
}

// -- callbacks and options ---------------------------------------------------------------------------

/** Options of a presence. Options that are not given default to those of the server. */
export interface PresenceOptions {
  /** Interval at which changes are sent to other nodes (ms). */
  readonly broadcastPeriodMs?: number;
  /** Number of periods without a change after which a heartbeat is sent to other nodes. */
  readonly maxSilentPeriods?: number;
  /** Time without a message from another node's shard until its presences are hidden (ms). */
  readonly downPeriodMs?: number;
  /** Time without a message from another node's shard until its presences are removed (ms). */
  readonly permdownPeriodMs?: number;
  /** Number of removals that a shard remembers for shards that missed them. */
  readonly maxDeltaSize?: number;
  /** Maximum size of a presence: its topic, key and meta as JSON (bytes). */
  readonly maxBytes?: number;
  /** Maximum size of all presences that the channels of one connection track, as JSON (bytes). */
  readonly maxClientBytes?: number;
  /** Time limit for `fetch` (ms). */
  readonly fetchTimeoutMs?: number;
  /**
   * If true, the presences that are still tracked when a shard shuts down cleanly leave everywhere
   * immediately. Otherwise other nodes show them until `downPeriodMs` has passed. Presences of
   * channels are not affected: they have left by then, because their channels have ended.
   */
  readonly permdownOnShutdown?: boolean;
  /**
   * `any` also allows keys that are property names of every JavaScript object, such as
   * `constructor`. They are refused by default, because Phoenix clients before 1.8.9 throw on them.
   */
  readonly keys?: "any";
}

/** Types that `fetch` may return. */
export type FetchResult<Meta extends object = Record<string, unknown>> =
  | Presences<Meta>
  | Promise<Presences<Meta>>;

/** The callbacks and options of a presence. */
export interface PresenceCallbacks<
  Meta extends object,
  Listed extends FetchResult<Meta>,
  State,
> extends PresenceOptions {
  /**
   * Name that distinguishes the presences of one endpoint; the same on all nodes. Defaults to
   * `presence`.
   */
  readonly name?: string;
  /**
   * Adds data for clients to each entry. `list` and `getByKey` call it with all entries of the
   * result; for a diff, it is called once with the joins and once with the leaves. If it throws,
   * the error is logged and the diff is sent with the tracked metas only.
   *
   * If it returns promises, diffs of a topic are still sent in order, and `list` returns a promise
   * too.
   */
  fetch?(topic: string, presences: Presences<Meta>, context: PresenceContext): Listed;
  /**
   * Sends a diff in a custom form instead of as `presence_diff`: under another event name, for
   * example, or as a number.
   *
   * @param send - broadcasts to the topic's subscribers on this shard; every other shard calls
   *   `dispatch` for its own subscribers
   */
  dispatch?(
    topic: string,
    diff: PresenceDiff<Meta>,
    send: (event: string, payload: object) => void,
    context: PresenceContext,
  ): void;
  /** Creates the initial state for `handleMetas`, on each shard, before its first diff. */
  init?(context: PresenceContext): State;
  /**
   * Handles each diff after its broadcast, on every shard of every node. Synchronous: it may start
   * asynchronous work, but does not wait for it.
   *
   * @param metas - the presences after the diff, by key; must not be kept
   * @returns the next state
   */
  handleMetas?(
    topic: string,
    diff: PresenceDiff<Meta>,
    metas: Readonly<Record<string, readonly TrackedMeta<Meta>[]>>,
    state: State,
  ): State;
}

/** The callbacks of a presence with any types, as used by the runtime. */
export type AnyCallbacks = PresenceCallbacks<Record<string, unknown>, FetchResult, unknown>;

// -- checks --------------------------------------------------------------------------------------------

/** The server option that provides the default of each presence option. */
const SERVER_OPTION = {
  broadcastPeriodMs: "presencePeriodMs",
  maxSilentPeriods: "presenceSilentPeriods",
  downPeriodMs: "presenceDownMs",
  permdownPeriodMs: "presencePermdownMs",
  maxDeltaSize: "presenceDeltaSize",
  maxBytes: "presenceMaxBytes",
  maxClientBytes: "presenceClientBytes",
  fetchTimeoutMs: "presenceFetchMs",
} as const satisfies Partial<Record<keyof PresenceOptions, OptionName>>;

type IntegerName = keyof typeof SERVER_OPTION;

const INTEGERS = Object.keys(SERVER_OPTION) as IntegerName[];
const NAME = /^[\w.-]{1,64}$/;
const CALLBACKS = ["fetch", "dispatch", "init", "handleMetas"] as const;
const KEYS: readonly string[] = ["name", ...CALLBACKS, ...INTEGERS, "permdownOnShutdown", "keys"];

/** Checks a user's definition. @throws SIM_ERR_DEFINITION_INVALID, SIM_ERR_OPTION_INVALID */
export function checkDefinition(name: unknown, callbacks: AnyCallbacks): void {
  checkKeys("presence", callbacks, KEYS);
  if (typeof name !== "string" || !NAME.test(name)) {
    throw invalid(`name of a presence must have 1 to 64 of A-Z a-z 0-9 _ . -, got ${shown(name)}`);
  }
  checkCallbacks(callbacks, { optional: CALLBACKS, owner: `presence ${name}` });
  if (callbacks.handleMetas && !callbacks.init) {
    throw invalid(`presence ${name} must have init if it has handleMetas`);
  }
  checkOptions(name, callbacks);
}

function checkOptions(name: string, given: PresenceOptions): void {
  for (const option of INTEGERS) {
    const value = given[option];
    if (value === undefined) continue;
    checkOption(SERVER_OPTION[option], `${option} of presence ${name}`, value);
  }
  const { permdownOnShutdown, keys } = given as Readonly<Record<string, unknown>>;
  if (permdownOnShutdown !== undefined) {
    checkBoolean(`permdownOnShutdown of presence ${name}`, permdownOnShutdown);
  }
  if (keys !== undefined) checkChoice(`keys of presence ${name}`, keys, ["any"]);
}

// -- resolution ----------------------------------------------------------------------------------------

/** The resolved options of one presence on a server. */
export type PresenceSettings = Readonly<Record<IntegerName, number>> & {
  readonly permdownOnShutdown: boolean;
  readonly isAnyKey: boolean;
};

/** Returns the options of a presence on a server. @throws SIM_ERR_OPTION_INVALID */
export function settingsOf(
  name: string,
  given: PresenceOptions,
  server: ResolvedOptions,
): PresenceSettings {
  const numbers = Object.fromEntries(
    INTEGERS.map((option) => [option, given[option] ?? server[SERVER_OPTION[option]]]),
  ) as Record<IntegerName, number>;
  const { broadcastPeriodMs, maxSilentPeriods } = numbers;
  const hasOwnPeriod =
    given.broadcastPeriodMs !== undefined || given.maxSilentPeriods !== undefined;
  if (hasOwnPeriod && given.downPeriodMs === undefined) {
    numbers.downPeriodMs = automaticDownMs(broadcastPeriodMs, maxSilentPeriods);
  }
  const { downPeriodMs, permdownPeriodMs } = numbers;
  if (downPeriodMs < 2 * broadcastPeriodMs) {
    const least = `at least twice broadcastPeriodMs (${broadcastPeriodMs} ms)`;
    throw invalidOption(
      `downPeriodMs of presence ${name} must be ${least}, got ${downPeriodMs} (ms)`,
    );
  }
  if (permdownPeriodMs <= downPeriodMs) {
    const more = `more than downPeriodMs (${downPeriodMs} ms)`;
    throw invalidOption(
      `permdownPeriodMs of presence ${name} must be ${more}, got ${permdownPeriodMs} (ms)`,
    );
  }
  const { permdownOnShutdown = false, keys } = given;
  return { ...numbers, permdownOnShutdown, isAnyKey: keys === "any" };
}
