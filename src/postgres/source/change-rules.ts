/**
 * Applies the rules of a table to a change: which changes are published, which columns, as which messages.
 *
 * Runs on: shard. Calls user code: `filter` and `map`.
 */

import { isDeepStrictEqual } from "node:util";

import { shown } from "../../definition-checks.ts";
import { messageOf } from "../../error-report.ts";
import { kindOf, makeError, type SimurghError } from "../../errors.ts";
import type { Change, Row, SourceMessage } from "./change.ts";
import type { TableRules } from "./options.ts";

const NO_MESSAGES: readonly SourceMessage[] = [];

/**
 * Returns the messages of a change.
 *
 * @throws SIM_ERR_SOURCE_CHANGE if `filter` or `map` throws or returns something else, or old values are missing
 */
export function messagesOf(change: Change, rules: TableRules): readonly SourceMessage[] {
  if (!rules.when.has(change.operation)) return NO_MESSAGES;
  checkOld(change, rules);
  if (rules.changed !== undefined && !hasChanged(change, rules.changed)) return NO_MESSAGES;
  if (!passes(change, rules)) return NO_MESSAGES;
  const given = projected(change, rules.columns);
  let result: unknown;
  try {
    result = rules.map(given);
  } catch (cause) {
    throw failed(change, `map must not throw, got ${messageOf(cause)}`, cause);
  }
  if (result === undefined || result === null) return NO_MESSAGES;
  const messages: readonly unknown[] = Array.isArray(result) ? result : [result];
  return messages.map((message) => checked(message, change));
}

/** The parts of a change that errors name. They are known even if the rest cannot be read. */
export type ChangePlace = Pick<Change, "operation" | "schema" | "table" | "position">;

/** Maximum size of a change as text (bytes). Larger ones are left out, since reading one takes several times its size. */
export const MAX_CHANGE_BYTES = 67_108_864;

/** Creates the error about one change. */
export function failed(place: ChangePlace, problem: string, cause?: unknown): SimurghError {
  const { operation, schema, table, position } = place;
  const subject = `the ${operation} of ${schema}.${table} at ${position}`;
  return makeError("SIM_ERR_SOURCE_CHANGE", `${subject} is not published: ${problem}`, { cause });
}

/** Creates the error about a change that cannot be read. */
export function unreadable(place: ChangePlace, cause: unknown): SimurghError {
  return failed(place, `it must be readable, got ${messageOf(cause)}`, cause);
}

/** Creates the error about a change that is too large. */
export function tooLarge(place: ChangePlace, bytes: number): SimurghError {
  return failed(place, `it must have at most ${MAX_CHANGE_BYTES} bytes, got ${bytes}`);
}

function checkOld(change: Change, { needsOld, name }: TableRules): void {
  if (!needsOld || change.operation === "insert" || change.operation === "truncate") return;
  if (change.old !== undefined && change.hasWholeOld) return;
  const rule = `table ${name} must have REPLICA IDENTITY FULL, as its rules need old values`;
  throw failed(change, `${rule}, got a change that was made without it`);
}

function hasChanged({ operation, row, old }: Change, columns: readonly string[]): boolean {
  if (operation !== "update") return true;
  return columns.some((column) => !isDeepStrictEqual(row?.[column], old?.[column]));
}

function passes(change: Change, { filter }: TableRules): boolean {
  if (filter === undefined) return true;
  let result: unknown;
  try {
    result = filter(change);
  } catch (cause) {
    throw failed(change, `filter must not throw, got ${messageOf(cause)}`, cause);
  }
  if (typeof result === "boolean") return result;
  throw failed(change, `filter must return a boolean, got ${kindOf(result)}`);
}

function projected(change: Change, columns: readonly string[] | undefined): Change {
  if (columns === undefined) return change;
  return { ...change, row: partOf(change.row, columns), old: partOf(change.old, columns) };
}

function partOf(row: Row | undefined, columns: readonly string[]): Row | undefined {
  if (row === undefined) return undefined;
  const kept = columns.filter((column) => Object.hasOwn(row, column));
  return Object.fromEntries(kept.map((column) => [column, row[column]]));
}

function checked(message: unknown, change: Change): SourceMessage {
  if (typeof message !== "object" || message === null) {
    const rule = "map must return { topic, event, payload }, an array of them or undefined";
    throw failed(change, `${rule}, got ${shown(message)}`);
  }
  const { topic, event } = message as Readonly<Record<string, unknown>>;
  if (typeof topic === "string" && typeof event === "string") return message as SourceMessage;
  const got = `topic ${shown(topic)} and event ${shown(event)}`;
  throw failed(change, `map must return messages with topic and event as strings, got ${got}`);
}
