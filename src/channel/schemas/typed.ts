/**
 * `typed`: what says the type of a payload, and checks nothing.
 *
 * Runs on: shard; made once for each.
 */

import type { StandardTypedV1 } from "@standard-schema/spec";

/** A type, where otherwise a schema stands. */
export type Typed<Payload> = StandardTypedV1<Payload>;

const TYPED: Typed<never> = { "~standard": { version: 1, vendor: "simurgh" } };

/**
 * Declares a type where a schema may stand: of an event, of join's parameters, of what a channel
 * sends itself, of its tasks. Nothing is checked when it runs.
 *
 * ```ts
 * out: { moved: typed<{ x: number; y: number }>() },
 * ```
 */
export function typed<Payload>(): Typed<Payload> {
  return TYPED;
}
