/**
 * The keywords of JSON Schema that apply further schemas to the same value.
 *
 * Runs on: any thread. Each function returns a compiled keyword.
 */

import { isNested, isObject } from "./json-value.ts";
import { NOTHING, Seen, type Keyword, type SchemaNode } from "./schema-node.ts";

/** `allOf` and `$ref`. Each node removes fields from what the node before it left. */
export function allOf(nodes: readonly SchemaNode[]): Keyword {
  return {
    evaluates: true,
    matches: (value, seen, trace) => nodes.every((node) => node.matches(value, seen, trace)),
    strip: (value) => nodes.reduce((kept, node) => node.strip(kept), value),
  };
}

/**
 * `anyOf`: of the nodes that match without the fields that they forbid, the one that keeps the most
 * fields decides what is removed. If several keep as many, the first of them decides.
 */
export function anyOf(nodes: readonly SchemaNode[]): Keyword {
  const keyword: Keyword = {
    evaluates: true,
    matches(value, seen, trace) {
      // With `seen`, all nodes must run, because each one that matches adds to it.
      const isMet = seen
        ? nodes.filter((node) => addsIfMatching(node, value, seen)).length > 0
        : nodes.some((node) => node.matches(value));
      return isMet || (trace?.fails("must match one of the schemas in anyOf") ?? false);
    },
    strip: (value) => bestOf(nodes, value, keyword),
  };
  return becomingChoices(nodes, keyword);
}

/** `oneOf`: like `anyOf`, but what is left must match exactly one node. */
export function oneOfNodes(nodes: readonly SchemaNode[]): Keyword {
  const keyword: Keyword = {
    evaluates: true,
    matches(value, seen, trace) {
      const matching = nodes.filter((node) => node.matches(value));
      const [only] = matching;
      if (matching.length !== 1 || !only) {
        return trace?.fails("must match exactly one of the schemas in oneOf") ?? false;
      }
      if (seen) addsIfMatching(only, value, seen);
      return true;
    },
    strip: (value) => bestOf(nodes, value, keyword),
  };
  return becomingChoices(nodes, keyword);
}

/** `not`. It removes nothing. */
export function not(node: SchemaNode): Keyword {
  return {
    matches: (value, _, trace) =>
      !node.matches(value) || (trace?.fails("must not match the schema in not") ?? false),
  };
}

/** `dependentSchemas` of one field. */
export function dependentSchema(name: string, node: SchemaNode): Keyword {
  const applies = (value: unknown): boolean => isObject(value) && Object.hasOwn(value, name);
  return {
    evaluates: true,
    matches: (value, seen, trace) => !applies(value) || node.matches(value, seen, trace),
    strip: (value) => (applies(value) ? node.strip(value) : value),
  };
}

function addsIfMatching(node: SchemaNode, value: unknown, seen: Seen): boolean {
  const own = new Seen();
  const isMatching = node.matches(value, own);
  if (isMatching) seen.add(own);
  return isMatching;
}

function becomingChoices(nodes: readonly SchemaNode[], keyword: Keyword): Keyword {
  for (const node of nodes) node.becomeChoice();
  return keyword;
}

/** Returns what the best node leaves, or the value itself if no node leaves anything. */
function bestOf(nodes: readonly SchemaNode[], value: unknown, keyword: Keyword): unknown {
  let best = value;
  let most = -1;
  for (const node of nodes) {
    const kept = node.filtered(value);
    if (kept === NOTHING || !keyword.matches(kept)) continue;
    if (kept === value) return value;
    const count = fieldsIn(kept);
    if (count <= most) continue;
    most = count;
    best = kept;
  }
  return best;
}

/** Counts the fields of a value at all depths. */
function fieldsIn(value: unknown): number {
  if (!isNested(value)) return 0;
  const parts: readonly unknown[] = Object.values(value);
  const own = Array.isArray(value) ? 0 : parts.length;
  return parts.reduce<number>((count, part) => count + fieldsIn(part), own);
}
