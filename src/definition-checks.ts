/**
 * Checks for definitions and options.
 *
 * A definition is checked when it is created, so that the stack trace of an error includes the line
 * in the user's code.
 *
 * Runs on: any thread. The `check…` functions throw SIM_ERR_DEFINITION_INVALID.
 */

import { kindOf, makeError, type SimurghError } from "./errors.ts";
import { nearestHint } from "./nearest-name.ts";

/** Creates the error for an invalid definition. */
export function invalid(message: string, options?: ErrorOptions): SimurghError {
  return makeError("SIM_ERR_DEFINITION_INVALID", message, options);
}

/** Creates the error for an invalid option or argument. */
export function invalidOption(message: string, options?: ErrorOptions): SimurghError {
  return makeError("SIM_ERR_OPTION_INVALID", message, options);
}

/** Formats a value for error messages: a number, boolean or quoted string; otherwise its type. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "number" || typeof value === "boolean" ? String(value) : kindOf(value);
}

/** Checks that a value is an object and not an array. */
export function checkObject(
  subject: string,
  value: unknown,
  form = "an object",
): asserts value is object {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  throw invalid(`${subject} must be ${form}, got ${kindOf(value)}`);
}

/** Checks that a value is an object that contains only known keys. */
export function checkKeys(
  subject: string,
  value: unknown,
  keys: readonly string[],
): asserts value is object {
  checkObject(subject, value);
  const unknown = Object.keys(value).filter((key) => !keys.includes(key));
  if (unknown.length === 0) return;
  const hint = nearestHint(unknown[0] as string, keys);
  const rule = `may only have the keys ${keys.join(", ")}`;
  throw invalid(`${subject} ${rule}, got ${unknown.join(", ")}${hint}`);
}

/**
 * Checks that an object literal contains only known keys. An instance of a class may have others,
 * which its callbacks can reach by `this`.
 */
export function checkLiteralKeys(subject: string, value: unknown, keys: readonly string[]): void {
  checkObject(subject, value);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) checkKeys(subject, value, keys);
}

/** Checks that a value is a function. */
export function checkFunction(subject: string, value: unknown): void {
  if (typeof value === "function") return;
  throw invalid(`${subject} must be a function, got ${kindOf(value)}`);
}

/** The names of the callbacks to check. */
export interface CallbackNames {
  readonly required?: readonly string[];
  readonly optional?: readonly string[];
  /** Owner of the callbacks in error messages, as in `init of presence chat`. */
  readonly owner?: string;
}

/** Checks that callbacks are functions. Optional callbacks may be undefined. */
export function checkCallbacks(
  given: object,
  { required = [], optional = [], owner }: CallbackNames,
): void {
  const callbacks = given as Readonly<Record<string, unknown>>;
  for (const name of [...required, ...optional]) {
    if (callbacks[name] === undefined && optional.includes(name)) continue;
    checkFunction(owner === undefined ? name : `${name} of ${owner}`, callbacks[name]);
  }
}

/** Checks that a value is one of the given choices. */
export function checkChoice(subject: string, value: unknown, choices: readonly unknown[]): void {
  if (choices.includes(value)) return;
  const names = choices.map(shown);
  const last = names.pop() ?? "nothing";
  const all = names.length === 0 ? last : `${names.join(", ")} or ${last}`;
  throw invalid(`${subject} must be ${all}, got ${shown(value)}`);
}

/** Checks that a value is true or false. */
export function checkBoolean(subject: string, value: unknown): void {
  checkChoice(subject, value, [true, false]);
}

/** Checks that a value is an integer from 1 to `max`. */
export function checkCount(subject: string, value: unknown, max: number, unit: string): void {
  if (isCount(value, max)) return;
  throw invalid(`${subject} must be an integer from 1 to ${max} (${unit}), got ${shown(value)}`);
}

/** Reports whether a value is an integer from 1 to `max`. */
export function isCount(value: unknown, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max;
}

/** Checks that a value is a path: a string that starts with a slash. */
export function checkPath(subject: string, path: unknown): void {
  if (typeof path !== "string" || !path.startsWith("/")) {
    throw invalid(`${subject} must start with /, got ${shown(path)}`);
  }
  // Clients escape everything else, so that no request would have this path.
  if (/^[!-~]*$/.test(path) && !/[?#]/.test(path)) return;
  throw invalid(`${subject} must be ASCII without blanks, ? and #, got ${shown(path)}`);
}

/**
 * Checks that requests can have a path with variables: a star stands for all that follows, and of two variables with
 * one name, the first would be lost.
 */
export function checkPattern(subject: string, path: string): void {
  const segments = path.split("/").filter((segment) => segment !== "");
  const star = segments.findIndex((segment) => segment.startsWith("*"));
  if (star >= 0 && (star < segments.length - 1 || segments[star] !== "*")) {
    throw invalid(`${subject} must have a * only as its last part, got ${shown(path)}`);
  }
  const names = segments.filter((segment) => segment.startsWith(":") && !segment.startsWith(":_"));
  if (new Set(names).size === names.length) return;
  throw invalid(`${subject} must have variables with different names, got ${shown(path)}`);
}
