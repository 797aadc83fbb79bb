/**
 * The paths of an app, and what they lead to.
 *
 *   /rooms/:id/*      segments: a name, `:` and a name for a variable, or `*` at the end for all that follows
 *
 * In each segment a name wins over a variable, and that over `*`; if the rest of the path does not match, the next one
 * is tried. Paths are compared as they are: an empty segment counts, so `/a`, `/a/` and `//a` differ.
 *
 * Runs on: main, shard; one for each method of an app.
 */

const VARIABLE = ":";
const WILDCARD = "*";

interface Node<Target> {
  readonly names: Map<string, Node<Target>>;
  variable: Node<Target> | undefined;
  /** What a path leads to that ends here. */
  end: Target | undefined;
  /** What a path leads to that goes on in any way. */
  rest: Target | undefined;
}

/** What a path leads to, and the values of its variables in order. */
export interface FoundPath<Target> {
  readonly target: Target;
  readonly values: readonly string[];
}

/** The paths of one method. */
export class PathTree<Target> {
  readonly #root: Node<Target> = makeNode();
  /** Paths without variables, which need no search. */
  readonly #plain = new Map<string, FoundPath<Target>>();

  /** Adds a path. Replaces what it led to before. */
  add(path: string, target: Target): void {
    let node = this.#root;
    const segments = segmentsOf(path);
    const isOpen = segments.at(-1) === WILDCARD;
    for (const segment of isOpen ? segments.slice(0, -1) : segments) node = childOf(node, segment);
    if (isOpen) node.rest = target;
    else node.end = target;
    if (!isOpen && !segments.some((segment) => segment.startsWith(VARIABLE))) {
      this.#plain.set(path, { target, values: [] });
    }
  }

  /** Finds what a path leads to. */
  find(path: string): FoundPath<Target> | undefined {
    const plain = this.#plain.get(path);
    if (plain) return plain;
    const values: string[] = [];
    const target = search(this.#root, segmentsOf(path), 0, values);
    return target === undefined ? undefined : { target, values };
  }
}

function makeNode<Target>(): Node<Target> {
  return { names: new Map(), variable: undefined, end: undefined, rest: undefined };
}

function segmentsOf(path: string): string[] {
  return path.split("/").slice(1);
}

function childOf<Target>(node: Node<Target>, segment: string): Node<Target> {
  if (segment.startsWith(VARIABLE)) return (node.variable ??= makeNode());
  const known = node.names.get(segment);
  if (known) return known;
  const child = makeNode<Target>();
  node.names.set(segment, child);
  return child;
}

function search<Target>(
  node: Node<Target>,
  segments: readonly string[],
  at: number,
  values: string[],
): Target | undefined {
  const segment = segments[at];
  if (segment === undefined) return node.end;
  const named = node.names.get(segment);
  const found = named && search(named, segments, at + 1, values);
  if (found !== undefined) return found;
  if (node.variable && segment !== "") {
    values.push(segment);
    const matched = search(node.variable, segments, at + 1, values);
    if (matched !== undefined) return matched;
    values.pop();
  }
  return node.rest;
}
