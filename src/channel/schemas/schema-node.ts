/**
 * A compiled JSON Schema: matches JSON values, and removes the fields that it does not declare.
 *
 * `filtered` is the definition of what leaves: the keywords of a schema remove the fields that they
 * forbid, in turn, until none is left to remove; what remains must match the schema. So the result
 * always matches, and a value that matches is returned unchanged.
 *
 * Runs on: any thread. Values are plain JSON and are never modified; removing a field copies its
 * object.
 */

import { isNested, type JsonObject } from "./json-value.ts";

/** A compiled keyword, or several that work together. */
export interface Keyword {
  /**
   * Reports whether a value matches. Adds the fields and items that the keyword applies to to `seen`;
   * if the result is false, `seen` must not be used any more.
   */
  matches(value: unknown, seen?: Seen, trace?: Trace): boolean;
  /** Whether it adds to `seen`. */
  readonly evaluates?: boolean;
  /** Returns the value without the fields that the keyword forbids. Undefined: it forbids none. */
  readonly strip?: ((value: unknown) => unknown) | undefined;
}

/** Returned in place of a value if none matches. */
export const NOTHING = Symbol("nothing");

/** The fields and items of one value that keywords have applied to, for `unevaluated…`. */
export class Seen {
  readonly names = new Set<string>();
  readonly items = new Set<number>();

  add(other: Seen): void {
    for (const name of other.names) this.names.add(name);
    for (const item of other.items) this.items.add(item);
  }
}

/** Where and why a value does not match: the first keyword that failed. */
export class Trace {
  #path = "";
  #reason: string | undefined;

  /** Notes the reason, unless there is one. Returns false, for the caller to return. */
  fails(reason: string): false {
    this.#reason ??= reason;
    return false;
  }

  /** Puts a name or index before the path. Returns false, for the caller to return. */
  within(part: string | number): false {
    this.#path = `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}${this.#path}`;
    return false;
  }

  /** Describes the failure, as in `/user/name must be of type string, got number`. */
  toString(): string {
    return `${this.#path === "" ? "it" : this.#path} ${this.#reason ?? "must match"}`;
  }
}

/** A compiled schema. Its keywords are added after it is created, since schemas may be recursive. */
export class SchemaNode {
  /** Keywords that apply by themselves, in the order in which they remove fields. */
  readonly #keywords: Keyword[] = [];
  /** `unevaluatedProperties` and `unevaluatedItems`, which depend on all others. */
  readonly #last: UnevaluatedKeyword[] = [];
  /** Nodes for the same value as this one. */
  readonly inPlace: SchemaNode[] = [];
  /** Nodes for fields and items. */
  readonly within: SchemaNode[] = [];
  /** Whether it matches no value at all. */
  readonly isNever: boolean;
  /** Whether it may remove fields, at any depth. Set when all nodes are complete. */
  strips = false;
  /** Whether a keyword of this node itself removes fields. */
  forbids = false;
  /** Results for objects and arrays, if the node is a choice: choices would repeat them at each level. */
  #known: WeakMap<object, unknown> | undefined;

  constructor(isNever: boolean) {
    this.isNever = isNever;
  }

  add(keyword: Keyword): void {
    this.#keywords.push(keyword);
  }

  addLast(keyword: UnevaluatedKeyword): void {
    this.#last.push(keyword);
  }

  /** Notes that the node is one of several choices for a value. */
  becomeChoice(): void {
    this.#known ??= new WeakMap();
  }

  /** Returns what leaves of a value, or NOTHING if what remains does not match. */
  filtered(value: unknown): unknown {
    const isKept = this.#known !== undefined && isNested(value);
    const known = isKept ? this.#known?.get(value) : undefined;
    if (known !== undefined) return known;
    const kept = this.stripped(value);
    const found = this.matches(kept) ? kept : NOTHING;
    if (isKept) {
      this.#known?.set(value, found);
      if (found !== NOTHING) this.#known?.set(kept as object, kept);
    }
    return found;
  }

  /** Removes forbidden fields until there are none. What is left may not match. */
  stripped(value: unknown): unknown {
    let kept = value;
    for (let rest = this.strip(kept); rest !== kept; rest = this.strip(kept)) kept = rest;
    return kept;
  }

  /** Removes the fields that are forbidden as things are. Others may be forbidden afterwards. */
  strip(value: unknown): unknown {
    if (!this.strips || !isNested(value)) return value;
    let kept: unknown = value;
    for (const { strip } of this.#keywords) if (strip) kept = strip(kept);
    for (const keyword of this.#last) {
      const seen = this.#evaluated(kept);
      if (seen) kept = keyword.strip(kept, seen);
    }
    return kept;
  }

  /** Reports whether a value matches as it is. */
  matches(value: unknown, seen?: Seen, trace?: Trace): boolean {
    if (this.isNever) return trace?.fails("must not be present") ?? false;
    const own = this.#last.length > 0 ? new Seen() : seen;
    for (const keyword of this.#keywords) if (!keyword.matches(value, own, trace)) return false;
    if (!own || own === seen) return true;
    for (const keyword of this.#last) if (!keyword.matches(value, own, trace)) return false;
    seen?.add(own);
    return true;
  }

  /**
   * Returns the fields and items that keywords have applied to. Undefined: one of them does not match,
   * so what it applies to is unknown.
   */
  #evaluated(value: unknown): Seen | undefined {
    const seen = new Seen();
    for (const keyword of this.#keywords) {
      if (keyword.evaluates && !keyword.matches(value, seen)) return undefined;
    }
    return seen;
  }
}

/** `unevaluatedProperties` or `unevaluatedItems`. */
export interface UnevaluatedKeyword {
  matches(value: unknown, seen: Seen, trace?: Trace): boolean;
  /** @param seen - what the other keywords have applied to */
  strip(value: unknown, seen: Seen): unknown;
}

/**
 * Returns an object whose fields went through a function. A field is removed if the result is
 * NOTHING. Returns the object itself if nothing changes.
 */
export function mapFields(
  value: JsonObject,
  map: (field: unknown, name: string) => unknown,
): JsonObject {
  let copy: Record<string, unknown> | undefined;
  for (const name of Object.keys(value)) {
    const kept = map(value[name], name);
    if (kept === value[name]) continue;
    copy ??= { ...value };
    // The copy has its own field of each name, even of the name __proto__.
    if (kept === NOTHING) delete copy[name];
    else copy[name] = kept;
  }
  return copy ?? value;
}

/** Returns an array whose items went through a function, or the array itself if nothing changes. */
export function mapItems(
  value: readonly unknown[],
  map: (item: unknown, at: number) => unknown,
): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (const [at, item] of value.entries()) {
    const kept = map(item, at);
    if (kept === item) continue;
    copy ??= [...value];
    copy[at] = kept;
  }
  return copy ?? value;
}
