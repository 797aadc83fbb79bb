/**
 * Paths with variables, such as `/rooms/:id/socket`. The engine matches the paths, but does not
 * know the names of variables.
 *
 * Runs on: shard.
 */

/** Returns the names of a path's variables, in order. */
export function variablesOf(path: string): string[] {
  return path
    .split("/")
    .filter((part) => part.startsWith(":"))
    .map((part) => part.slice(1));
}

/**
 * Returns the spellings of a path that are served to clients. Phoenix ignores all empty segments.
 * Two of these occur in practice: a trailing slash, and the double slash that the official client
 * creates from `new Socket("/socket/")`.
 */
export function spellingsOf(path: string): readonly string[] {
  const parts = path.split("/").filter((part) => part !== "");
  const last = parts.pop() ?? "";
  const before = parts.map((part) => `/${part}`).join("");
  return [`${before}/${last}`, `${before}/${last}/`, `${before}//${last}`];
}

/** Joins the path of a mount and that of a transport, such as `/socket` and `/websocket`. */
export function joinPaths(mount: string, transport: string): string {
  return `${mount === "/" ? "" : mount}${transport}`;
}

/** Returns a request's path variables, without those whose names start with `_`. */
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
 * Matches a path against a mount's path, such as `/org/:org/socket`. Returns the variables, or undefined
 * if it does not match.
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
