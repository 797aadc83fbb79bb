/**
 * A message of a client, decoded.
 *
 * Runs on: any thread. Types and pure functions.
 */

import { EVENT } from "./reserved.ts";

/** A client's name for a message. Opaque: whatever JSON came goes back. */
export type Ref = unknown;

/** What a client sent. Only `phx_join` and `phx_leave` are not the channel's own affair. */
export interface Message {
  readonly joinRef: Ref;
  readonly ref: Ref;
  /** Usually a string. Any other scalar matches no topic, and is echoed. */
  readonly topic: unknown;
  /** Usually a string. Anything else matches no handler. */
  readonly event: unknown;
  readonly payload: unknown;
  /** True where its frame had more elements, which nobody reads. */
  readonly hasMore?: boolean;
}

/** Most units of JSON that a list or an object may have which goes back to the client. */
const MOST_ECHOED_UNITS = 4_096;

/**
 * True where a part that goes back to the client, a ref or a topic, can be written again.
 *
 * Those that are nested are bounded: JSON is read at any depth, but written by recursion.
 */
export function canEcho(part: unknown): boolean {
  if (typeof part !== "object" || part === null) return true;
  try {
    return JSON.stringify(part).length <= MOST_ECHOED_UNITS;
  } catch {
    return false;
  }
}

/**
 * True where a message may have this topic. Lists and objects match no channel, but are echoed
 * as all topics are; only a join of what has no text at all is malformed (as in Phoenix, which
 * logs the topic there).
 */
export function mayBeTopic(topic: unknown, event: unknown): boolean {
  if (typeof topic !== "object" || topic === null) return true;
  return canEcho(topic) && (event !== EVENT.join || textOfList(topic) !== undefined);
}

/** Gives the text of a list of strings, code points and such lists; undefined where it is none. */
export function textOfList(list: unknown): string | undefined {
  if (!Array.isArray(list)) return undefined;
  let text = "";
  // Flattened step by step: a client may nest it at any depth.
  const rest: unknown[] = list.toReversed();
  while (rest.length > 0) {
    const item = rest.pop();
    if (typeof item === "string") text += item;
    else if (isCodePoint(item)) text += String.fromCodePoint(item);
    else if (Array.isArray(item)) rest.push(...(item as unknown[]).toReversed());
    else return undefined;
  }
  return text;
}

function isCodePoint(value: unknown): value is number {
  if (typeof value !== "number" || !Number.isInteger(value)) return false;
  return (value >= 0 && value < 0xd800) || (value > 0xdfff && value <= 0x10ffff);
}

/**
 * Gives the name under which a channel sends: the join's join_ref, or its ref where that says
 * nothing: null, and `false` too, as Elixir's `||` has it.
 */
export function nameOfJoin(joinRef: Ref, ref: Ref): Ref {
  return joinRef === null || joinRef === undefined || joinRef === false ? ref : joinRef;
}

/** True where two refs are the same JSON value; `"1"` and `1` are not. */
export function isSameRef(a: Ref, b: Ref): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  return JSON.stringify(a) === JSON.stringify(b);
}
