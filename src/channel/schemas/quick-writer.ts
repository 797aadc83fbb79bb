/**
 * Writes payloads as JSON in one pass, for most schemas and values.
 *
 * Each property is read, checked and written in turn. A quick writer returns undefined if it finds
 * something that it does not handle: a value that does not match, a `toJSON`, a boxed primitive. The
 * caller then writes the payload in two steps, which also finds the reason. So a quick writer
 * determines only how fast a payload is written, never what is written.
 *
 * Runs on: any thread.
 */

import { types } from "node:util";

import { isObject } from "./json-value.ts";
import { isAny, isNever, type SchemaCompiler } from "./schema-compiler.ts";
import { ANNOTATIONS, type Keywords, type SchemaDocument } from "./schema-document.ts";
import { NOTHING, type SchemaNode } from "./schema-node.ts";

/** Returns the JSON text of a value without forbidden fields. Undefined: it cannot write the value. */
export type QuickWriter = (value: unknown) => string | undefined;

/** Keywords of objects that quick writers handle. */
const OF_OBJECTS: ReadonlySet<string> = new Set([
  "additionalProperties",
  "nullable",
  "properties",
  "required",
  "type",
]);
/** Keywords of arrays that quick writers handle. */
const OF_ARRAYS: ReadonlySet<string> = new Set([
  "items",
  "maxItems",
  "minItems",
  "nullable",
  "type",
]);
const TYPE: ReadonlySet<string> = new Set(["type"]);
const REFERENCE: ReadonlySet<string> = new Set(["$ref"]);
const CHOICES: ReadonlySet<string> = new Set(["anyOf", "oneOf"]);

/** Creates the quick writers of one document. */
export class QuickWriters {
  readonly #document: SchemaDocument;
  readonly #compiler: SchemaCompiler;
  readonly #writers = new Map<SchemaNode, QuickWriter>();

  constructor(document: SchemaDocument, compiler: SchemaCompiler) {
    this.#document = document;
    this.#compiler = compiler;
  }

  /** Returns the writer of a schema that has been compiled. */
  of(schema: unknown): QuickWriter {
    const node = this.#compiler.nodeOf(schema);
    const known = this.#writers.get(node);
    if (known) return known;
    // A recursive schema finds this in place of the writer that is about to be created.
    this.#writers.set(node, (value) => this.#writers.get(node)?.(value));
    const writer = scalarWriterOf(schema) ?? writerOf(node, this.#nestedOf(node, schema));
    this.#writers.set(node, writer);
    return writer;
  }

  /** Returns the writer for objects and arrays. */
  #nestedOf(node: SchemaNode, schema: unknown): NestedWriter {
    if (isAny(schema)) return anyText;
    if (!isObject(schema)) return (value) => filteredText(node, value);
    if (has(schema, OF_OBJECTS) && isOfType(schema, "object")) return this.#objectWriter(schema);
    if (has(schema, OF_ARRAYS) && isOfType(schema, "array")) return this.#arrayWriter(schema);
    if (has(schema, REFERENCE)) {
      return this.of(this.#document.target(schema));
    }
    const choices = this.#choicesOf(schema);
    return choices ?? ((value) => filteredText(node, value));
  }

  /** Returns the writer of a choice, if one field determines which schema applies. */
  #choicesOf(schema: Keywords): NestedWriter | undefined {
    const { anyOf, oneOf } = schema;
    if (!has(schema, CHOICES) || (anyOf !== undefined && oneOf !== undefined)) return undefined;
    const all = (anyOf ?? oneOf) as readonly unknown[];
    // Objects and arrays are never null.
    const choices = all.filter((choice) => !isNull(choice));
    if (choices.length === 1) return this.of(choices[0]);
    const tag = tagOf(choices);
    if (!tag) return undefined;
    const writers = new Map(
      choices.map((choice) => [constOf(choice, tag), this.of(choice)] as const),
    );
    return (value) => writers.get((value as Readonly<Record<string, unknown>>)[tag])?.(value);
  }

