/**
 * Writes payloads that have a JSON Schema: only what the schema names, and faster than
 * JSON.stringify (`node dist/scripts/micro/payload-writer.js`).
 *
 * A schema is compiled where an object in it forbids further properties, for then the writing of a
 * compiled schema is what the schema says. One that forbids none would have to look at all that is
 * there, which JSON.stringify does as well.
 *
 * Runs on: shard; each schema is compiled once, with the definition.
 */

import { createRequire } from "node:module";

import { invalid } from "../../definition-checks.ts";
import { kindOf, makeError } from "../../errors.ts";
import { bytesOf } from "../../protocol/binary-v2.ts";
import { JsonText } from "../../protocol/json-text.ts";

/** Gives what is sent for a payload: bytes as they are, else its JSON. */
export type PayloadWriter = (payload: unknown) => unknown;

type Compile = (schema: object) => (value: unknown) => string;

const require = createRequire(import.meta.url);

/**
 * Compiles a schema.
 *
 * @param subject - what it is the schema of, for messages
 * @returns undefined where it forbids nothing; else what throws SIM_ERR_PAYLOAD for a payload that
 *   lacks what the schema requires, or cannot be converted to it
 * @throws SIM_ERR_DEFINITION_INVALID where it is no JSON Schema that compiles
 */
export function payloadWriter(subject: string, schema: object): PayloadWriter | undefined {
  if (!forbidsProperties(schema)) return undefined;
  // Loaded by who uses it: most programs have no such schema.
  const compile = require("fast-json-stringify") as Compile;
  let write: (value: unknown) => string;
  try {
    write = compile(withOpenObjects(schema) as object);
  } catch (cause) {
    const message = `${subject} must be a JSON Schema that can be compiled, got ${String(cause)}`;
    throw invalid(message, { cause });
  }
  const isObject = "type" in schema && schema.type === "object" && !("nullable" in schema);
  return (payload) => {
    if (bytesOf(payload)) return payload;
    const value =
      payload instanceof JsonText ? payload.json() : payload === undefined ? {} : payload;
    // The compiler would make an object of it.
    if (isObject && (typeof value !== "object" || value === null)) {
      const message = `${subject} must fit its schema: an object, got ${kindOf(value)}`;
      throw makeError("SIM_ERR_PAYLOAD", message);
    }
    let text: string;
    try {
      text = write(value);
    } catch (cause) {
      throw makeError("SIM_ERR_PAYLOAD", `${subject} must fit its schema: ${String(cause)}`, {
        cause,
      });
    }
    return new JsonText(text);
  };
}

/** Keywords whose value is no schema, whatever it looks like. */
const LITERALS: ReadonlySet<string> = new Set(["const", "enum", "default", "examples", "required"]);
/** Keywords whose value has schemas by names, which are no keywords. */
const BY_NAME: ReadonlySet<string> = new Set([
  "properties",
  "patternProperties",
  "definitions",
  "$defs",
]);

/** The schemas of a schema's keyword. */
function partsOf(keyword: string, value: unknown): readonly unknown[] {
  if (LITERALS.has(keyword) || typeof value !== "object" || value === null) return [];
  return Array.isArray(value) || BY_NAME.has(keyword) ? Object.values(value) : [value];
}

function forbidsProperties(schema: unknown): boolean {
  if (typeof schema !== "object" || schema === null) return false;
  if ("additionalProperties" in schema && schema.additionalProperties === false) return true;
  return Object.entries(schema).some(([keyword, value]) =>
    partsOf(keyword, value).some(forbidsProperties),
  );
}

/**
 * Gives a schema in which objects say that they allow what they do not forbid: what the compiler
 * takes to be forbidden where nothing is said.
 */
function withOpenObjects(schema: unknown): unknown {
  if (typeof schema !== "object" || schema === null) return schema;
  const copy = Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => [keyword, withOpenParts(keyword, value)]),
  );
  const isOpen = mayBeObject(copy) && !("additionalProperties" in copy);
  return isOpen ? { ...copy, additionalProperties: true } : copy;
}

function withOpenParts(keyword: string, value: unknown): unknown {
  if (LITERALS.has(keyword) || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withOpenObjects);
  if (!BY_NAME.has(keyword)) return withOpenObjects(value);
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, withOpenObjects(part)]),
  );
}

/** True for `type: "object"`, a list that has it, or properties of no type. */
function mayBeObject({ type, properties }: Readonly<Record<string, unknown>>): boolean {
  if (type === undefined) return properties !== undefined;
  return type === "object" || (Array.isArray(type) && type.includes("object"));
}
