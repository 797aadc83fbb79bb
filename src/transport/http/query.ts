/**
 * Parses query strings as Plug does: `a=1`, `a[b]=1`, `a[]=1` and `a[][b]=1`.
 *
 * A name such as `a[b][]` addresses one entry in each of the levels `a` and `a[b]`. An entry of a level
 * has a name, or none (`[]`). When all pairs have been read, a level becomes a list or an object:
 *
 *   the newest entry has no name     a list of the entries without a name, in order
 *   the newest entry has a name      an object of the entries with a name; of equal names, the last wins
 *
 * An entry is added to the innermost level. If that level is new, an entry for the level is added to the
 * level around it, and so on. So the pairs of one level are together, wherever they are in the query:
 * `a[][b]=1&a[][c]=2` is a list with one object.
 *
 * Runs on: any thread. Pure.
 */

import { tryDecodePercent } from "./percent.ts";

/** Deeper nesting is refused, because it does not occur in forms, only in attacks. */
const MAX_DEPTH = 32;
const MAX_PAIRS = 1_000;

/** Parameters by name. They have no prototype, so `__proto__` is a name like any other. */
export type QueryParams = Record<string, unknown>;

/** What makes a query more than names and values. */
const SPECIAL = /[%+[]/;

/** A level of nested names: its entries, in the order in which they were added. */
class Level {
  readonly entries: Entry[] = [];
}

/** The name is "" in `[]`. */
type Entry = readonly [name: string, value: string | Level];

/**
 * Parses a query string without its question mark. A percent sign that starts no escape is kept.
 *
 * @returns undefined if its escapes are not UTF-8, it has too many pairs, or is nested too deeply
 */
export function parseQuery(query: string): QueryParams | undefined {
  if (!SPECIAL.test(query)) return parsePlain(query);
  const root = new Level();
  const levels = new Map<string, Level>();
  const pairs = query.split("&");
  if (pairs.length > MAX_PAIRS) return undefined;
  for (const pair of pairs) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decoded(equals < 0 ? pair : pair.slice(0, equals));
    const value = decoded(equals < 0 ? "" : pair.slice(equals + 1));
    if (name === undefined || value === undefined) return undefined;
    const path = pathOf(name);
    if (path.length > MAX_DEPTH) return undefined;
    add(root, levels, name, path, value);
  }
  return objectOf(root);
}

/** Parses a query without escapes and nested names, as most are. */
function parsePlain(query: string): QueryParams | undefined {
  const params = Object.create(null) as QueryParams;
  let pairs = 0;
  for (let start = 0; start <= query.length;) {
    pairs += 1;
    if (pairs > MAX_PAIRS) return undefined;
    const ampersand = query.indexOf("&", start);
    const end = ampersand < 0 ? query.length : ampersand;
    const equals = query.indexOf("=", start);
    const nameEnd = equals < 0 || equals > end ? end : equals;
    if (start < end) params[query.slice(start, nameEnd)] = query.slice(nameEnd + 1, end);
    start = end + 1;
  }
  return params;
}

function decoded(text: string): string | undefined {
  return tryDecodePercent(text.replaceAll("+", " "));
}

// `a[b][c]` becomes a, b, c; `a[]` becomes a and an empty name; anything else is a plain name.
function pathOf(name: string): string[] {
  const open = name.indexOf("[");
  if (open <= 0 || !name.endsWith("]")) return [name];
  const inner = name.slice(open + 1, -1);
  return [name.slice(0, open), ...inner.split("][")];
}

function add(
  root: Level,
  levels: Map<string, Level>,
  name: string,
  path: readonly string[],
  value: string,
): void {
  let entry: string | Level = value;
  let end = name.length;
  for (let depth = path.length - 1; depth > 0; depth -= 1) {
    const part = path[depth] as string;
    // Without `[part]`, the name is that of the level around it.
    end -= part.length + 2;
    const levelName = name.slice(0, end);
    const known = levels.get(levelName);
    if (known) {
      known.entries.push([part, entry]);
      return;
    }
    const level = new Level();
    level.entries.push([part, entry]);
    levels.set(levelName, level);
    entry = level;
  }
  root.entries.push([path[0] as string, entry]);
}

function valueOf(entry: string | Level): unknown {
  if (typeof entry === "string") return entry;
  const { entries } = entry;
  if (entries.at(-1)?.[0] !== "") return objectOf(entry, "");
  return entries.filter(([name]) => name === "").map(([, value]) => valueOf(value));
}

/** @param without - the name of entries to leave out; at the root, "" is a name like any other */
function objectOf({ entries }: Level, without?: ""): QueryParams {
  const last = new Map<string, string | Level>();
  for (const [name, value] of entries) if (name !== without) last.set(name, value);
  const params = Object.create(null) as QueryParams;
  for (const [name, value] of last) params[name] = valueOf(value);
  return params;
}
