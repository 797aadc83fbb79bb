/**
 * What a user writes to define a presence, and the types by which the rest is inferred.
 *
 * Runs on: shard; the definition is made once for each.
 */

import { kindOf, makeError } from "../errors.ts";
import { checkPresenceOptions, PRESENCE_OPTIONS, type PresenceOptions } from "./settings.ts";

/** What is tracked, as it is shown: with the refs by which clients tell metas apart. Frozen. */
export type TrackedMeta<Meta extends object = Record<string, unknown>> = Readonly<Meta> & {
  readonly phx_ref: string;
  /** Ref of the meta that an update replaced. */
  readonly phx_ref_prev?: string;
};

/** Who is there under one key. */
export interface PresenceEntry<Meta extends object = Record<string, unknown>> {
  /** What was tracked under the key: one for each channel that did. */
  metas: readonly TrackedMeta<Meta>[];
  /** What `fetch` added. */
  [fetched: string]: unknown;
}

/** Who is there, by key. Has no prototype, so that a key may be any string. */
export type Presences<Meta extends object = Record<string, unknown>> = Record<
  string,
  PresenceEntry<Meta>
>;

/** Who came and who went. */
export interface PresenceDiff<Meta extends object = Record<string, unknown>> {
  readonly joins: Presences<Meta>;
  readonly leaves: Presences<Meta>;
}

/** A shard's context, as presences know it: an endpoint's `ShardContext`. */
export interface PresenceContext {
  readonly data: unknown;
  readonly shard: number;
  broadcast(topic: string, event: string, payload?: unknown): void;
  localBroadcast(topic: string, event: string, payload?: unknown): void;
  [name: string]: unknown;
}

/** What `fetch` may give. */
export type FetchResult<Meta extends object = Record<string, unknown>> =
  | Presences<Meta>
  | Promise<Presences<Meta>>;

/** The callbacks of a presence, and its options. */
export interface PresenceCallbacks<
  Meta extends object,
  Listed extends FetchResult<Meta>,
  State,
> extends PresenceOptions {
  /** Tells presences of one endpoint apart, and is the same on all nodes; `presence` without. */
  readonly name?: string;
  /**
   * Adds to each entry what clients are to see beside its metas. Called with all by `list` and
   * `getByKey`; for a diff with who came, and with who went. What it throws costs the diff what it
   * would have added, and is logged: metas go out as they were tracked.
   *
   * Where it gives promises, diffs of a topic go out in their order all the same, and `list` gives
   * a promise too.
   */
  fetch?(topic: string, presences: Presences<Meta>, context: PresenceContext): Listed;
  /**
   * Sends a diff in another way than as `presence_diff`: under another name, or how many there are.
   *
   * @param send - broadcasts to the topic's subscribers on this shard; on each other shard the same
   *   is done for its own
   */
  dispatch?(
    topic: string,
    diff: PresenceDiff<Meta>,
    send: (event: string, payload: object) => void,
    context: PresenceContext,
  ): void;
  /** Makes the first state of `handleMetas`, on each shard, before its first diff. */
  init?(context: PresenceContext): State;
  /**
   * Is told of each diff, after its broadcast, on every shard of every node. Not asynchronous: what
   * takes time it begins, and does not wait for.
   *
   * @param metas - who is there now, by key; not to be kept
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

const NAME = /^[\w.-]{1,64}$/;
const CALLBACKS = ["fetch", "dispatch", "init", "handleMetas"] as const;
const KEYS: readonly string[] = ["name", ...CALLBACKS, ...PRESENCE_OPTIONS];

/** Checks what a user defines. @throws SIM_ERR_DEFINITION_INVALID, SIM_ERR_OPTION_INVALID */
export function checkDefinition(name: unknown, callbacks: AnyCallbacks): void {
  const unknown = Object.keys(callbacks).filter((key) => !KEYS.includes(key));
  if (unknown.length > 0) {
    throw invalid(`presence may only have the keys ${KEYS.join(", ")}, got ${unknown.join(", ")}`);
  }
  if (typeof name !== "string" || !NAME.test(name)) {
    const got = typeof name === "string" ? JSON.stringify(name) : kindOf(name);
    throw invalid(`name of a presence must have 1 to 64 of A-Z a-z 0-9 _ . -, got ${got}`);
  }
  for (const key of CALLBACKS) {
    if (callbacks[key] === undefined || typeof callbacks[key] === "function") continue;
    throw invalid(`${key} of presence ${name} must be a function, got ${kindOf(callbacks[key])}`);
  }
  if (callbacks.handleMetas && !callbacks.init) {
    throw invalid(`presence ${name} must have init where it has handleMetas`);
  }
  checkPresenceOptions(name, callbacks);
}

function invalid(message: string): Error {
  return makeError("SIM_ERR_DEFINITION_INVALID", message);
}
