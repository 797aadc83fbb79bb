/**
 * Broadcasts by the app's code outside a channel: how far they go, and who is left out.
 *
 * Runs on: main, shard.
 */

import { invalidOption, shown } from "../definition-checks.ts";
import { kindOf } from "../errors.ts";
import type { PubSub } from "./pubsub.ts";

/** Options of a broadcast by a channel to its own topic. */
export interface TopicBroadcastOptions {
  /** False to leave this broadcast out of the topic's history. Default: true, if the topic has one. */
  readonly history?: boolean;
}

/**
 * Options of a broadcast. Phoenix has separate functions for most of them. A broadcast that does not go to all nodes is
 * never kept in a history.
 */
export interface BroadcastOptions extends TopicBroadcastOptions {
  /**
   * `cluster` (default): subscribers on all nodes. `node`: on this node (Phoenix's `local_broadcast`).
   * `thread`: on this thread only, which is a shard or main.
   */
  readonly scope?: "cluster" | "node" | "thread";
  /**
   * Name of a node: only its subscribers (Phoenix's `direct_broadcast`). Does nothing if no node has
   * that name. Cannot be combined with `scope`.
   */
  readonly node?: string;
}

/** Options of a broadcast on a shard. */
export interface ContextBroadcastOptions extends BroadcastOptions {
  /** A channel of this shard that is left out (Phoenix's `broadcast_from`). */
  readonly except?: object;
}

/** Options of a publish. */
export interface PublishOptions {
  /**
   * Text of at most 255 UTF-16 units. A message with the same key is kept once within the `ttlMs` of the
   * topic, on each node: publishing it again resolves with where it was kept.
   */
  readonly idempotencyKey?: string;
}

const MAX_KEY_UNITS = 255;

/** Returns the key of a publish. @throws SIM_ERR_OPTION_INVALID */
export function keyOf(options: PublishOptions): string | undefined {
  checkNames(options, ["idempotencyKey"], "a publish");
  const { idempotencyKey: key } = options;
  if (key === undefined) return undefined;
  if (typeof key === "string" && key.length <= MAX_KEY_UNITS) return key;
  const rule = `idempotencyKey must be a string of at most ${MAX_KEY_UNITS} UTF-16 units`;
  throw invalidOption(`${rule}, got ${typeof key === "string" ? key.length : shown(key)}`);
}

/** The options of a broadcast by the host, which has no channels that it could leave out. */
export const HOST_OPTIONS: readonly string[] = [
  "scope",
  "node",
  "history",
] satisfies readonly (keyof BroadcastOptions)[];
/** The options of a broadcast by code on a shard. */
export const CONTEXT_OPTIONS: readonly string[] = [
  "scope",
  "node",
  "history",
  "except",
] satisfies readonly (keyof ContextBroadcastOptions)[];
const SCOPES: readonly unknown[] = ["cluster", "node", "thread"];

/**
 * Checks that the options of a broadcast are an object with known keys only. A misspelled `scope`
 * would otherwise reach the whole cluster.
 *
 * @throws SIM_ERR_OPTION_INVALID
 */
export function checkBroadcastOptions(options: unknown, known: readonly string[]): void {
  if (options !== undefined) checkNames(options, known, "a broadcast");
}

function checkNames(options: unknown, known: readonly string[], subject: string): void {
  if (typeof options !== "object" || options === null) {
    throw invalidOption(`options of ${subject} must be an object, got ${kindOf(options)}`);
  }
  for (const key in options) {
    if (known.includes(key)) continue;
    throw invalidOption(`options of ${subject} may only be ${known.join(", ")}, got ${key}`);
  }
}

/** The options of a broadcast by a channel to its own topic. */
const TOPIC_OPTIONS: readonly string[] = [
  "history",
] satisfies readonly (keyof TopicBroadcastOptions)[];

/** Reports whether a channel's broadcast to its topic may be kept. @throws SIM_ERR_OPTION_INVALID */
export function mayBeKept(options: TopicBroadcastOptions | undefined): boolean {
  if (options === undefined) return true;
  checkNames(options, TOPIC_OPTIONS, "a broadcast");
  checkValues(options);
  return options.history !== false;
}

function checkValues({ scope, except, history }: ContextBroadcastOptions): void {
  if (scope !== undefined && !SCOPES.includes(scope)) {
    throw invalidOption(`scope must be "cluster", "node" or "thread", got ${shown(scope)}`);
  }
  if (except !== undefined && (typeof except !== "object" || except === null)) {
    throw invalidOption(`except must be the socket of a channel, got ${shown(except)}`);
  }
  if (history !== undefined && typeof history !== "boolean") {
    throw invalidOption(`history must be true or false, got ${shown(history)}`);
  }
}

/**
 * Broadcasts as the options say. Topic and keys of the options have been checked.
 *
 * @throws SIM_ERR_OPTION_INVALID, SIM_ERR_PAYLOAD, SIM_ERR_PAYLOAD_TOO_LARGE; nobody receives it then
 */
export function broadcastTo(
  pubsub: PubSub<unknown>,
  topic: string,
  event: string,
  payload: unknown,
  options: ContextBroadcastOptions = {},
): void {
  const { scope, node, except, history } = options;
  checkValues(options);
  if (node === undefined) {
    const to = scope ?? "cluster";
    if (history === false) pubsub.broadcastUnkept(topic, event, payload, to, except);
    else pubsub.broadcast(topic, event, payload, to, except);
    return;
  }
  if (typeof node !== "string") {
    throw invalidOption(`node must be the name of a node, got ${shown(node)}`);
  }
  if (scope !== undefined) throw invalidOption(`node must be given without scope, got ${scope}`);
  if (node === pubsub.member.node) pubsub.broadcast(topic, event, payload, "node", except);
  else pubsub.directBroadcast(node, topic, event, payload);
}