  #objectWriter(schema: Keywords): NestedWriter {
    const { properties = {}, required = [], additionalProperties: others } = schema;
    const isNeeded = new Set(required as readonly string[]);
    const named = Object.entries(properties as object).map(([name, part]) => ({
      name,
      json: `${quoted(name)}:`,
      write: isNever(part) ? undefined : this.of(part),
      need: isNeeded.has(name) ? 1 : 0,
    }));
    const byName = new Map(named.map((field) => [field.name, field]));
    const writeOther =
      others === undefined ? anyText : isNever(others) ? undefined : this.of(others);
    const otherOf = (name: string): QuickField => {
      const json = writeOther ? `${quoted(name)}:` : "";
      return { name, json, write: writeOther, need: isNeeded.has(name) ? 1 : 0 };
    };
    const forbidden: QuickField | undefined = writeOther ? undefined : otherOf("");
    return (value) => {
      if (Array.isArray(value)) return undefined;
      const names = Object.keys(value);
      let text = "";
      let met = 0;
      for (let at = 0; at < names.length; at += 1) {
        const name = names[at] as string;
        // Most payloads have their fields in the order of the schema, so no search is needed.
        const next = named[at];
        const field = next?.name === name ? next : (byName.get(name) ?? forbidden ?? otherOf(name));
        if (!field.write) continue;
        const item = (value as Readonly<Record<string, unknown>>)[name];
        if (item === undefined) continue;
        const written = field.write(item);
        if (written === undefined) return undefined;
        text += (text === "" ? field.json : `,${field.json}`) + written;
        met += field.need;
      }
      return met === isNeeded.size ? `{${text}}` : undefined;
    };
  }

  #arrayWriter(schema: Keywords): NestedWriter {
    const { items, minItems = 0, maxItems = Infinity } = schema;
    const node = items === undefined ? undefined : this.#compiler.nodeOf(items);
    const write = items === undefined ? anyText : this.of(items);
    const hasLength = ({ length }: readonly unknown[]): boolean =>
      length >= (minItems as number) && length <= (maxItems as number);
    if (node && isScalar(items)) {
      return (value) =>
        Array.isArray(value) && hasLength(value) ? scalarsText(value, node) : undefined;
    }
    return (value) => {
      if (!Array.isArray(value) || !hasLength(value)) return undefined;
      let text = "";
      for (let at = 0; at < value.length; at += 1) {
        const item: unknown = value[at];
        const written = write(item === undefined ? null : item);
        if (written === undefined) return undefined;
        text += at === 0 ? written : `,${written}`;
      }
      return `[${text}]`;
    };
  }
}

interface QuickField {
  readonly name: string;
  /** The name as JSON, with a colon. */
  readonly json: string;
  /** Undefined: the field is forbidden. */
  readonly write: QuickWriter | undefined;
  /** 1 if it is required, otherwise 0. */
  readonly need: number;
}

/** Writes an array that has only strings, numbers, booleans and null. */
function scalarsText(value: readonly unknown[], node: SchemaNode): string | undefined {
  const scalars: unknown[] = [];
  for (let at = 0; at < value.length; at += 1) {
    const item: unknown = value[at];
    const json = typeof item === "number" && !Number.isFinite(item) ? null : item;
    if (!isJsonScalar(json) || !node.matches(json)) return undefined;
    scalars.push(json);
  }
  // The array of plain values is written at once, because JSON.stringify is faster for long lists.
  return JSON.stringify(scalars);
}

function isJsonScalar(value: unknown): boolean {
  return (
    value === null ||
    typeof value === "string" ||
    typeof value === "number" ||
    typeof value === "boolean"
  );
}

/** Reports whether a schema allows neither objects nor arrays. */
function isScalar(schema: unknown): boolean {
  if (!isObject(schema)) return false;
  const names = [schema["type"]].flat();
  return !names.some((type) => type === undefined || type === "object" || type === "array");
}

type NestedWriter = (value: object) => string | undefined;

