/**
 * Filters client parameters before they are logged.
 *
 * Runs on: shard; one per logger.
 * Full: long strings, lists and objects are shortened, and deeply nested values are left out, so
 *       that a client cannot cause huge log lines.
 */

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
/** Maximum length of a string (UTF-16 units). */
const MAX_UNITS = 1_024;
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

  /** Returns a filtered copy of parameters. */
  apply(params: unknown): unknown {
    return this.#isKeeping ? this.#keep(params, 0) : this.#discard(params, 0);
  }

  #discard(value: unknown, level: number): unknown {
    return mapValue(value, level, (key, item) => {
      const isSecret = key !== undefined && this.#terms.some((term) => key.includes(term));
      if (isSecret || this.#isAssignment(key, item)) return FILTERED;
      return this.#discard(item, level + 1);
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

  #keep(value: unknown, level: number): unknown {
    if (typeof value !== "object" || value === null || isBytes(value)) return FILTERED;
    return mapValue(value, level, (key, item) => {
      if (key !== undefined && this.#terms.includes(key)) return whole(item, level + 1);
      return this.#keep(item, level + 1);
    });
  }
}

function whole(value: unknown, level: number): unknown {
  return mapValue(value, level, (_key, item) => whole(item, level + 1));
}

type Mapper = (key: string | undefined, item: unknown) => unknown;

/** Maps the items of a list or an object, up to MAX_ITEMS. Shortens any other value. */
function mapValue(value: unknown, level: number, map: Mapper): unknown {
  if (typeof value === "string") return shorten(value);
  if (typeof value !== "object" || value === null) return value;
  if (isBytes(value)) return `[${value.byteLength} bytes]`;
  if (level >= MAX_LEVELS) return TOO_DEEP;
  if (Array.isArray(value)) return mapList(value, map);
  const entries = Object.entries(value);
  const written = entries.slice(0, MAX_ITEMS).map(([key, item]) => [shorten(key), map(key, item)]);
  const left = entries.length - written.length;
  return Object.fromEntries(left > 0 ? [...written, ["...", `${left} more`]] : written);
}

function mapList(list: readonly unknown[], map: Mapper): unknown[] {
  const written = list.slice(0, MAX_ITEMS).map((item) => map(undefined, item));
  const left = list.length - written.length;
  return left > 0 ? [...written, `... ${left} more`] : written;
}

function shorten(text: string): string {
  return text.length > MAX_UNITS ? `${text.slice(0, MAX_UNITS)}...` : text;
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
