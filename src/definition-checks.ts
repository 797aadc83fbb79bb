/**
 * Checks of definitions. They run while the app module loads, so that the stack shows the location.
 *
 * Runs on: shard. Each throws SIM_ERR_DEFINITION_INVALID.
 */

import { kindOf, makeError } from "./errors.ts";

/** Checks that a value is a path that starts with a slash. */
export function checkPath(subject: string, path: unknown): void {
  if (typeof path === "string" && path.startsWith("/")) return;
  const got = typeof path === "string" ? JSON.stringify(path) : kindOf(path);
  throw invalid(`${subject} must start with /, got ${got}`);
}

/** Checks that a value is an object. */
export function checkObject(subject: string, value: unknown): void {
  if (typeof value === "object" && value !== null) return;
  throw invalid(`${subject} must be an object, got ${kindOf(value)}`);
}

/** Checks that an object has no unknown keys. */
export function checkKeys(subject: string, value: object, keys: readonly string[]): void {
  const unknown = Object.keys(value).filter((key) => !keys.includes(key));
  if (unknown.length === 0) return;
  throw invalid(`${subject} may only have the keys ${keys.join(", ")}, got ${unknown.join(", ")}`);
}

/** Creates the error for an invalid definition. */
export function invalid(message: string): Error {
  return makeError("SIM_ERR_DEFINITION_INVALID", message);
}
