/**
 * What may be tracked: keys, and metas, which are taken as JSON has them, and frozen.
 *
 * So every replica has the same, nobody can change what others see, and the object that was given
 * stays the caller's.
 *
 * Runs on: shard. Pure.
 * Full: a presence that is too large as JSON is refused.
 */

import { makeError } from "../errors.ts";
import { bytesOf } from "./delta.ts";
import type { Meta } from "./replica.ts";

/**
 * Names that every plain object has. Clients of Phoenix before 1.8.9 look presences up in one, and
 * throw at a key that is such a name (CVE-2026-56812).
 */
const NAMES_OF_OBJECTS: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));

/**
 * Refuses what is no key.
 *
 * @param isAnyAllowed - whether names that every object has are keys too
 * @throws SIM_ERR_PRESENCE
 */
export function checkKey(key: unknown, isAnyAllowed: boolean): asserts key is string {
  if (typeof key !== "string") throw refused(`key must be a string, got ${kindOf(key)}`);
  if (isAnyAllowed || !NAMES_OF_OBJECTS.has(key)) return;
  const why = `a client of Phoenix before 1.8.9 would throw at it; keys: "any" of the presence allows it`;
  throw refused(`key must not be a name that every object has, got ${JSON.stringify(key)}: ${why}`);
}

/** Refuses what is no topic. @throws SIM_ERR_PRESENCE */
export function checkTopic(topic: unknown): asserts topic is string {
  if (typeof topic !== "string") throw refused(`topic must be a string, got ${kindOf(topic)}`);
}

/**
 * Takes a meta, and gives it its refs.
 *
 * @throws SIM_ERR_PRESENCE where it is no object, or has no form in JSON
 */
export function metaOf(given: unknown, phxRef: string, phxRefPrev?: string): Meta {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw refused(`meta must be an object, got ${kindOf(given)}`);
  }
  const taken = frozen(cloned(given));
  if (typeof taken !== "object" || taken === null || Array.isArray(taken)) {
    throw refused(`meta must be an object in JSON too, got ${kindOf(taken)}`);
  }
  // A spread defines properties, also one of the name __proto__, where an assignment would not.
  const { phx_ref: _, phx_ref_prev: __, ...own } = taken as Record<string, unknown>;
  const refs =
    phxRefPrev === undefined ? { phx_ref: phxRef } : { phx_ref: phxRef, phx_ref_prev: phxRefPrev };
  return Object.freeze({ ...own, ...refs });
}

/** Refuses what is too large to be sent in one record. @throws SIM_ERR_PRESENCE */
export function checkSize(topic: string, key: string, meta: Meta, maxBytes: number): void {
  const bytes = bytesOf({ dot: 0, topic, key, meta });
  if (bytes <= maxBytes) return;
  const what = "topic, key and meta must together have as JSON";
  throw refused(`${what} at most ${maxBytes} (bytes), got ${bytes}`);
}

/** Makes the error for what cannot be tracked. */
export function refused(message: string): Error {
  return makeError("SIM_ERR_PRESENCE", message);
}

function cloned(given: object): unknown {
  try {
    return JSON.parse(JSON.stringify(given));
  } catch (cause) {
    throw makeError("SIM_ERR_PRESENCE", "meta must be a value that JSON can write", { cause });
  }
}

/** Freezes plain data, and all that is in it. */
export function frozen(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}

/** Says what a value is, for messages. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}
