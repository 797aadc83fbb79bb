/**
 * Filters client parameters before they are logged.
 *
 * Runs on: shard; one per logger.
 * Full: long strings, lists and objects are shortened, and deeply nested values are left out, so
 *       that a client cannot cause huge log lines. After MAX_TOTAL_UNITS characters of keys and
 *       strings, all further values are left out.
 */

import { cutText, MAX_TEXT_UNITS } from "../cut-text.ts";
import { invalid } from "../definition-checks.ts";

/**
 * Parameters whose values are logged as `[FILTERED]`.
 *
 * A list or `discard` filters values whose key contains one of the given strings, and strings that
 * contain one of them followed by `=`. `keep` filters everything except the values of exactly the
 * given keys.
 */
export type FilterParameters =
  | readonly string[]
  | { readonly discard: readonly string[] }
  | { readonly keep: readonly string[] };

/** Parameters that are filtered by default. */
export const DEFAULT_FILTER: readonly string[] = ["password", "token"];

const FILTERED = "[FILTERED]";
const TOO_DEEP = "[NESTED]";
const TOO_LONG = "[CUT]";
const UNREADABLE = "[UNREADABLE]";
/** Maximum length of all keys and values together (UTF-16 units). */
const MAX_TOTAL_UNITS = 8 * MAX_TEXT_UNITS;
/** Maximum number of list items or object keys. */
const MAX_ITEMS = 50;
const MAX_LEVELS = 8;

/** Checks the option `filterParameters`. @throws SIM_ERR_DEFINITION_INVALID if it is invalid */
export function checkFilter(chosen: unknown): void {
  if (chosen !== undefined) parseFilter(chosen);
}

/** Filters parameters for a logger. */
export class LogFilter {
  readonly #terms: readonly string[];
  readonly #isKeeping: boolean;

  /** @throws SIM_ERR_DEFINITION_INVALID if the filter is invalid */
  constructor(chosen: FilterParameters = DEFAULT_FILTER) {
    const { terms, isKeeping } = parseFilter(chosen);
    this.#terms = terms;
    this.#isKeeping = isKeeping;
  }

  /** Returns a filtered copy of parameters. Never throws. */
  apply(params: unknown): unknown {
    const copy = new BoundedCopy();
    return copy.try(() =>
      this.#isKeeping ? this.#keep(copy, params, 0) : this.#discard(copy, params, 0),
    );
  }

  #discard(copy: BoundedCopy, value: unknown, level: number): unknown {
    return copy.map(value, level, (key, item) => {
      const isSecret = key !== undefined && this.#terms.some((term) => key.includes(term));
      if (isSecret || this.#isAssignment(key, item)) return FILTERED;
      return this.#discard(copy, item, level + 1);
    });
  }

  /**
   * Reports whether a value is a string such as `a=1&token=2`. Strings in lists are not checked, as
   * in Phoenix.
   */
  #isAssignment(key: string | undefined, item: unknown): boolean {
    if (key === undefined || typeof item !== "string") return false;
    return this.#terms.some((term) => item.includes(`${term}=`));
  }

  #keep(copy: BoundedCopy, value: unknown, level: number): unknown {
    if (typeof value !== "object" || value === null || isBytes(value)) return FILTERED;
    return copy.map(value, level, (key, item) => {
      if (key !== undefined && this.#terms.includes(key)) return copy.whole(item, level + 1);
      return this.#keep(copy, item, level + 1);
    });
  }
}

/** Returns a shortened copy of a value. Never throws. */
export function boundedCopy(value: unknown): unknown {
  const copy = new BoundedCopy();
  return copy.try(() => copy.whole(value, 0));
}

type Mapper = (key: string | undefined, item: unknown) => unknown;

/** One copy of a value, and how much more may be added to it. */
class BoundedCopy {
  #leftUnits = MAX_TOTAL_UNITS;

  /** Calls a function that copies; a getter or Proxy of user code may throw in it. */
  try(make: () => unknown): unknown {
    try {
      return make();
    } catch {
      return UNREADABLE;
    }
  }

  whole(value: unknown, level: number): unknown {
    return this.map(value, level, (_key, item) => this.whole(item, level + 1));
  }

  /** Maps the items of a list or an object, up to MAX_ITEMS. Shortens any other value. */
  map(value: unknown, level: number, map: Mapper): unknown {
    if (typeof value === "string") return this.#shorten(value);
    if (typeof value === "bigint" || typeof value === "symbol") return this.#shorten(String(value));
    if (typeof value === "function") return "[function]";
    this.#leftUnits -= 1;
    if (typeof value !== "object" || value === null) return value;
    if (this.#leftUnits <= 0) return TOO_LONG;
    if (isBytes(value)) return `[${value.byteLength} bytes]`;
    if (level >= MAX_LEVELS) return TOO_DEEP;
    if (Array.isArray(value)) return this.#mapList(value, map);
    return this.#mapObject(value as Readonly<Record<string, unknown>>, map);
  }

  #mapObject(value: Readonly<Record<string, unknown>>, map: Mapper): object {
    const keys = Object.keys(value);
    const written: Record<string, unknown> = {};
    for (const key of keys.slice(0, MAX_ITEMS)) {
      setOwn(written, this.#shorten(key), map(key, value[key]));
    }
    if (keys.length > MAX_ITEMS) setOwn(written, "...", `${keys.length - MAX_ITEMS} more`);
    return written;
  }

  #mapList(list: readonly unknown[], map: Mapper): unknown[] {
    const written = list.slice(0, MAX_ITEMS).map((item) => map(undefined, item));
    const left = list.length - written.length;
    return left > 0 ? [...written, `... ${left} more`] : written;
  }

  #shorten(text: string): string {
    if (this.#leftUnits <= 0) return TOO_LONG;
    const cut = cutText(text);
    this.#leftUnits -= cut.length;
    return cut;
  }
}

/** Sets a property, even if it is named `__proto__`. */
function setOwn(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__") {
    Object.defineProperty(object, name, { value, enumerable: true });
  } else {
    object[name] = value;
  }
}

function isBytes(value: object): value is Uint8Array | ArrayBuffer {
  return value instanceof Uint8Array || value instanceof ArrayBuffer;
}

function parseFilter(chosen: unknown): { terms: readonly string[]; isKeeping: boolean } {
  if (areTerms(chosen)) return { terms: chosen, isKeeping: false };
  if (typeof chosen === "object" && chosen !== null && Object.keys(chosen).length === 1) {
    if ("discard" in chosen && areTerms(chosen.discard)) {
      return { terms: chosen.discard, isKeeping: false };
    }
    if ("keep" in chosen && areTerms(chosen.keep)) return { terms: chosen.keep, isKeeping: true };
  }
  const forms = "a list of strings, { discard: strings } or { keep: strings }";
  const got = Array.isArray(chosen) ? "another list" : typeof chosen;
  throw invalid(`filterParameters must be ${forms}, got ${got}`);
}

function areTerms(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((term) => typeof term === "string" && term !== "");
}
