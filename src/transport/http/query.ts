/**
 * Parses query strings as Plug does: `a=1`, `a[b]=1` and `a[]=1`. If a name repeats, the last one wins.
 *
 * Runs on: any thread. Pure.
 */

/** Deeper nesting is refused, because it does not occur in forms, only in attacks. */
const MAX_DEPTH = 32;
const MAX_PAIRS = 1_000;

/** Parameters by name. They have no prototype, so `__proto__` is a name like any other. */
export type QueryParams = Record<string, unknown>;

/**
 * Parses a query string without its question mark.
 *
 * @returns undefined if it has an invalid escape, too many pairs, or is nested too deeply
 */
export function parseQuery(query: string): QueryParams | undefined {
  const params = makeParams();
  if (query === "") return params;
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
    assign(params, path, value);
  }
  return params;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

// `a[b][c]` becomes a, b, c; `a[]` becomes a and an empty name; anything else is a plain name.
function pathOf(name: string): string[] {
  const open = name.indexOf("[");
  if (open <= 0 || !name.endsWith("]")) return [name];
  const inner = name.slice(open + 1, -1);
  return [name.slice(0, open), ...inner.split("][")];
}

function assign(params: QueryParams, path: readonly string[], value: string): void {
  let at: QueryParams = params;
  for (let depth = 0; depth < path.length; depth += 1) {
    const name = path[depth] as string;
    const next = path[depth + 1];
    if (next === undefined) {
      at[name] = value;
      return;
    }
    if (next === "" && depth + 2 === path.length) {
      const list = at[name];
      at[name] = Array.isArray(list) ? [...(list as unknown[]), value] : [value];
      return;
    }
    const inner = at[name];
    const isParams = typeof inner === "object" && inner !== null && !Array.isArray(inner);
    const nested = isParams ? (inner as QueryParams) : makeParams();
    at[name] = nested;
    at = nested;
  }
}

function makeParams(): QueryParams {
  return Object.create(null) as QueryParams;
}