/** Returns the writer of a schema that only has one of the simplest types. */
function scalarWriterOf(schema: unknown): QuickWriter | undefined {
  if (!isObject(schema) || !has(schema, TYPE)) return undefined;
  switch (schema["type"]) {
    case "string":
      return (value) => (typeof value === "string" ? quoted(value) : undefined);
    case "number":
      return (value) => (Number.isFinite(value) ? `${value as number}` : undefined);
    case "integer":
      return (value) => (Number.isInteger(value) ? `${value as number}` : undefined);
    case "boolean":
      return (value) => (typeof value === "boolean" ? `${value}` : undefined);
    default:
      return undefined;
  }
}

/** Returns a writer for all values, given one for objects and arrays. */
function writerOf(node: SchemaNode, nested: NestedWriter): QuickWriter {
  return (value) => {
    switch (typeof value) {
      case "string":
        return node.matches(value) ? quoted(value) : undefined;
      case "number": {
        const json = Number.isFinite(value) ? value : null;
        return node.matches(json) ? `${json}` : undefined;
      }
      case "boolean":
        return node.matches(value) ? `${value}` : undefined;
      case "object":
        if (value === null) return node.matches(null) ? "null" : undefined;
        return isPlain(value) ? nested(value) : undefined;
      default:
        return undefined;
    }
  };
}

/** Writes any value. */
function anyText(value: unknown): string | undefined {
  if (typeof value === "string") return quoted(value);
  if (typeof value === "object" && value !== null && !isPlain(value)) return undefined;
  if (typeof value === "bigint" || typeof value === "function") return undefined;
  return JSON.stringify(value);
}

/** Writes what a node leaves of a value. */
function filteredText(node: SchemaNode, value: object): string | undefined {
  const text = JSON.stringify(value);
  const json: unknown = JSON.parse(text);
  const kept = node.filtered(json);
  if (kept === NOTHING) return undefined;
  return kept === json ? text : JSON.stringify(kept);
}

/** Characters that JSON.stringify escapes, and surrogates, of which it escapes those without pair. */
// oxlint-disable-next-line no-control-regex
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;

function quoted(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`;
}

const isRawJson = (JSON as { isRawJSON?: (value: unknown) => boolean }).isRawJSON;

/** Reports whether JSON.stringify writes just the fields or items of an object. */
function isPlain(value: object): boolean {
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || Array.isArray(value)) return true;
  return !types.isBoxedPrimitive(value) && !isRawJson?.(value);
}

/** Reports whether a schema has no other keywords than these and annotations. */
function has(schema: Keywords, keywords: ReadonlySet<string>): boolean {
  return Object.keys(schema).every((name) => keywords.has(name) || ANNOTATIONS.has(name));
}

function isOfType({ type }: Keywords, name: string): boolean {
  return (
    type === name ||
    (Array.isArray(type) && type.length === 2 && type.includes(name) && type.includes("null"))
  );
}

/** Returns the name of a field that is constant in each schema and differs between all of them. */
function tagOf(choices: readonly unknown[]): string | undefined {
  const [first] = choices;
  const names = isObject(first) && isObject(first["properties"]) ? first["properties"] : {};
  return Object.keys(names).find((name) => {
    const values = choices.map((choice) => constOf(choice, name));
    return !values.includes(undefined) && new Set(values).size === values.length;
  });
}

/** Returns the constant that a schema requires in a field. Undefined: it may have other values. */
function constOf(schema: unknown, name: string): unknown {
  if (!isObject(schema) || schema["type"] !== "object") return undefined;
  const { properties, required } = schema;
  if (!Array.isArray(required) || !required.includes(name) || !isObject(properties)) {
    return undefined;
  }
  const field = Object.hasOwn(properties, name) ? properties[name] : undefined;
  const value = isObject(field) ? field["const"] : undefined;
  return typeof value === "string" || typeof value === "number" ? value : undefined;
}

function isNull(schema: unknown): boolean {
  return isObject(schema) && schema["type"] === "null" && has(schema, TYPE);
}
