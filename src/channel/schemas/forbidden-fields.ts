/**
 * Finds out whether a JSON Schema forbids fields. One that forbids none only declares a type.
 *
 * Runs on: any thread; once for each schema, with the definition.
 */

import { isNested, isObject } from "./json-value.ts";
import { isAny, isNever } from "./schema-compiler.ts";
import { partsOf, type Keywords, type Schema, type SchemaDocument } from "./schema-document.ts";

/** Keywords that forbid fields or items unless their value is a schema that matches anything. */
const CLOSING: readonly string[] = [
  "additionalItems",
  "additionalProperties",
  "unevaluatedItems",
  "unevaluatedProperties",
];
/** Keywords by which a field can make a value invalid, whatever they say. */
const ALWAYS: readonly string[] = [
  "dependencies",
  "dependentRequired",
  "dependentSchemas",
  "maxProperties",
  "not",
];

/**
 * Reports whether a schema, or one that it uses, forbids a field or an item of some value.
 *
 * @throws SIM_ERR_DEFINITION_INVALID if it refers to a schema that is not in the document
 */
export function forbidsFields(document: SchemaDocument): boolean {
  const visited = new Set<Schema>([document.root]);
  let forbids = false;
  // All of them are visited, because each reference must be checked.
  for (const schema of visited) {
    if (!isObject(schema)) continue;
    forbids ||= forbidsItself(schema);
    if ("$ref" in schema) visited.add(document.target(schema));
    for (const [keyword, value] of Object.entries(schema)) {
      if (keyword === "$defs" || keyword === "definitions") continue;
      for (const [, part] of partsOf(keyword, value)) {
        if (part === false) forbids = true;
        if (isObject(part)) visited.add(part);
      }
    }
  }
  return forbids;
}

function forbidsItself(schema: Keywords): boolean {
  if (isNever(schema) || ALWAYS.some((keyword) => keyword in schema)) return true;
  const { const: value, enum: values, propertyNames } = schema;
  if (isNested(value) || (Array.isArray(values) && values.some(isNested))) return true;
  if (CLOSING.some((keyword) => keyword in schema && !isAny(schema[keyword]))) return true;
  return propertyNames !== undefined && !allowsAllNames(propertyNames);
}

/** Reports whether `propertyNames` allows all names, as zod writes it for `z.record(z.string(), …)`. */
function allowsAllNames(schema: unknown): boolean {
  if (isAny(schema)) return true;
  return isObject(schema) && schema["type"] === "string" && Object.keys(schema).length === 1;
}
