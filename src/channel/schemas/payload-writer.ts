/**
 * Writes payloads that have a JSON Schema: only the properties that the schema names, and faster than
 * JSON.stringify (`node dist/scripts/micro/payload-writer.js`).
 *
 * A schema is compiled only if an object in it forbids additional properties. The compiled writer
 * then omits them, as the schema requires. For other schemas it would have to visit every property,
 * for which JSON.stringify is just as fast.
 *
 * Runs on: shard; each schema is compiled once, with the definition.
 */

import { createRequire } from "node:module";

import { invalid } from "../../definition-checks.ts";
import { kindOf, makeError } from "../../errors.ts";
import { bytesOf } from "../../protocol/binary-v2.ts";
import { JsonText } from "../../protocol/json-text.ts";
import { errorText } from "../../error-report.ts";

/** Returns the encoded payload: bytes unchanged, anything else as JSON text. */
export type PayloadWriter = (payload: unknown) => unknown;

type Compile = (schema: object) => (value: unknown) => string;

const require = createRequire(import.meta.url);

/**
 * Compiles a schema.
 *
 * @param subject - name of the schema's subject, for error messages
 * @returns a writer, or undefined if the schema forbids nothing. The writer throws SIM_ERR_PAYLOAD
 *   if a payload lacks a required property or cannot be converted
 * @throws SIM_ERR_DEFINITION_INVALID if it is not a JSON Schema that compiles
 */
export function payloadWriter(subject: string, schema: object): PayloadWriter | undefined {
  if (!forbidsProperties(schema)) return undefined;
  // Loaded on first use, because most programs have no such schema.
  const compile = require("fast-json-stringify") as Compile;
  let write: (value: unknown) => string;
  try {
    write = compile(withOpenObjects(schema) as object);
  } catch (cause) {
    const message = `${subject} must be a JSON Schema that can be compiled, got ${errorText(cause)}`;
    throw invalid(message, { cause });
  }
  const isObject = "type" in schema && schema.type === "object" && !("nullable" in schema);
  return (payload) => {
    if (bytesOf(payload)) return payload;
    const value =
      payload instanceof JsonText ? payload.json() : payload === undefined ? {} : payload;
    // The compiled writer would convert it to an object.
    if (isObject && (typeof value !== "object" || value === null)) {
      const message = `${subject} must match its schema: an object, got ${kindOf(value)}`;
      throw makeError("SIM_ERR_PAYLOAD", message);
    }
    let text: string;
    try {
      text = write(value);
    } catch (cause) {
      throw makeError("SIM_ERR_PAYLOAD", `${subject} must match its schema: ${errorText(cause)}`, {
        cause,
      });
    }
    return new JsonText(text);
  };
}

/** Keywords whose value is never a schema, even if it looks like one. */
const LITERALS: ReadonlySet<string> = new Set(["const", "enum", "default", "examples", "required"]);
/** Keywords whose value maps names to schemas. These names are not keywords. */
const BY_NAME: ReadonlySet<string> = new Set([
  "properties",
  "patternProperties",
  "definitions",
  "$defs",
]);

/** Returns the schemas within the value of a keyword. */
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
 * Returns a schema whose objects explicitly allow additional properties unless they forbid them. The
 * compiler would otherwise treat them as forbidden.
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

/** Reports whether a schema has `type: "object"`, alone or in a list, or properties without a type. */
function mayBeObject({ type, properties }: Readonly<Record<string, unknown>>): boolean {
  if (type === undefined) return properties !== undefined;
  return type === "object" || (Array.isArray(type) && type.includes("object"));
}
