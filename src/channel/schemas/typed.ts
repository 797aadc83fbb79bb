/**
 * `typed`: declares the type of a payload without checking it.
 *
 * Runs on: shard.
 */

import type { StandardTypedV1 } from "@standard-schema/spec";

/** A type, in place of a schema. */
export type Typed<Payload> = StandardTypedV1<Payload>;

const TYPED: Typed<never> = { "~standard": { version: 1, vendor: "simurgh" } };

/**
 * Declares a type in place of a schema: for an event, for join parameters, for messages that a
 * channel sends to itself, or for its tasks. Nothing is checked at run time.
 *
 * ```ts
 * out: { moved: typed<{ x: number; y: number }>() },
 * ```
 */
export function typed<Payload>(): Typed<Payload> {
  return TYPED;
}
