/**
 * Finds values whose content JSON does not have, such as a promise that nobody has awaited: JSON.stringify writes them as
 * `{}`, or bytes as an object with an entry for each.
 *
 * Runs on: any thread. Pure.
 */

/** What to do with a value of a kind, if it is known. */
const ADVICE: Readonly<Record<string, string>> = {
  Promise: ": await it",
  Map: ": use Object.fromEntries",
  Set: ": use an array",
  Error: ": send its message",
};

/**
 * Reports a value that has lost its content. Objects of classes without fields are taken as meant.
 *
 * @param text - what JSON.stringify has written for the value
 * @returns the kind of the value and what to do, for messages; undefined if nothing is lost
 */
export function lostKind(value: unknown, text: string): string | undefined {
  // Only these two texts cost more than the comparison.
  if (text !== "{}" && !text.startsWith('{"0":')) return undefined;
  if (typeof value !== "object" || value === null || "toJSON" in value) return undefined;
  if (text === "{}") return kindOfEmpty(value);
  return ArrayBuffer.isView(value) ? bytesKind(value) : undefined;
}

function kindOfEmpty(value: object): string | undefined {
  if (ArrayBuffer.isView(value)) return bytesKind(value);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return undefined;
  const kind = tagOf(value);
  if (kind === "Object") return undefined;
  return `${kind}${ADVICE[kind] ?? ""}`;
}

function bytesKind(value: object): string {
  return `${tagOf(value)}: use a Uint8Array`;
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}
