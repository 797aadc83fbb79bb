/**
 * Compiles JSON Schemas: all keywords of draft 2020-12 except `$dynamicRef`, and the older forms that
 * schema libraries emit.
 *
 * Runs on: any thread; each schema is compiled once, with the definition.
 */

import { kindOf } from "../../errors.ts";
import { isObject } from "./json-value.ts";
import { allOf, anyOf, dependentSchema, not, oneOfNodes } from "./schema-choices.ts";
import { type Keywords, type Schema, type SchemaDocument } from "./schema-document.ts";
import {
  assertion,
  contains,
  fields,
  hasFields,
  hasItems,
  hasLength,
  items,
  multipleOf,
  oneOf,
  ofType,
  propertyNames,
  required,
  TYPES,
  unevaluatedFields,
  unevaluatedItems,
  uniqueItems,
} from "./schema-keywords.ts";
import { SchemaNode, type Keyword } from "./schema-node.ts";

/** Compiles one document. */
export class SchemaCompiler {
  readonly #document: SchemaDocument;
  readonly #nodes = new Map<Schema, SchemaNode>();

  constructor(document: SchemaDocument) {
    this.#document = document;
  }

  /** Returns the node of the document's root. @throws SIM_ERR_DEFINITION_INVALID */
  compiled(): SchemaNode {
    const root = this.nodeOf(this.#document.root);
    for (const [schema, node] of this.#nodes) this.#checkEnds(schema, node);
    for (const node of this.#nodes.values()) {
      const used = reached([node], ({ inPlace, within }) => [...inPlace, ...within]);
      node.strips = [...used].some(({ forbids }) => forbids);
    }
    return root;
  }

  /**
   * Returns the node of a schema in the document. Each schema has one node, so that references may be
   * recursive.
   */
  nodeOf(part: unknown): SchemaNode {
    // The document has checked that it is a schema.
    const schema = part as Schema;
    const known = this.#nodes.get(schema);
    if (known) return known;
    const node = new SchemaNode(isNever(schema));
    this.#nodes.set(schema, node);
    if (isObject(schema) && !node.isNever)
      new NodeBuilder(this, this.#document, node, schema).build();
    return node;
  }

  /** Checks that a node does not apply itself to the same value, which would never end. */
  #checkEnds(schema: Schema, node: SchemaNode): void {
    if (!reached(node.inPlace, ({ inPlace }) => inPlace).has(node)) return;
    throw this.#document.invalid(schema, "a schema must not refer to itself for the same value");
  }
}

/** Reports whether a schema matches nothing: `false`, `{ not: {} }` or `{ enum: [] }`. */
export function isNever(schema: unknown): boolean {
  if (schema === false) return true;
  if (!isObject(schema)) return false;
  if (Array.isArray(schema["enum"]) && schema["enum"].length === 0) return true;
  return "not" in schema && isAny(schema["not"]);
}

/** Reports whether a schema is `true` or has no keywords. */
export function isAny(schema: unknown): boolean {
  return schema === true || (isObject(schema) && Object.keys(schema).length === 0);
}

/** Returns nodes with all those that they lead to. */
function reached(
  from: readonly SchemaNode[],
  nextOf: (node: SchemaNode) => readonly SchemaNode[],
): ReadonlySet<SchemaNode> {
  const found = new Set(from);
  for (const node of found) for (const next of nextOf(node)) found.add(next);
  return found;
}

type Numbers = (limit: number) => Keyword;

/** Keywords with a number. */
const WITH_NUMBER: Readonly<Record<string, Numbers>> = {
  maximum: (limit) => numeric(`be at most ${limit}`, (value) => value <= limit),
  exclusiveMaximum: (limit) => numeric(`be below ${limit}`, (value) => value < limit),
  minimum: (limit) => numeric(`be at least ${limit}`, (value) => value >= limit),
  exclusiveMinimum: (limit) => numeric(`be above ${limit}`, (value) => value > limit),
};

/** Keywords with a count. */
const WITH_COUNT: Readonly<Record<string, Numbers>> = {
  maxLength: (limit) => hasLength((n) => n <= limit, `have at most ${limit} characters`),
  minLength: (limit) => hasLength((n) => n >= limit, `have at least ${limit} characters`),
  maxItems: (limit) => hasItems((n) => n <= limit, `have at most ${limit} items`),
  minItems: (limit) => hasItems((n) => n >= limit, `have at least ${limit} items`),
  maxProperties: (limit) => hasFields((n) => n <= limit, `have at most ${limit} fields`),
  minProperties: (limit) => hasFields((n) => n >= limit, `have at least ${limit} fields`),
};

function numeric(must: string, isMet: (value: number) => boolean): Keyword {
  return assertion(must, (value) => typeof value !== "number" || isMet(value));
}

/** Adds the keywords of one schema to its node. */
class NodeBuilder {
  readonly #compiler: SchemaCompiler;
  readonly #document: SchemaDocument;
  readonly #node: SchemaNode;
  readonly #schema: Keywords;

  constructor(
    compiler: SchemaCompiler,
    document: SchemaDocument,
    node: SchemaNode,
    schema: Keywords,
  ) {
    this.#compiler = compiler;
    this.#document = document;
    this.#node = node;
    this.#schema = schema;
  }

  build(): void {
    this.#addAssertions();
    this.#addFields();
    this.#addItems();
    this.#addInPlace();
    this.#addUnevaluated();
  }

  #addAssertions(): void {
    const { type, nullable, enum: values, pattern, multipleOf: factor } = this.#schema;
    if (type !== undefined) this.#node.add(ofType(this.#types(type, nullable)));
    else if (nullable === true) throw this.#invalid("nullable must have a type beside it");
    if (values !== undefined) this.#node.add(oneOf(this.#list("enum", values)));
    if ("const" in this.#schema) this.#node.add(oneOf([this.#schema["const"]]));
    if (factor !== undefined)
      this.#node.add(multipleOf(this.#number("multipleOf", factor, 5e-324)));
    for (const [keyword, create] of Object.entries(WITH_NUMBER)) {
      const limit = this.#schema[keyword];
      if (limit !== undefined) this.#node.add(create(this.#number(keyword, limit)));
    }
    for (const [keyword, create] of Object.entries(WITH_COUNT)) {
      const limit = this.#schema[keyword];
      if (limit !== undefined) this.#node.add(create(this.#number(keyword, limit, 0)));
    }
    if (pattern !== undefined) {
      const compiled = this.#pattern(pattern);
      const isMet = (value: unknown): boolean => typeof value !== "string" || compiled.test(value);
      this.#node.add(assertion("match its pattern", isMet));
    }
    if (this.#schema["uniqueItems"] === true) this.#node.add(uniqueItems());
    this.#addRequired();
  }

  #addRequired(): void {
    const { required: names, dependentRequired, dependencies } = this.#schema;
    if (names !== undefined) this.#node.add(required(this.#names("required", names)));
    for (const [name, others] of this.#entries("dependentRequired", dependentRequired)) {
      this.#node.add(required(this.#names("dependentRequired", others), name));
    }
    for (const [name, others] of this.#entries("dependencies", dependencies)) {
      if (Array.isArray(others))
        this.#node.add(required(this.#names("dependencies", others), name));
    }
  }

  #addFields(): void {
    const {
      properties,
      patternProperties,
      additionalProperties,
      propertyNames: names,
    } = this.#schema;
    const named = new Map(
      this.#entries("properties", properties).map(
        ([name, part]) => [name, this.#within(part)] as const,
      ),
    );
    const patterns = this.#entries("patternProperties", patternProperties).map(
      ([pattern, part]) => [this.#pattern(pattern), this.#within(part)] as const,
    );
    const others =
      additionalProperties === undefined ? undefined : this.#within(additionalProperties);
    if (others || named.size > 0 || patterns.length > 0) {
      this.#node.add(fields({ named, patterns, others }));
    }
    const all = [...named.values(), ...patterns.map(([, node]) => node), others];
    if (all.some((node) => node?.isNever)) this.#node.forbids = true;
    if (names === undefined) return;
    this.#node.add(propertyNames(this.#within(names)));
    this.#node.forbids = true;
  }

  #addItems(): void {
    const { prefixItems, items: given, additionalItems } = this.#schema;
    if (prefixItems !== undefined && Array.isArray(given)) {
      throw this.#invalid("items must be a schema if there are prefixItems, got a list");
    }
    const isOlder = Array.isArray(given);
    const first = isOlder ? given : prefixItems;
    const others = isOlder ? additionalItems : given;
    if (first !== undefined || others !== undefined) {
      const keyword = isOlder ? "items" : "prefixItems";
      const nodes = this.#nodes(keyword, first ?? []);
      this.#node.within.push(...nodes);
      this.#node.add(items(nodes, others === undefined ? undefined : this.#within(others)));
    }
    this.#addContains();
  }

