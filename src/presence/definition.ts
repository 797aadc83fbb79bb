/**
 * The definition of a presence: callbacks, options, and the types that are inferred from them.
 *
 * Runs on: shard. Each shard makes a definition once.
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

// -- metas and presences -----------------------------------------------------------------------------

/** A tracked meta, with the refs by which clients tell metas apart. Frozen. */
export type TrackedMeta<Meta extends object = Record<string, unknown>> = Readonly<Meta> & {
  readonly phx_ref: string;
  /** Ref of the meta that an update replaced. */
  readonly phx_ref_prev?: string;
};

/** The presences under one key. */
export interface PresenceEntry<Meta extends object = Record<string, unknown>> {
  /** The metas that were tracked under the key, one for each owner, such as a channel. */
  metas: readonly TrackedMeta<Meta>[];
  /** What `fetch` added. */
  [fetched: string]: unknown;
}

/** The presences of a topic, by key. The object has no prototype, so any string can be a key. */
export type Presences<Meta extends object = Record<string, unknown>> = Record<
  string,
  PresenceEntry<Meta>
>;

/** The joins and leaves of a topic. */
export interface PresenceDiff<Meta extends object = Record<string, unknown>> {
  readonly joins: Presences<Meta>;
  readonly leaves: Presences<Meta>;
}

/** A shard's context, as presences know it. An endpoint's `ShardContext` is one. */
export interface PresenceContext {
  readonly data: unknown;
  readonly shard: number;
  broadcast(topic: string, event: string, payload?: unknown, options?: BroadcastOptions): void;
  [name: string]: unknown;
}

// -- callbacks and options ---------------------------------------------------------------------------

/** Options of a presence. The server's options are the defaults. */
export interface PresenceOptions {
  /** How often changes are sent to other nodes (ms). */
  readonly broadcastPeriodMs?: number;
  /** Periods without a change after which other nodes get a heartbeat. */
  readonly maxSilentPeriods?: number;
  /** Silence of another node's shard after which its presences are hidden (ms). */
  readonly downPeriodMs?: number;
  /** Silence of another node's shard after which its presences are forgotten (ms). */
  readonly permdownPeriodMs?: number;
  /** How many removals a shard remembers for shards that missed them. */
  readonly maxDeltaSize?: number;
  /** Largest presence: topic, key and meta as JSON (bytes). */
  readonly maxBytes?: number;
  /** Time limit of `fetch` (ms). */
  readonly fetchTimeoutMs?: number;
  /**
   * True: what is still tracked when a shard shuts down leaves at once, on all nodes. By default,
   * other nodes show it until `downPeriodMs` has passed. Presences of channels are not affected, as
   * channels have ended by then.
   */
  readonly permdownOnShutdown?: boolean;
  /**
   * `any`: keys may be names of properties that every JavaScript object has, such as `constructor`.
   * By default they are refused, because clients of Phoenix before 1.8.9 throw on them.
   */
  readonly keys?: "any";
}

/** Result of `fetch`. */
export type FetchResult<Meta extends object = Record<string, unknown>> =
  | Presences<Meta>
  | Promise<Presences<Meta>>;

/** The callbacks of a presence, and its options. */
export interface PresenceCallbacks<
  Meta extends object,
  Listed extends FetchResult<Meta>,
  State,
> extends PresenceOptions {
  /** Name of the presence, unique in its endpoint and the same on all nodes. Default: `presence`. */
  readonly name?: string;
  /**
   * Adds data for clients to each entry, next to its metas. `list` and `getByKey` call it with the
   * entries that they return; for a diff it is called with the joins and with the leaves. If it fails
   * for a diff, the error is logged, and the diff is sent with the metas alone.
   *
   * If it returns promises, diffs of a topic still keep their order, and `list` returns a promise too.
   */
  fetch?(topic: string, presences: Presences<Meta>, context: PresenceContext): Listed;
  /**
   * Replaces the broadcast of `presence_diff`, for example by another event or by a mere count.
   *
   * @param send - broadcasts to the topic's subscribers on this shard; every shard calls `dispatch`
   *   for its own
   */
  dispatch?(
    topic: string,
    diff: PresenceDiff<Meta>,
    send: (event: string, payload: object) => void,
    context: PresenceContext,
  ): void;
  /** Returns the first state of `handleMetas`. Called on each shard, before its first diff. */
  init?(context: PresenceContext): State;
  /**
   * Handles each diff, after its broadcast, on every shard of every node. It must be synchronous: it
   * may start asynchronous work, but is not awaited.
   *
   * @param metas - metas of the topic after the diff, by key; valid only during the call
   * @returns the next state
   */
  handleMetas?(
    topic: string,
    diff: PresenceDiff<Meta>,
    metas: Readonly<Record<string, readonly TrackedMeta<Meta>[]>>,
    state: State,
  ): State;
}

/** The callbacks of any presence, as the runtime uses them. */
export type AnyCallbacks = PresenceCallbacks<Record<string, unknown>, FetchResult, unknown>;

// -- checks --------------------------------------------------------------------------------------------

/** The server's option that is the default of each option. */
const SERVER_OPTION = {
  broadcastPeriodMs: "presencePeriodMs",
  maxSilentPeriods: "presenceSilentPeriods",
  downPeriodMs: "presenceDownMs",
  permdownPeriodMs: "presencePermdownMs",
  maxDeltaSize: "presenceDeltaSize",
  maxBytes: "presenceMaxBytes",
  fetchTimeoutMs: "presenceFetchMs",
} as const satisfies Partial<Record<keyof PresenceOptions, OptionName>>;

type IntegerName = keyof typeof SERVER_OPTION;

const INTEGERS = Object.keys(SERVER_OPTION) as IntegerName[];
const NAME = /^[\w.-]{1,64}$/;
const CALLBACKS = ["fetch", "dispatch", "init", "handleMetas"] as const;
const KEYS: readonly string[] = ["name", ...CALLBACKS, ...INTEGERS, "permdownOnShutdown", "keys"];

/** Checks what a user defines. @throws SIM_ERR_DEFINITION_INVALID, SIM_ERR_OPTION_INVALID */
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

/** The options of one presence on a server, all of them. */
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
