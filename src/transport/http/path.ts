/**
 * Paths with variables, as in `/rooms/:id/socket`, which the engine matches and we name.
 *
 * Runs on: shard.
 */

/** Names of a path's variables, in their order. */
export function variablesOf(path: string): string[] {
  return path
    .split("/")
    .filter((part) => part.startsWith(":"))
    .map((part) => part.slice(1));
}

/**
 * Returns the ways to write a path that a client is served at. Phoenix drops empty parts wherever they
 * are; these are the two that come: a slash at the end, and the one too many that the official
 * client makes of `new Socket("/socket/")`.
 */
export function spellingsOf(path: string): readonly string[] {
  const parts = path.split("/").filter((part) => part !== "");
  const last = parts.pop() ?? "";
  const before = parts.map((part) => `/${part}`).join("");
  return [`${before}/${last}`, `${before}/${last}/`, `${before}//${last}`];
}

/** Joins the path of a mount and that of one of its transports, as in `/socket` and `/websocket`. */
export function joinPaths(mount: string, transport: string): string {
  return `${mount === "/" ? "" : mount}${transport}`;
}

/** Returns the variables of a request; those that start with `_` are not exposed (WIRE §2.1). */
export function pathParams(
  request: { getParameter(at: number): string | undefined },
  variables: readonly string[],
): Record<string, string> {
  const params: Record<string, string> = {};
  for (const [at, name] of variables.entries()) {
    const value = request.getParameter(at);
    if (value !== undefined && !name.startsWith("_")) params[name] = decodeOrKeep(value);
  }
  return params;
}

/**
 * Returns the variables of a path by a mount's own, as in `/org/:org/socket`; undefined if it is
 * another path.
 */
export function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  if (pattern === path) return {};
  const names = pattern.split("/");
  const parts = path.split("/");
  const isMatch =
    names.length === parts.length &&
    names.every((name, at) => name.startsWith(":") || name === parts[at]);
  if (!isMatch) return undefined;
  const values = parts.filter((_, at) => names[at]?.startsWith(":") === true);
  return pathParams({ getParameter: (at) => values[at] }, variablesOf(pattern));
}

function decodeOrKeep(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
