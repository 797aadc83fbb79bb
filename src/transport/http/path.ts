/**
 * Paths with variables, such as `/rooms/:id/socket`. The engine matches the paths, but does not
 * know the names of variables.
 *
 * Runs on: shard.
 */

import { tryDecodePercent } from "./percent.ts";

const WILDCARD = "*";

/** Returns the names of a path's variables, in order. */
export function variablesOf(path: string): string[] {
  return variablesIn(path.split("/"));
}

function variablesIn(segments: readonly string[]): string[] {
  return segments.filter((part) => part.startsWith(":")).map((part) => part.slice(1));
}

/** Returns the segments of a path. Several slashes count as one, as in Phoenix. */
export function segmentsOf(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "");
}

/** Longer paths are served with at most one doubled slash, since each spelling costs memory. */
const MAX_SEGMENTS_OF_ALL_SPELLINGS = 4;

/**
 * Returns the spellings of a WebSocket's path that are served: each slash may be doubled, and one or two
 * may follow. The official client creates `/socket//websocket` from `new Socket("/socket/")`. The engine
 * upgrades only paths that are registered, so others are not found.
 */
export function spellingsOf(path: string): readonly string[] {
  const segments = segmentsOf(path);
  const mayDouble = (before: string): boolean =>
    segments.length <= MAX_SEGMENTS_OF_ALL_SPELLINGS || !before.includes("//");
  let starts = [""];
  for (const segment of segments) {
    starts = starts.flatMap((before) => {
      const single = `${before}/${segment}`;
      return mayDouble(before) ? [single, `${before}//${segment}`] : [single];
    });
  }
  return starts.flatMap((start) => [start, `${start}/`, `${start}//`]);
}

/**
 * Returns a text for each path, by which paths are sorted in the order in which the engine looks: in each
 * segment first names, then variables, then `*`.
 */
export function specificityOf(path: string): string {
  return segmentsOf(path)
    .map((segment) => (segment.startsWith(WILDCARD) ? "2" : segment.startsWith(":") ? "1" : "0"))
    .join("");
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
    if (value !== undefined && !name.startsWith("_"))
      params[name] = tryDecodePercent(value) ?? value;
  }
  return params;
}

/**
 * Matches a path against a pattern, such as `/org/:org/socket`; `*` matches all that follows. Returns the
 * variables, or undefined if it does not match.
 */
export function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  return matchSegments(segmentsOf(pattern), segmentsOf(path));
}

/** Matches a path as `matchPath` does, by the segments of both. */
export function matchSegments(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  const isOpen = pattern.at(-1) === WILDCARD;
  const names = isOpen ? pattern.slice(0, -1) : pattern;
  const isMatch =
    (isOpen ? names.length < segments.length : names.length === segments.length) &&
    names.every((name, at) => name.startsWith(":") || name === segments[at]);
  if (!isMatch) return undefined;
  const values = segments.filter((_, at) => names[at]?.startsWith(":") === true);
  return pathParams({ getParameter: (at) => values[at] }, variablesIn(names));
}
