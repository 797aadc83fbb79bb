/**
 * Turns whatever user code throws into plain data, text or an error. None of these functions throws.
 *
 * Anything can be thrown: null, a plain object, a Proxy, an error with a `message` that throws when
 * it is read. Reports also carry errors to other threads. A structured clone would lose the code.
 *
 * Runs on: any thread.
 * Full: long texts are cut. Causes and the errors of an AggregateError are kept up to MAX_DEPTH and
 *       MAX_ERRORS, so cycles end.
 */

import { inspect } from "node:util";

import { cutText } from "./cut-text.ts";
import { isError } from "./errors.ts";

/** An error as plain data. */
export interface ErrorReport {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** The error's code, if it is a string. */
  readonly code: string | undefined;
  readonly cause: ErrorReport | undefined;
  /** The errors of an AggregateError; undefined for other errors. */
  readonly errors: readonly ErrorReport[] | undefined;
  /** Further properties of the error that are strings, numbers or booleans. */
  readonly details: Readonly<Record<string, Detail>>;
}

type Detail = string | number | boolean;

/** Maximum number of causes of an error, and of errors within errors. */
const MAX_DEPTH = 5;
/** Maximum number of errors in one report, including causes. */
const MAX_ERRORS = 24;
/** Maximum length of a message or stack (UTF-16 units). */
const MAX_UNITS = 16_384;
const MAX_DETAILS = 16;
/** What separates the message of a stack from its frames. */
const FIRST_FRAME = "\n    at ";
/** Properties that have a field of their own in a report. */
const OWN_FIELDS = new Set(["name", "message", "stack", "code", "cause", "errors"]);

/** Converts whatever was thrown to plain data. */
export function reportOf(thrown: unknown): ErrorReport {
  return report(thrown, MAX_DEPTH, { left: MAX_ERRORS - 1 });
}

/** Converts a report back to an error. */
export function errorOf(given: ErrorReport): Error {
  const { name, message, stack, code, cause, errors, details } = given;
  const options = cause ? { cause: errorOf(cause) } : {};
  const error = errors
    ? new AggregateError(errors.map(errorOf), message, options)
    : new Error(message, options);
  Object.assign(error, details);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return code === undefined ? error : Object.assign(error, { code });
}

/** Returns whatever was thrown as an error: itself if it is one. */
export function asError(thrown: unknown): Error {
  return isError(thrown) ? thrown : errorOf(reportOf(thrown));
}

/** Returns an error's name and message, as `String(error)` does, or any other value as text. */
export function errorText(thrown: unknown): string {
  if (!isError(thrown)) return shownValue(thrown);
  const given = reportOf(thrown);
  return `${given.name}: ${messageOfReport(given)}`;
}

/**
 * Returns the message of whatever was thrown. An empty message is replaced by those of the errors in
 * an AggregateError, such as a failed connection to a host with several addresses, or by the code.
 */
export function messageOf(thrown: unknown): string {
  return messageOfReport(reportOf(thrown));
}

/** Returns the message of a report, as `messageOf` does. */
export function messageOfReport({ name, message, code, errors = [] }: ErrorReport): string {
  if (message !== "") return message;
  return errors.map(messageOfReport).join("; ") || code || name;
}

/** Returns any value as text for a message. */
export function shownValue(value: unknown): string {
  if (typeof value === "string") return cutText(value, MAX_UNITS);
  try {
    const text = inspect(value, {
      depth: 3,
      maxArrayLength: 20,
      maxStringLength: 1_024,
      breakLength: Number.POSITIVE_INFINITY,
      customInspect: false,
    });
    return cutText(text, MAX_UNITS);
  } catch {
    return `a value that cannot be shown (${typeof value})`;
  }
}

/** Returns a stack whose message and whose frames are cut. */
export function cutStack(stack: string, maxUnits: number): string {
  const at = stack.indexOf(FIRST_FRAME);
  if (at < 0) return cutText(stack, maxUnits);
  return cutText(stack.slice(0, at), maxUnits) + cutText(stack.slice(at), MAX_UNITS);
}

/** Counts the errors that still fit into a report. */
interface Room {
  left: number;
}

function report(thrown: unknown, depth: number, room: Room): ErrorReport {
  if (!isError(thrown)) return bare(shownValue(thrown));
  const stack = read(thrown, "stack");
  const code = read(thrown, "code");
  const errors = depth > 0 ? listed(read(thrown, "errors")) : undefined;
  return {
    name: textOr(read(thrown, "name"), "Error"),
    message: textOf(read(thrown, "message")),
    stack: typeof stack === "string" ? cutStack(stack, MAX_UNITS) : undefined,
    code: typeof code === "string" ? cutText(code) : undefined,
    cause: depth > 0 ? causeOf(read(thrown, "cause"), depth, room) : undefined,
    errors: errors && within(errors, depth, room),
    details: detailsOf(thrown),
  };
}

function bare(message: string): ErrorReport {
  return {
    name: "Error",
    message,
    stack: undefined,
    code: undefined,
    cause: undefined,
    errors: undefined,
    details: {},
  };
}

function causeOf(cause: unknown, depth: number, room: Room): ErrorReport | undefined {
  if (cause === undefined || cause === null || room.left <= 0) return undefined;
  room.left -= 1;
  return report(cause, depth - 1, room);
}

function within(errors: readonly unknown[], depth: number, room: Room): ErrorReport[] {
  const kept: ErrorReport[] = [];
  for (const error of errors) {
    if (room.left <= 0) break;
    room.left -= 1;
    kept.push(report(error, depth - 1, room));
  }
  return kept;
}

/** Returns the first items of a list; undefined if it is none or cannot be read. */
function listed(value: unknown): readonly unknown[] | undefined {
  try {
    return Array.isArray(value) ? value.slice(0, MAX_ERRORS) : undefined;
  } catch {
    return undefined;
  }
}

function detailsOf(error: Error): Record<string, Detail> {
  const details: Record<string, Detail> = {};
  try {
    const names = Object.keys(error).filter((name) => !OWN_FIELDS.has(name));
    for (const name of names.slice(0, MAX_DETAILS)) {
      const value = read(error, name);
      if (typeof value === "string") details[name] = cutText(value);
      else if (typeof value === "number" || typeof value === "boolean") details[name] = value;
    }
  } catch {
    // A Proxy does not tell its keys.
  }
  return details;
}

function read(from: object, name: string): unknown {
  try {
    return (from as Readonly<Record<string, unknown>>)[name];
  } catch {
    // A getter, or a Proxy, threw.
    return undefined;
  }
}

function textOf(value: unknown): string {
  return value === undefined ? "" : shownValue(value);
}

function textOr(value: unknown, other: string): string {
  return typeof value === "string" && value !== "" ? cutText(value) : other;
}
