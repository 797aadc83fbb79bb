/**
 * A decoded message from a client.
 *
 * Runs on: any thread. Types and pure functions.
 */

import { EVENT } from "./reserved.ts";

/** The ref that a client assigned to a message. Opaque: any JSON value, echoed unchanged. */
export type Ref = unknown;

/** A message from a client. Within a topic, only `phx_join` and `phx_leave` are special. */
export interface Message {
  readonly joinRef: Ref;
  readonly ref: Ref;
  /** Usually a string. Any other value matches no topic, but is echoed. */
  readonly topic: unknown;
  /** Usually a string. Any other value matches no handler. */
  readonly event: unknown;
  readonly payload: unknown;
  /** Whether the frame had additional elements, which are ignored. */
  readonly hasMore?: boolean;
}

/** Maximum length of a list or object that is echoed to the client, as JSON (UTF-16 units). */
const MAX_ECHOED_UNITS = 4_096;
/** Maximum length of a ref. That of a join is kept as long as its channel (UTF-16 units). */
const MAX_REF_UNITS = 4_096;

/**
 * Reports whether a ref, or a topic that is a list or an object, can be echoed to the client.
 *
 * The size of lists and objects is limited, because JSON.stringify is recursive, unlike JSON.parse.
 */
export function canEcho(part: unknown): boolean {
  if (typeof part === "string") return part.length <= MAX_REF_UNITS;
  if (typeof part !== "object" || part === null) return true;
  try {
    return JSON.stringify(part).length <= MAX_ECHOED_UNITS;
  } catch {
    return false;
  }
}

/**
 * Reports whether a message may have this topic. Lists and objects match no channel, but are echoed
 * like any other topic. A join is malformed if its topic has no text form, as in Phoenix, which
 * logs the topic of a join.
 */
export function mayBeTopic(topic: unknown, event: unknown): boolean {
  if (typeof topic !== "object" || topic === null) return true;
  return canEcho(topic) && (event !== EVENT.join || textOfList(topic) !== undefined);
}

/** Returns the text of a nested list of strings and code points; undefined for any other value. */
export function textOfList(list: unknown): string | undefined {
  if (!Array.isArray(list)) return undefined;
  let text = "";
  // Flatten the list without recursion, because a client can nest lists to any depth.
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
 * Returns the join_ref for a channel's messages: the join_ref of its join, or the ref of the join
 * if that is null or `false` (like `||` in Elixir).
 */
export function nameOfJoin(joinRef: Ref, ref: Ref): Ref {
  return joinRef === null || joinRef === undefined || joinRef === false ? ref : joinRef;
}

/**
 * Reports whether two refs are the same JSON value; `"1"` and `1` are not. The order of an object's keys
 * makes no difference. Recursive, because `canEcho` limits how deep a ref can be.
 */
export function isSameRef(a: Ref, b: Ref): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [one, other] = [a as Record<string, Ref>, b as Record<string, Ref>];
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && isSameRef(one[name], other[name]))
  );
}
