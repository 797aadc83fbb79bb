/**
 * Patterns that payloads are matched against.
 *
 * Runs on: the thread of a test. Pure.
 */

import { isDeepStrictEqual } from "node:util";

/**
 * Reports whether a value matches a pattern.
 *
 *   a function            returns a truthy value, and does not throw
 *   a regular expression  matches a string
 *   an object             the value has at least these keys, and each matches its pattern
 *   an array              the value has the same number of elements, and each matches its pattern
 *   undefined             any value
 *   anything else         the value is deeply equal
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

// Within a pattern, undefined means undefined. It never matches a payload, since JSON has no undefined.
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
