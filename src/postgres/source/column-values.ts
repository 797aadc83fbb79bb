/**
 * The values of columns: converts PostgreSQL's JSON, and the text of logical replication, to the same JSON values.
 *
 * Both ways of a source yield the values of `to_json`. A number that is not exact as a JavaScript number becomes a string,
 * so that no digits are lost.
 *
 * Runs on: shard. Pure functions.
 */

import type { Row } from "./change.ts";

/** Object identifiers of PostgreSQL's types, which never change. */
const TYPE = {
  bool: 16,
  int8: 20,
  int2: 21,
  int4: 23,
  oid: 26,
  json: 114,
  float4: 700,
  float8: 701,
  timestamp: 1114,
  timestamptz: 1184,
  numeric: 1700,
  jsonb: 3802,
} as const;
const NUMBERS: ReadonlySet<number> = new Set([
  TYPE.int2,
  TYPE.int4,
  TYPE.int8,
  TYPE.oid,
  TYPE.float4,
  TYPE.float8,
  TYPE.numeric,
]);
/** Every number with at most this many decimal digits is printed by JavaScript as it was written. */
const EXACT_DIGITS = 15;
const MAYBE_LONG = /\d[\d.]{15}/;
// A string is matched in runs, not by character, since a long one would exhaust the stack of the matcher.
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const TIMESTAMP = /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(?:([+-]\d\d)(:\d\d)?)?$/;

/** Parses PostgreSQL's JSON. */
export function parseJson(text: string): unknown {
  if (!MAYBE_LONG.test(text)) return JSON.parse(text);
  const exact = text.replace(STRING_OR_NUMBER, (token) =>
    token.startsWith('"') || isExact(token) ? token : `"${token}"`,
  );
  return JSON.parse(exact);
}

/** Parses the JSON of a row; null if there is none. */
export function parseRow(text: string | null): Row | undefined {
  return text === null ? undefined : (parseJson(text) as Row);
}

/** Reports whether a JavaScript number represents the number exactly. */
function isExact(text: string): boolean {
  const [mantissa = ""] = text.split(/[eE]/, 1);
  const digits = mantissa.replaceAll(/[-.]/g, "").replace(/^0+/, "");
  return digits.length <= EXACT_DIGITS || String(Number(text)) === text;
}

/** The element type of array types and the base type of domains, by type. */
export interface TypeTable {
  readonly elements: ReadonlyMap<number, number>;
  readonly bases: ReadonlyMap<number, number>;
}

/** Returns the function that turns the text of a type into a JSON value. */
export function parserOf(type: number, types: TypeTable): (text: string) => unknown {
  const base = types.bases.get(type);
  if (base !== undefined) return parserOf(base, types);
  const element = types.elements.get(type);
  if (element !== undefined) {
    const parse = parserOf(element, types);
    return (text) => parseArray(text, parse);
  }
  if (NUMBERS.has(type)) return parseNumber;
  switch (type) {
    case TYPE.bool:
      return (text) => text === "t";
    case TYPE.json:
    case TYPE.jsonb:
      return parseJson;
    case TYPE.timestamp:
    case TYPE.timestamptz:
      return parseTimestamp;
    default:
      return (text) => text;
  }
}

// JSON has no NaN and no Infinity; `to_json` makes strings of them as well.
function parseNumber(text: string): unknown {
  const number = Number(text);
  return Number.isFinite(number) && isExact(text) ? number : text;
}

function parseTimestamp(text: string): string {
  return text.replace(
    TIMESTAMP,
    (_, day: string, time: string, hours?: string, minutes?: string) =>
      `${day}T${time}${hours === undefined ? "" : hours + (minutes ?? ":00")}`,
  );
}

/** Parses the text of an array, such as `{1,NULL,"a b"}` or `[0:1]={1,2}`. */
function parseArray(text: string, parse: (text: string) => unknown): unknown {
  const start = text.startsWith("[") ? text.indexOf("=") + 1 : 0;
  return new ArrayText(text, start, parse).read();
}

/** A reader of the text of an array. */
class ArrayText {
  readonly #text: string;
  readonly #parse: (text: string) => unknown;
  #at: number;

  constructor(text: string, start: number, parse: (text: string) => unknown) {
    this.#text = text;
    this.#at = start;
    this.#parse = parse;
  }

  /** Reads an array that starts here. */
  read(): unknown[] {
    const items: unknown[] = [];
    this.#at += 1;
    while (this.#at < this.#text.length && this.#text[this.#at] !== "}") {
      items.push(this.#item());
      if (this.#text[this.#at] === ",") this.#at += 1;
    }
    this.#at += 1;
    return items;
  }

  #item(): unknown {
    const first = this.#text[this.#at];
    if (first === "{") return this.read();
    if (first === '"') return this.#parse(this.#quoted());
    const start = this.#at;
    while (this.#at < this.#text.length && !",}".includes(this.#text[this.#at] as string)) {
      this.#at += 1;
    }
    const plain = this.#text.slice(start, this.#at);
    return plain === "NULL" ? null : this.#parse(plain);
  }

  #quoted(): string {
    let value = "";
    for (this.#at += 1; this.#text[this.#at] !== '"'; this.#at += 1) {
      if (this.#at >= this.#text.length) throw new Error(`an array must end, got ${this.#text}`);
      if (this.#text[this.#at] === "\\") this.#at += 1;
      value += this.#text[this.#at] as string;
    }
    this.#at += 1;
    return value;
  }
}
