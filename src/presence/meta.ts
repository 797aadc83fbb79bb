/**
 * Keys and metas: checks, sizes, and the refs of metas.
 *
 * A meta is copied through JSON and frozen. So every replica has the same data, no receiver can change
 * what others see, and the object that was passed still belongs to the caller.
 *
 * Runs on: shard.
 * Full: a presence that is too large as JSON is refused.
 */

import { kindOf, makeError } from "../errors.ts";
import { bytesOf, type Meta } from "./replica.ts";

/**
 * Names of properties that every plain object has. Clients of Phoenix before 1.8.9 keep presences in
 * a plain object, and throw on such a key (CVE-2026-56812).
 */
const NAMES_OF_OBJECTS: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));

/**
 * Checks a key.
 *
 * @param isAnyAllowed - true if names of properties that every object has are allowed
 * @throws SIM_ERR_PRESENCE
 */
export function checkKey(key: unknown, isAnyAllowed: boolean): asserts key is string {
  if (typeof key !== "string") throw refused(`key must be a string, got ${kindOf(key)}`);
  if (isAnyAllowed || !NAMES_OF_OBJECTS.has(key)) return;
  const why = `clients of Phoenix before 1.8.9 throw on it; to allow it, set keys: "any" of the presence`;
  throw refused(`key must not be a property of every object, got ${JSON.stringify(key)}: ${why}`);
}

/** Checks that a value can be a topic. @throws SIM_ERR_PRESENCE */
export function checkTopic(topic: unknown): asserts topic is string {
  if (typeof topic !== "string") throw refused(`topic must be a string, got ${kindOf(topic)}`);
}

/**
 * Returns a frozen copy of a meta, with its refs.
 *
 * @param phxRefPrev - the ref of the meta that it replaces, if any
 * @throws SIM_ERR_PRESENCE if it is not an object, also in JSON
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
  // The refs are appended to the text, where they override the user's. A parsed object takes less
  // memory than one whose properties were added.
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

/** Checks that a presence is not too large. @throws SIM_ERR_PRESENCE */
export function checkSize(topic: string, key: string, meta: Meta, maxBytes: number): void {
  const bytes = bytesOf({ dot: 0, topic, key, meta });
  if (bytes <= maxBytes) return;
  throw refused(
    `topic, key and meta as JSON must have at most ${maxBytes} (bytes) together, got ${bytes}`,
  );
}

/** Makes the error for a presence that is refused. */
export function refused(message: string): Error {
  return makeError("SIM_ERR_PRESENCE", message);
}

/** @returns undefined if the object's `toJSON` returns nothing */
function jsonOf(given: object): string | undefined {
  try {
    return JSON.stringify(given);
  } catch (cause) {
    throw makeError("SIM_ERR_PRESENCE", "meta must be a value that JSON can represent", { cause });
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
 *   | the incarnation    | a count            |   16 characters: base64url of 6 bytes each
 *   +--------------------+--------------------+
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
