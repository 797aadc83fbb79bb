/**
 * What is left out of the parameters of clients before they are logged (WIRE §8.5).
 *
 * Runs on: shard; one for each logger.
 * Full: a text is cut, a list or object shortened, and what is nested too deep left out, so that a
 *       line of the log is no larger than what a client may make it.
 */

import { invalid } from "../definition-checks.ts";

/**
 * Which parameters are logged as `[FILTERED]`.
 *
 * A list, or `discard`: those whose key contains one of these texts, and texts that contain one of
 * them before a `=`. `keep`: all but those with exactly these keys, and what is within them.
 */
export type FilterParameters =
  | readonly string[]
  | { readonly discard: readonly string[] }
  | { readonly keep: readonly string[] };

/** Without a choice of the user's, these are discarded. */
export const DEFAULT_FILTER: readonly string[] = ["password", "token"];

const FILTERED = "[FILTERED]";
const TOO_DEEP = "[NESTED]";
/** Units of one text. */
const MOST_UNITS = 1_024;
/** Items of one list, keys of one object. */
const MOST_ITEMS = 50;
const MOST_LEVELS = 8;

/** Checks a choice of the user's. @throws SIM_ERR_DEFINITION_INVALID for what is none */
export function checkFilter(chosen: unknown): void {
  if (chosen !== undefined) parsed(chosen);
}

/** Filters parameters. */
export class LogFilter {
  readonly #terms: readonly string[];
  readonly #isKeeping: boolean;

  /** @throws SIM_ERR_DEFINITION_INVALID for what is no choice */
  constructor(chosen: FilterParameters = DEFAULT_FILTER) {
    const { terms, isKeeping } = parsed(chosen);
    this.#terms = terms;
    this.#isKeeping = isKeeping;
  }

  /** Gives what may be written of parameters. They are not changed. */
  apply(params: unknown): unknown {
    return this.#isKeeping ? this.#keep(params, 0) : this.#discard(params, 0);
  }

  #discard(value: unknown, level: number): unknown {
    return mapped(value, level, (key, item) => {
      const isSecret = key !== undefined && this.#terms.some((term) => key.includes(term));
      if (isSecret || this.#isAssignment(key, item)) return FILTERED;
      return this.#discard(item, level + 1);
    });
  }

  /** True for a text such as `a=1&token=2`. In a list it is let pass, as in Phoenix. */
  #isAssignment(key: string | undefined, item: unknown): boolean {
    if (key === undefined || typeof item !== "string") return false;
    return this.#terms.some((term) => item.includes(`${term}=`));
  }

  #keep(value: unknown, level: number): unknown {
    if (typeof value !== "object" || value === null || isBytes(value)) return FILTERED;
    return mapped(value, level, (key, item) => {
      if (key !== undefined && this.#terms.includes(key)) return whole(item, level + 1);
      return this.#keep(item, level + 1);
    });
  }
}

function whole(value: unknown, level: number): unknown {
  return mapped(value, level, (_key, item) => whole(item, level + 1));
}

type Mapper = (key: string | undefined, item: unknown) => unknown;

/** Maps the items of a list or an object, as many as may be written; anything else is shortened. */
function mapped(value: unknown, level: number, map: Mapper): unknown {
  if (typeof value === "string") return shortened(value);
  if (typeof value !== "object" || value === null) return value;
  if (isBytes(value)) return `[${value.byteLength} bytes]`;
  if (level >= MOST_LEVELS) return TOO_DEEP;
  if (Array.isArray(value)) return mappedList(value, map);
  const entries = Object.entries(value);
  const written = entries
    .slice(0, MOST_ITEMS)
    .map(([key, item]) => [shortened(key), map(key, item)]);
  const left = entries.length - written.length;
  return Object.fromEntries(left > 0 ? [...written, ["...", `${left} more`]] : written);
}

function mappedList(list: readonly unknown[], map: Mapper): unknown[] {
  const written = list.slice(0, MOST_ITEMS).map((item) => map(undefined, item));
  const left = list.length - written.length;
  return left > 0 ? [...written, `... ${left} more`] : written;
}

function shortened(text: string): string {
  return text.length > MOST_UNITS ? `${text.slice(0, MOST_UNITS)}...` : text;
}

function isBytes(value: object): value is Uint8Array | ArrayBuffer {
  return value instanceof Uint8Array || value instanceof ArrayBuffer;
}

function parsed(chosen: unknown): { terms: readonly string[]; isKeeping: boolean } {
  if (areTerms(chosen)) return { terms: chosen, isKeeping: false };
  if (typeof chosen === "object" && chosen !== null && Object.keys(chosen).length === 1) {
    if ("discard" in chosen && areTerms(chosen.discard)) {
      return { terms: chosen.discard, isKeeping: false };
    }
    if ("keep" in chosen && areTerms(chosen.keep)) return { terms: chosen.keep, isKeeping: true };
  }
  const forms = "a list of texts, { discard: texts } or { keep: texts }";
  const got = Array.isArray(chosen) ? "another list" : typeof chosen;
  throw invalid(`filterParameters must be ${forms}, got ${got}`);
}

function areTerms(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((term) => typeof term === "string" && term !== "");
}
