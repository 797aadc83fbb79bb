/**
 * A JSON Schema as plain data: the subschemas that its keywords contain, and the targets of `$ref`.
 *
 * Runs on: any thread; each schema is read once, with the definition.
 */

import { invalid } from "../../definition-checks.ts";
import { kindOf } from "../../errors.ts";
import { canonical, isNested, isObject, type JsonObject } from "./json-value.ts";

/** A schema: an object with keywords, `true` (anything) or `false` (nothing). */
export type Schema = boolean | Keywords;
/** The keywords of a schema, by name. */
export type Keywords = JsonObject;

/** Keywords whose value is a schema. `items` may also be a list of schemas. */
const ONE: ReadonlySet<string> = new Set([
  "additionalItems",
  "additionalProperties",
  "contains",
  "else",
  "if",
  "items",
  "not",
  "propertyNames",
  "then",
  "unevaluatedItems",
  "unevaluatedProperties",
]);
/** Keywords whose value is a list of schemas. */
const LISTS: ReadonlySet<string> = new Set(["allOf", "anyOf", "items", "oneOf", "prefixItems"]);
/** Keywords whose value maps names to schemas. In `dependencies` it may map them to lists. */
const BY_NAME: ReadonlySet<string> = new Set([
  "$defs",
  "definitions",
  "dependencies",
  "dependentSchemas",
  "patternProperties",
  "properties",
]);
/** Keywords that change what a schema means and are not supported. */
const UNSUPPORTED: readonly string[] = [
  "$data",
  "$dynamicRef",
  "$recursiveRef",
  "disallow",
  "divisibleBy",
  "extends",
  "propertyDependencies",
];
/** The drafts whose keywords are supported. */
const DRAFTS =
  /^https?:\/\/json-schema\.org\/(?:draft-0[4-7]|draft\/20(?:19-09|20-12))\/schema#?$/u;
/** Drafts that ignore the keywords beside `$ref`. */
const IGNORES_BESIDE_REF = /^https?:\/\/json-schema\.org\/draft-0[34567]\//u;
/** Keywords that every value matches. */
export const ANNOTATIONS: ReadonlySet<string> = new Set([
  "$comment",
  "$defs",
  "$id",
  "$schema",
  "default",
  "definitions",
  "deprecated",
  "description",
  "examples",
  "format",
  "readOnly",
  "title",
  "writeOnly",
]);
/** Base of relative references. It is never fetched. */
const BASE = "schema://simurgh/";

interface Place {
  /** As in `#/items`. */
  readonly where: string;
  /** Base URI of references. */
  readonly base: string;
}

/** A JSON Schema whose references are resolved. */
export class SchemaDocument {
  readonly root: Schema;
  readonly #subject: string;
  readonly #places = new Map<Schema, Place>();
  /** Schemas with `$id` or `$anchor`, by URI. */
  readonly #byUri = new Map<string, Keywords>();

  /**
   * Copies and reads a schema.
   *
   * @param subject - name of the schema's subject, for error messages
   * @throws SIM_ERR_DEFINITION_INVALID if it is not JSON, or contains a keyword that changes its
   *   meaning and is not supported
   */
  constructor(subject: string, schema: object) {
    this.#subject = subject;
    this.root = this.#plain(schema);
    this.#byUri.set(BASE, this.root);
    this.#read(this.root, BASE, "#");
  }

  /** Creates the error for a schema in the document that cannot be used. */
  invalid(schema: Schema, message: string): Error {
    return this.#invalidAt(this.#places.get(schema)?.where ?? "#", message);
  }

  /** Returns the schema that a `$ref` refers to. @throws SIM_ERR_DEFINITION_INVALID if there is none */
  target(from: Keywords): Schema {
    const { $ref: reference } = from;
    if (typeof reference !== "string") {
      throw this.invalid(from, `$ref must be a string, got ${kindOf(reference)}`);
    }
    const uri = uriOf(reference, this.#places.get(from)?.base ?? BASE);
    const [resource = "", fragment = ""] = uri?.split("#") ?? [];
    const named = this.#byUri.get(fragment === "" ? resource : `${resource}#${fragment}`);
    if (named) return named;
    const found = this.#atPointer(resource, fragment);
    if (found !== undefined) return found;
    const message = `$ref must refer to a schema in the same document, got ${JSON.stringify(reference)}`;
    throw this.invalid(from, message);
  }

  #invalidAt(where: string, message: string): Error {
    return invalid(
      `${this.#subject} must be a JSON Schema that is supported: ${message} (${where})`,
    );
  }

