/**
 * What may be tracked: keys, and metas, which are taken as JSON has them and frozen, with their refs.
 *
 * So every replica has the same, nobody can change what others see, and the given object stays the
 * caller's.
 *
 * Runs on: shard.
 * Full: a presence that is too large as JSON is refused.
 */

import { kindOf, makeError } from "../errors.ts";
import { bytesOf, type Meta } from "./replica.ts";

/**
 * Names that every plain object has. Clients of Phoenix before 1.8.9 look presences up in one, and
 * throw on a key that is such a name (CVE-2026-56812).
 */
const NAMES_OF_OBJECTS: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));

/**
 * Refuses a value that is no key.
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

/** Refuses a value that is no topic. @throws SIM_ERR_PRESENCE */
export function checkTopic(topic: unknown): asserts topic is string {
  if (typeof topic !== "string") throw refused(`topic must be a string, got ${kindOf(topic)}`);
}

/**
 * Takes a meta, and gives it its refs.
 *
 * @param phxRefPrev - the ref of the meta that it replaces, if any
 * @throws SIM_ERR_PRESENCE if it is no object, or JSON has no form for it
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
  // Refs are written behind the text, where they win over the user's. An object that was parsed is
  // compact; one that was put together is not.
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

/** Refuses a presence that is too large to be sent in one record. @throws SIM_ERR_PRESENCE */
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

/** @returns undefined if the object's `toJSON` says that it has no form */
function jsonOf(given: object): string | undefined {
  try {
    return JSON.stringify(given);
  } catch (cause) {
    throw makeError("SIM_ERR_PRESENCE", "meta must be a value that JSON can write", { cause });
  }
}

/** Freezes plain data, and everything in it. */
export function frozen(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}

/**
 * Makes the `phx_ref` of each meta of one replica, by which clients tell metas apart.
 *
 *   0                    8                    16
 *   +--------------------+--------------------+
 *   | the incarnation    | a count            |   16 characters, base64 of 6 bytes each
 *   +--------------------+--------------------+   in the alphabet that is safe in URLs
 *
 * No two are the same: incarnations are drawn from 2^48, and a replica counts its own.
 */
export class PhxRefs {
  readonly #prefix: string;
  readonly #bytes = Buffer.alloc(6);
  #count = 0;

  /** @param incarnation - of the replica: an integer of 6 bytes */
  constructor(incarnation: number) {
    this.#prefix = this.#encoded(incarnation);
  }

  /** Makes the next ref. */
  next(): string {
    const ref = this.#prefix + this.#encoded(this.#count);
    this.#count += 1;
    return ref;
  }

  #encoded(value: number): string {
    this.#bytes.writeUIntBE(value, 0, 6);
    return this.#bytes.toString("base64url");
  }
}
