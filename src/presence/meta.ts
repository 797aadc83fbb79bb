/**
 * What may be tracked: keys, and metas, which are taken as JSON has them, and frozen.
 *
 * So every replica has the same, nobody can change what others see, and the object that was given
 * stays the caller's.
 *
 * Runs on: shard. Pure.
 * Full: a presence that is too large as JSON is refused.
 */

import { kindOf, makeError } from "../errors.ts";
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
 * @param phxRefPrev - the ref of the meta that it replaces; undefined: of none
 * @throws SIM_ERR_PRESENCE where it is no object, or has no form in JSON
 */
export function metaOf(given: unknown, phxRef: string, phxRefPrev?: string): Meta {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw refused(`meta must be an object, got ${kindOf(given)}`);
  }
  const text = jsonOf(given);
  if (!text?.startsWith("{")) {
    const kind = text === undefined ? "nothing" : kindOf(JSON.parse(text));
    throw refused(`meta must be an object in JSON too, got ${kind}`);
  }
  // Refs are written behind the text, where they win over the user's: what is parsed is compact,
  // which an object that was put together is not.
  const refs =
    phxRefPrev === undefined
      ? `"phx_ref":"${phxRef}"}`
      : `"phx_ref":"${phxRef}","phx_ref_prev":"${phxRefPrev}"}`;
  const meta = JSON.parse(`${text.slice(0, -1)}${text === "{}" ? "" : ","}${refs}`) as Meta & {
    phx_ref_prev?: string;
  };
  if (phxRefPrev === undefined && meta.phx_ref_prev !== undefined) delete meta.phx_ref_prev;
  return frozen(meta) as Meta;
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

/** @returns undefined where the object says itself that it has no form */
function jsonOf(given: object): string | undefined {
  try {
    return JSON.stringify(given);
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
