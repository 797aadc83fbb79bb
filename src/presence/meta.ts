/**
 * Checks keys and prepares metas: each meta is converted through JSON, given its refs, and frozen.
 *
 * So all replicas have the same meta, no code can change a meta that others see, and the object
 * passed by the caller is not modified.
 *
 * Runs on: shard.
 * Full: a presence whose JSON is too large is refused.
 */

import { kindOf, makeError } from "../errors.ts";
import { lostKind } from "../json-loss.ts";
import { bytesOf, type Meta } from "./replica.ts";

/**
 * Property names of every plain object. Phoenix clients before 1.8.9 keep presences in a plain
 * object, and throw on a key that is one of these names (CVE-2026-56812).
 */
const NAMES_OF_OBJECTS: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));

/**
 * Checks that a value is a valid key.
 *
 * @param isAnyAllowed - whether property names of every object are allowed too
 * @throws SIM_ERR_PRESENCE
 */
export function checkKey(key: unknown, isAnyAllowed: boolean): asserts key is string {
  if (typeof key !== "string") throw refused(`key must be a string, got ${kindOf(key)}`);
  if (isAnyAllowed || !NAMES_OF_OBJECTS.has(key)) return;
  const why = `clients of Phoenix before 1.8.9 throw on it; to allow it, set keys: "any" of the presence`;
  throw refused(`key must not be a property of every object, got ${JSON.stringify(key)}: ${why}`);
}

/** Checks that a value is a valid topic. @throws SIM_ERR_PRESENCE */
export function checkTopic(topic: unknown): asserts topic is string {
  if (typeof topic !== "string") throw refused(`topic must be a string, got ${kindOf(topic)}`);
}

/**
 * Creates a tracked meta from the caller's object, and adds its refs.
 *
 * @param phxRefPrev - ref of the meta that it replaces, if any
 * @throws SIM_ERR_PRESENCE if the value is not an object or cannot be written as JSON
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
  const lost = lostKind(given, text);
  if (lost !== undefined) {
    throw refused(`meta must be a value that JSON can represent, got a ${lost}`);
  }
  // Refs are appended to the text, so that they override refs in the user's object. An object
  // that JSON.parse created is compact in memory; one assembled from other objects is not.
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

/**
 * Checks that a presence is small enough for one record.
 *
 * @returns its size as JSON (bytes)
 * @throws SIM_ERR_PRESENCE
 */
export function checkSize(topic: string, key: string, meta: Meta, maxBytes: number): number {
  const bytes = bytesOf({ dot: 0, topic, key, meta });
  if (bytes <= maxBytes) return bytes;
  throw refused(
    `topic, key and meta as JSON must have at most ${maxBytes} (bytes) together, got ${bytes}`,
  );
}

/** Creates the error for a value that cannot be tracked. */
export function refused(message: string): Error {
  return makeError("SIM_ERR_PRESENCE", message);
}

/** Writes an object as JSON. @returns undefined if its `toJSON` returns undefined */
function jsonOf(given: object): string | undefined {
  try {
    return JSON.stringify(given);
  } catch (cause) {
    throw makeError("SIM_ERR_PRESENCE", "meta must be a value that JSON can represent", { cause });
  }
}

/** Freezes plain data recursively. */
export function frozen(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}

/**
 * Generates the `phx_ref` of each meta of one replica. Clients use it to distinguish metas.
 *
 *   0                    8                    16
 *   +--------------------+--------------------+
 *   | incarnation        | count              |   16 characters; each half is 6 bytes
 *   +--------------------+--------------------+   in URL-safe base64
 *
 * Refs are unique: incarnations are drawn from 2^48 values, and each replica increments its count.
 */
export class PhxRefs {
  readonly #prefix: string;
  readonly #bytes = Buffer.alloc(6);
  #count = 0;

  /** @param incarnation - incarnation of the replica, a 6-byte integer */
  constructor(incarnation: number) {
    this.#prefix = this.#encoded(incarnation);
  }

  /** Returns the next ref. */
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