  #addContains(): void {
    const { contains: contained, minContains = 1, maxContains } = this.#schema;
    if (contained === undefined) return;
    const most = maxContains === undefined ? Infinity : this.#number("maxContains", maxContains, 0);
    const least = this.#number("minContains", minContains, 0);
    this.#node.add(contains(this.#within(contained), least, most));
  }

  #addInPlace(): void {
    const { $ref, allOf: all, anyOf: any, oneOf: one, not: excluded } = this.#schema;
    const { dependentSchemas, dependencies } = this.#schema;
    if ($ref !== undefined) {
      this.#node.add(allOf([this.#inPlace(this.#document.target(this.#schema))]));
    }
    if (all !== undefined) this.#node.add(allOf(this.#nodesInPlace("allOf", all)));
    if (any !== undefined) this.#node.add(anyOf(this.#nodesInPlace("anyOf", any)));
    if (one !== undefined) this.#node.add(oneOfNodes(this.#nodesInPlace("oneOf", one)));
    this.#addCondition();
    for (const [name, part] of this.#entries("dependentSchemas", dependentSchemas)) {
      this.#node.add(dependentSchema(name, this.#inPlace(part)));
    }
    for (const [name, part] of this.#entries("dependencies", dependencies)) {
      if (Array.isArray(part)) continue;
      this.#node.add(dependentSchema(name, this.#inPlace(part)));
    }
    if (excluded !== undefined) this.#node.add(not(this.#inPlace(excluded)));
  }

  /** `if` is a choice between what matches it and `then`, and what does not match it but `else`. */
  #addCondition(): void {
    const { if: condition, then: met, else: unmet } = this.#schema;
    if (condition === undefined) return;
    const node = this.#inPlace(condition);
    const thenNode = met === undefined ? [] : [this.#inPlace(met)];
    const elseNode = unmet === undefined ? [] : [this.#inPlace(unmet)];
    const whenMet = new SchemaNode(false);
    whenMet.add(allOf([node, ...thenNode]));
    const whenUnmet = new SchemaNode(false);
    whenUnmet.add(not(node));
    whenUnmet.add(allOf(elseNode));
    // Both only combine nodes that are known to this one, and have not to be searched themselves.
    whenMet.strips = true;
    whenUnmet.strips = true;
    this.#node.add(anyOf([whenMet, whenUnmet]));
  }

  #addUnevaluated(): void {
    const { unevaluatedProperties, unevaluatedItems: others } = this.#schema;
    if (unevaluatedProperties !== undefined) {
      const node = this.#within(unevaluatedProperties);
      if (node.isNever) this.#node.forbids = true;
      this.#node.addLast(unevaluatedFields(node));
    }
    if (others !== undefined) {
      this.#node.addLast(unevaluatedItems(this.#within(others)));
    }
  }

  #within(schema: unknown): SchemaNode {
    const node = this.#compiler.nodeOf(schema);
    this.#node.within.push(node);
    return node;
  }

  #inPlace(schema: unknown): SchemaNode {
    const node = this.#compiler.nodeOf(schema);
    this.#node.inPlace.push(node);
    return node;
  }

  #nodes(keyword: string, value: unknown): SchemaNode[] {
    return this.#list(keyword, value).map((part) => this.#compiler.nodeOf(part));
  }

  #nodesInPlace(keyword: string, value: unknown): SchemaNode[] {
    const nodes = this.#nodes(keyword, value);
    this.#node.inPlace.push(...nodes);
    return nodes;
  }

  #types(type: unknown, nullable: unknown): string[] {
    const types = (Array.isArray(type) ? type : [type]) as unknown[];
    for (const name of types) {
      if (typeof name === "string" && TYPES.includes(name)) continue;
      const got = typeof name === "string" ? JSON.stringify(name) : kindOf(name);
      throw this.#invalid(`type must be ${TYPES.join(", ")} or a list of them, got ${got}`);
    }
    return [...(types as string[]), ...(nullable === true ? ["null"] : [])];
  }

  #number(keyword: string, value: unknown, least = -Infinity): number {
    if (typeof value === "number" && value >= least) return value;
    const form = least === -Infinity ? "a number" : least === 0 ? "a count" : "a positive number";
    throw this.#invalid(
      `${keyword} must be ${form}, got ${typeof value === "number" ? value : kindOf(value)}`,
    );
  }

  #pattern(value: unknown): RegExp {
    if (typeof value !== "string") {
      throw this.#invalid(`a pattern must be a string, got ${kindOf(value)}`);
    }
    try {
      return new RegExp(value, "u");
    } catch {
      // Some libraries emit patterns that are only valid without the flag.
    }
    try {
      return new RegExp(value);
    } catch {
      throw this.#invalid(`a pattern must be a regular expression, got ${JSON.stringify(value)}`);
    }
  }

  #list(keyword: string, value: unknown): readonly unknown[] {
    if (Array.isArray(value)) return value;
    throw this.#invalid(`${keyword} must be a list, got ${kindOf(value)}`);
  }

  #names(keyword: string, value: unknown): readonly string[] {
    const names = this.#list(keyword, value);
    if (names.every((name) => typeof name === "string")) return names;
    throw this.#invalid(`${keyword} must be a list of strings`);
  }

  #entries(keyword: string, value: unknown): readonly (readonly [string, unknown])[] {
    if (value === undefined) return [];
    if (isObject(value)) return Object.entries(value);
    throw this.#invalid(`${keyword} must be an object, got ${kindOf(value)}`);
  }

  #invalid(message: string): Error {
    return this.#document.invalid(this.#schema, message);
  }
}
