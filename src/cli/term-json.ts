/**
 * Erlang terms as JSON. A term that JSON cannot represent becomes an object with a single key that
 * starts with `$`.
 *
 *   {"$atom": "user"}   {"$tuple": ["user", 5]}   {"$bytes": base64}   {"$bigint": "1234…"}
 *   {"$map": [[key, value], …]}      a map with keys that are not text, or a key like these
 *   {"$list": [[1], 2]}              an improper list: [1 | 2]
 *   {"$bitstring": [base64, bits]}   bits: how many bits of the last byte are used
 *   {"$pid": base64}   {"$reference": base64}      output only
 *
 * Runs on: main. Pure functions.
 */

import { invalidOption } from "../definition-checks.ts";
import type { SimurghError } from "../errors.ts";
import { Atom, Bitstring, Identifier, ImproperList, Tuple, type Term } from "../token/terms.ts";

/** Converts a term to a value for JSON.stringify. */
export function jsonOfTerm(term: Term): unknown {
  if (typeof term === "bigint") return { $bigint: String(term) };
  if (typeof term !== "object" || term === null) return term;
  if (term instanceof Uint8Array) return { $bytes: base64(term) };
  if (term instanceof Atom) return { $atom: term.name };
  if (term instanceof Tuple) return { $tuple: term.elements.map(jsonOfTerm) };
  if (Array.isArray(term)) return term.map(jsonOfTerm);
  if (term instanceof ImproperList) {
    return { $list: [term.elements.map(jsonOfTerm), jsonOfTerm(term.tail)] };
  }
  if (term instanceof Bitstring) return { $bitstring: [base64(term.bytes), term.lastBits] };
  if (term instanceof Identifier) return { [`$${term.kind}`]: base64(term.bytes) };
  return jsonOfEntries(term instanceof Map ? [...term] : Object.entries(term));
}

/**
 * Converts a value from JSON.parse to a term.
 *
 * @throws SIM_ERR_OPTION_INVALID for a `$` key with an invalid value
 */
export function termOfJson(json: unknown): Term {
  if (Array.isArray(json)) return json.map(termOfJson);
  if (typeof json !== "object" || json === null) return json as Term;
  const entries = Object.entries(json);
  const [[name, value] = ["", undefined]] = entries;
  if (entries.length === 1 && isForm(name)) {
    const term = READERS[name](value);
    if (term === undefined) throw malformed(name, value);
    return term;
  }
  return Object.fromEntries(entries.map(([key, part]) => [key, termOfJson(part)]));
}

/** Parsers for the `$` forms. They return undefined for an invalid value. */
const READERS = {
  $atom: (value: unknown) => (typeof value === "string" ? Atom.of(value) : undefined),
  $tuple: (value: unknown) => (Array.isArray(value) ? new Tuple(value.map(termOfJson)) : undefined),
  $bytes: (value: unknown) => tryBytesOf(value),
  $bigint: (value: unknown) =>
    typeof value === "string" && /^-?\d{1,2500}$/.test(value) ? BigInt(value) : undefined,
  $map: (value: unknown) => {
    if (!Array.isArray(value) || !value.every(isPair)) return undefined;
    return new Map(value.map(([key, part]) => [termOfJson(key), termOfJson(part)]));
  },
  $list: (value: unknown) => {
    if (!isPair(value) || !Array.isArray(value[0])) return undefined;
    return new ImproperList(value[0].map(termOfJson), termOfJson(value[1]));
  },
  $bitstring: (value: unknown) => {
    const bytes = isPair(value) ? tryBytesOf(value[0]) : undefined;
    return isPair(value) && bytes ? new Bitstring(bytes, Number(value[1])) : undefined;
  },
  $pid: () => undefined,
  $reference: () => undefined,
};

function jsonOfEntries(entries: readonly (readonly [Term, Term])[]): unknown {
  const shown = entries.map(([key, value]) => [key, jsonOfTerm(value)] as const);
  const readsLikeOurs = shown.length === 1 && shown.every(([key]) => isForm(key));
  if (!readsLikeOurs && shown.every(([key]) => typeof key === "string")) {
    return Object.fromEntries(shown);
  }
  return { $map: shown.map(([key, value]) => [jsonOfTerm(key), value]) };
}

function isForm(name: unknown): name is keyof typeof READERS {
  return typeof name === "string" && Object.hasOwn(READERS, name);
}

function isPair(value: unknown): value is readonly [unknown, unknown] {
  return Array.isArray(value) && value.length === 2;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function tryBytesOf(text: unknown): Uint8Array | undefined {
  if (typeof text !== "string") return undefined;
  const bytes = Uint8Array.from(Buffer.from(text, "base64"));
  return base64(bytes) === text ? bytes : undefined;
}

function malformed(name: string, value: unknown): SimurghError {
  const rule = `${name} in data must have a form that \`simurgh token --help\` shows`;
  return invalidOption(`${rule}, got ${JSON.stringify(value).slice(0, 80)}`);
}