  #plain(schema: object): Keywords {
    let copy: unknown;
    try {
      copy = JSON.parse(JSON.stringify(schema));
    } catch (cause) {
      const message = `${this.#subject} must be a JSON Schema that can be written as JSON`;
      throw invalid(message, { cause });
    }
    if (isObject(copy)) return copy;
    throw invalid(`${this.#subject} must be a JSON Schema, got ${kindOf(copy)}`);
  }

  #atPointer(resource: string, fragment: string): Schema | undefined {
    let found: unknown = this.#byUri.get(resource);
    if (!fragment.startsWith("/")) return undefined;
    let base = resource;
    for (const part of fragment.slice(1).split("/")) {
      const name = decoded(part);
      if (!isNested(found) || name === undefined) return undefined;
      if (!Object.hasOwn(found, name)) return undefined;
      base = this.#places.get(found as Keywords)?.base ?? base;
      found = (found as Keywords)[name];
    }
    // A target under an unknown keyword has not been read yet.
    if (isObject(found) && !this.#places.has(found)) this.#read(found, base, `#${fragment}`);
    return typeof found === "boolean" || isObject(found) ? found : undefined;
  }

  /** Checks a schema and all schemas in it, and notes their places and names. */
  #read(schema: unknown, outer: string, where: string): void {
    if (typeof schema === "boolean") return;
    if (!isObject(schema)) {
      const message = `a schema must be an object or a boolean, got ${kindOf(schema)}`;
      throw this.#invalidAt(where, message);
    }
    const base = this.#named(schema, outer, where);
    this.#places.set(schema, { where, base });
    this.#checkKeywords(schema);
    for (const [keyword, value] of Object.entries(schema)) {
      for (const [name, part] of partsOf(keyword, value)) {
        this.#read(part, base, `${where}/${keyword}${name === "" ? "" : `/${name}`}`);
      }
    }
  }

  /** Notes the `$id` and `$anchor` of a schema, and returns its base URI. */
  #named(schema: Keywords, outer: string, where: string): string {
    const { $id, $anchor } = schema;
    let base = outer;
    if (typeof $id === "string") {
      const uri = uriOf($id, outer)?.replace(/#$/u, "");
      if (uri === undefined)
        throw this.#invalidAt(where, `$id must be a URI, got ${JSON.stringify($id)}`);
      this.#name(uri, schema, where);
      if (!uri.includes("#")) base = uri;
    }
    if (typeof $anchor === "string") this.#name(`${base}#${$anchor}`, schema, where);
    return base;
  }

  #name(uri: string, schema: Keywords, where: string): void {
    const other = this.#byUri.get(uri);
    // A schema that is used in several places is repeated with its `$id`.
    if (other === undefined || canonical(other) === canonical(schema)) {
      this.#byUri.set(uri, other ?? schema);
      return;
    }
    throw this.#invalidAt(
      where,
      `an $id must belong to one schema, got two for ${uri.replace(BASE, "")}`,
    );
  }

  #checkKeywords(schema: Keywords): void {
    const unsupported = UNSUPPORTED.filter((keyword) => Object.hasOwn(schema, keyword));
    if (unsupported.length > 0) {
      throw this.invalid(schema, `it must not use ${unsupported.join(", ")}`);
    }
    const { $schema = (this.root as Keywords)["$schema"] } = schema;
    if ($schema !== undefined && !(typeof $schema === "string" && DRAFTS.test($schema))) {
      const got = JSON.stringify($schema);
      throw this.invalid(schema, `$schema must be a draft from 04 to 2020-12, got ${got}`);
    }
    if (!("$ref" in schema) || typeof $schema !== "string" || !IGNORES_BESIDE_REF.test($schema)) {
      return;
    }
    const ignored = Object.keys(schema).filter(
      (keyword) => keyword !== "$ref" && !ANNOTATIONS.has(keyword),
    );
    if (ignored.length === 0) return;
    throw this.invalid(schema, `its draft ignores keywords beside $ref, got ${ignored.join(", ")}`);
  }
}

/** Returns the schemas within the value of a keyword, by name or index. */
export function partsOf(keyword: string, value: unknown): readonly (readonly [string, unknown])[] {
  if (Array.isArray(value) && LISTS.has(keyword)) return Object.entries(value);
  if (BY_NAME.has(keyword)) {
    const parts = isObject(value) ? Object.entries(value) : [];
    return keyword === "dependencies" ? parts.filter(([, part]) => !Array.isArray(part)) : parts;
  }
  return ONE.has(keyword) ? [["", value]] : [];
}

function uriOf(reference: string, base: string): string | undefined {
  return URL.canParse(reference, base) ? new URL(reference, base).href : undefined;
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
  } catch {
    return undefined;
  }
}
