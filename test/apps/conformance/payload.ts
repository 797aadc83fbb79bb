/**
 * Checks payloads for the handlers of the conformance app. A wrong kind throws, which ends the channel.
 *
 * Runs on: a shard.
 */

/** Returns a payload that is a JSON object, and throws for any other kind. */
export function asObject(payload: unknown): Record<string, unknown> {
  const isObject = typeof payload === "object" && payload !== null;
  if (!isObject || Array.isArray(payload) || payload instanceof Uint8Array) {
    throw new TypeError("this event needs an object as payload");
  }
  return payload as Record<string, unknown>;
}

/** Returns a payload that arrived in a binary frame, and throws for one that arrived as text. */
export function asBytes(payload: unknown): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  throw new TypeError("this event needs bytes as payload");
}

/** Returns the bytes that an object payload has as hexadecimal digits at a key, and throws without them. */
export function hexAt(payload: unknown, key: string): Uint8Array {
  const value = asObject(payload)[key];
  if (typeof value === "string" && /^(?:[\da-f]{2})*$/i.test(value)) {
    return new Uint8Array(Buffer.from(value, "hex"));
  }
  throw new TypeError(`this event needs hexadecimal digits as "${key}"`);
}

/** Returns the number at a key of an object payload, and throws if there is none. */
export function numberAt(payload: unknown, key: string): number {
  const value = asObject(payload)[key];
  if (typeof value !== "number") throw new TypeError(`this event needs a number as "${key}"`);
  return value;
}
