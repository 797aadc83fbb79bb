/**
 * What a payload is compared with: a part of it, or a claim about it.
 *
 * Runs on: the thread of a test. Pure.
 */

import { isDeepStrictEqual } from "node:util";

/**
 * True where a value is as a pattern says.
 *
 *   a function            its result is true; where it throws, it is not
 *   a regular expression  is a text in which it finds something
 *   an object             has at least these keys, each as its own pattern says
 *   an array              is as long, each element as its own pattern says
 *   undefined             anything
 *   anything else         is deeply equal
 */
export function matches(actual: unknown, pattern: unknown): boolean {
  if (pattern === undefined) return true;
  if (typeof pattern === "function") return holds(pattern as (value: unknown) => unknown, actual);
  if (pattern instanceof RegExp) return typeof actual === "string" && actual.search(pattern) >= 0;
  if (Array.isArray(pattern)) {
    return (
      Array.isArray(actual) &&
      actual.length === pattern.length &&
      pattern.every((element, at) => isAs(actual[at], element))
    );
  }
  if (!isPlainObject(pattern)) return isDeepStrictEqual(actual, pattern);
  if (!isPlainObject(actual)) return false;
  return Object.entries(pattern).every(
    ([key, value]) => Object.hasOwn(actual, key) && isAs(actual[key], value),
  );
}

// Inside of a pattern, undefined is a value: JSON has none, so it matches nothing.
function isAs(actual: unknown, pattern: unknown): boolean {
  return pattern === undefined ? actual === undefined : matches(actual, pattern);
}

function holds(claim: (value: unknown) => unknown, actual: unknown): boolean {
  try {
    return Boolean(claim(actual));
  } catch {
    return false;
  }
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
