/**
 * Random JSON Schemas over every keyword, and payloads for them: some match, some nearly match, and
 * some carry fields that nobody declared, at every depth.
 *
 * Everything follows from a seed.
 *
 * Runs on: the test's thread.
 */

// `then` is a keyword of JSON Schema.
/* oxlint-disable unicorn/no-thenable */

/** A source of random choices that repeats itself for the same seed. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** Returns a number from 0 to below 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  chance(of: number): boolean {
    return this.next() < of;
  }

  one<Choice>(choices: readonly Choice[]): Choice {
    return choices[this.below(choices.length)] as Choice;
  }

  some<Choice>(choices: readonly Choice[], of = 0.5): Choice[] {
    return choices.filter(() => this.chance(of));
  }

  list<Item>(least: number, most: number, create: (at: number) => Item): Item[] {
    return Array.from({ length: least + this.below(most - least + 1) }, (_, at) => create(at));
  }
}

// -- schemas over every keyword --------------------------------------------------------------------

/** Names of fields. Ajv is mistaken about names that all objects have. */
export const NAMES = ["a", "b", "c", "ab", "ac"];
/** Fields that no schema declares by name. */
const EXTRA = ["secret", "abc", "d"];
const SCALARS: readonly unknown[] = [
  "",
  "a",
  "bb",
  "ccc",
  "🎲",
  0,
  1,
  2,
  1.5,
  -3,
  true,
  false,
  null,
];
const PATTERNS = ["^a", "b$", "^.$", "c"];

type Json = Record<string, unknown>;

/** Returns a random schema of draft 2020-12. */
export function randomSchema(dice: Dice): object {
  const defs = dice.chance(0.4) ? ["one", "two"] : [];
  const create = new SchemaDice(dice, defs);
  const root = create.object(dice.chance(0.3) ? 3 : 2);
  if (defs.length > 0) {
    root["$defs"] = Object.fromEntries(defs.map((name) => [name, create.object(1, true)]));
  }
  return root;
}

class SchemaDice {
  readonly #dice: Dice;
  readonly #defs: readonly string[];
  /** Whether the schema uses `dependentSchemas` or `unevaluatedProperties`. Ajv is mistaken about schemas that use both. */
  readonly #isDependent: boolean;

  constructor(dice: Dice, defs: readonly string[]) {
    this.#dice = dice;
    this.#defs = defs;
    this.#isDependent = dice.chance(0.3);
  }

  /** Returns a schema for a field or an item. */
  any(depth: number): object | boolean {
    const dice = this.#dice;
    if (dice.chance(0.03)) return dice.chance(0.7);
    if (this.#defs.length > 0 && dice.chance(0.2))
      return { $ref: `#/$defs/${dice.one(this.#defs)}` };
    if (depth <= 0 || dice.chance(0.35)) return this.scalar();
    return dice.chance(0.75) ? this.object(depth) : this.array(depth);
  }

  scalar(): Json {
    const dice = this.#dice;
    switch (dice.below(9)) {
      case 0:
        return { const: this.literal() };
      case 1:
        return { enum: dice.list(1, 3, () => this.literal()) };
      case 2:
        return { type: ["string", "null"], minLength: dice.below(2) };
      case 3:
        return { type: "integer", minimum: dice.below(2), exclusiveMaximum: 2 + dice.below(3) };
      case 4:
        return { type: "number", multipleOf: dice.one([0.5, 1, 2]), maximum: dice.below(4) };
      case 5:
        return {
          type: "string",
          maxLength: 2 + dice.below(2),
          pattern: dice.one(["^[ab]", "^.*$", "b$"]),
        };
      case 6:
        return { type: "string", nullable: true, format: "email" };
      case 7:
        return dice.chance(0.3) ? { not: dice.chance(0.5) ? {} : { type: "string" } } : {};
      default:
        return { type: dice.one(["string", "number", "boolean", "null", "integer"]) };
    }
  }

  literal(): unknown {
    const dice = this.#dice;
    if (dice.chance(0.8)) return dice.one(SCALARS);
    return dice.one<unknown>([{ a: 1 }, { a: 1, b: "a" }, [], [1, "a"], {}]);
  }

  object(depth: number, isPlain = false): Json {
    const dice = this.#dice;
    const names = dice.some(NAMES, 0.5);
    const schema: Json = { type: "object" };
    if (dice.chance(0.1)) delete schema["type"];
    if (dice.chance(0.9)) schema["properties"] = this.#byName(names, depth - 1);
    if (dice.chance(0.4)) schema["required"] = dice.some(names, 0.3);
    if (dice.chance(0.55)) {
      schema["additionalProperties"] = dice.chance(0.8) ? false : this.any(depth - 1);
    }
    if (dice.chance(0.12)) {
      schema["patternProperties"] = this.#byName(dice.some(PATTERNS, 0.4), depth - 1);
    }
    this.#addRules(schema, names);
    if (depth > 0 && !isPlain) this.#addInPlace(schema, depth - 1);
    return schema;
  }

  #addRules(schema: Json, names: readonly string[]): void {
    const dice = this.#dice;
    if (dice.chance(0.08)) {
      schema["propertyNames"] = dice.one([
        { enum: [...names, "secret"] },
        { maxLength: 2 },
        { pattern: dice.one(PATTERNS) },
      ]);
    }
    if (dice.chance(0.06)) schema["minProperties"] = dice.below(3);
    if (dice.chance(0.06)) schema["maxProperties"] = 1 + dice.below(4);
    if (dice.chance(0.06)) schema["dependentRequired"] = { [dice.one(NAMES)]: [dice.one(NAMES)] };
    if (!this.#isDependent && dice.chance(0.15)) {
      schema["unevaluatedProperties"] = dice.chance(0.8) ? false : this.scalar();
    }
  }

  array(depth: number): Json {
    const dice = this.#dice;
    const schema: Json = { type: "array" };
    // Ajv is mistaken about `contains` without `maxContains` or beside other schemas of items, and
    // about `uniqueItems` beside `prefixItems`.
    if (dice.chance(0.2)) {
      schema["contains"] = this.any(depth - 1);
      schema["minContains"] = dice.below(2);
      schema["maxContains"] = 1 + dice.below(3);
    } else {
      if (dice.chance(0.8)) schema["items"] = this.any(depth - 1);
      if (dice.chance(0.4)) schema["prefixItems"] = dice.list(1, 2, () => this.any(depth - 1));
      if (dice.chance(0.15)) schema["unevaluatedItems"] = dice.chance(0.6) ? false : this.scalar();
    }
    if (!("prefixItems" in schema) && dice.chance(0.1)) schema["uniqueItems"] = true;
    if (dice.chance(0.1)) schema["maxItems"] = 1 + dice.below(3);
    if (dice.chance(0.1)) schema["minItems"] = dice.below(2);
    return schema;
  }

  #addInPlace(schema: Json, depth: number): void {
    const dice = this.#dice;
    const part = (): object | boolean =>
      dice.chance(0.85) ? this.object(depth) : dice.one([true, { type: "null" }, this.any(0)]);
    if (dice.chance(0.18)) schema["anyOf"] = dice.list(1, 3, part);
    if (dice.chance(0.1)) schema["oneOf"] = dice.list(1, 3, part);
    if (dice.chance(0.1)) schema["allOf"] = dice.list(1, 2, part);
    if (dice.chance(0.05)) schema["not"] = { required: ["secret", dice.one(NAMES)] };
    if (dice.chance(0.1)) {
      schema["if"] = dice.chance(0.5) ? { required: [dice.one(NAMES)] } : part();
      if (dice.chance(0.8)) schema["then"] = part();
      if (dice.chance(0.8)) schema["else"] = part();
    }
    if (this.#isDependent && dice.chance(0.25))
      schema["dependentSchemas"] = { [dice.one(NAMES)]: part() };
  }

  #byName(names: readonly string[], depth: number): Json {
    return Object.fromEntries(names.map((name) => [name, this.any(depth)]));
  }
}

// -- payloads --------------------------------------------------------------------------------------

/** Returns a payload that matches a schema more or less, as JSON. */
export function randomPayload(dice: Dice, root: object): unknown {
  return new PayloadDice(dice, root as Json).of(root, 5);
}

class PayloadDice {
  readonly #dice: Dice;
  readonly #root: Json;

  constructor(dice: Dice, root: Json) {
    this.#dice = dice;
    this.#root = root;
  }

  of(schema: unknown, depth: number): unknown {
    const dice = this.#dice;
    if (dice.chance(0.02)) return dice.one(SCALARS);
    const merged = this.#merged(schema);
    if ("const" in merged) return structuredClone(merged["const"]);
    const { enum: values } = merged;
    if (Array.isArray(values) && values.length > 0) return structuredClone(dice.one(values));
    const kind = dice.one([merged["type"] ?? "object"].flat() as string[]);
    if (depth <= 0) return kind === "object" ? {} : kind === "array" ? [] : this.#scalar(kind);
    if (kind === "object") return this.#object(merged, depth);
    return kind === "array" ? this.#array(merged, depth) : this.#scalar(kind, merged);
  }

  /** Returns the keywords of a schema and of some of the schemas that it applies in place. */
  #merged(schema: unknown, budget = 6): Json {
    if (typeof schema !== "object" || schema === null || budget <= 0) {
      return { properties: Object.create(null) as Json, required: [] };
    }
    const parts = this.#partsOf(schema as Json);
    const all = [schema as Json, ...parts.map((part) => this.#merged(part, budget - 1))];
    const merged: Json = Object.assign({}, ...all.toReversed());
    for (const key of ["properties", "patternProperties"]) {
      // Without a prototype, since a field may be named like a property of all objects.
      merged[key] = Object.assign(Object.create(null) as Json, ...all.map((part) => part[key]));
    }
    merged["required"] = all.flatMap((part) => (part["required"] as string[] | undefined) ?? []);
    return merged;
  }

  #partsOf({ $ref, allOf, anyOf, oneOf, then: met, else: unmet }: Json): unknown[] {
    const dice = this.#dice;
    const parts = [...((allOf as unknown[] | undefined) ?? [])];
    if (typeof $ref === "string") parts.push(this.#target($ref));
    for (const choices of [anyOf, oneOf] as (unknown[] | undefined)[]) {
      if (choices) parts.push(...(dice.chance(0.8) ? [dice.one(choices)] : choices));
    }
    if (met !== undefined || unmet !== undefined) parts.push(dice.one([met, unmet]));
    return parts;
  }

  #target(reference: string): unknown {
    if (!reference.startsWith("#")) return withId(this.#root, reference);
    let found: unknown = this.#root;
    for (const part of reference.split("/").slice(1)) {
      found = (found as Json)[decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~")];
    }
    return found;
  }

  #object(schema: Json, depth: number): Json {
    const dice = this.#dice;
    const properties = schema["properties"] as Json;
    const required = schema["required"] as string[];
    const names = Object.keys(properties).filter(
      (name) => dice.chance(required.includes(name) ? 0.98 : 0.7) && properties[name] !== false,
    );
    const missing = required.filter((name) => !names.includes(name) && dice.chance(0.9));
    const { propertyNames } = schema as { propertyNames?: { enum?: string[] } };
    const allowed = propertyNames?.enum ?? [];
    const more = [...dice.some(EXTRA, 0.15), ...dice.some(NAMES, 0.05), ...dice.some(allowed, 0.4)];
    const all = new Set([...names, ...missing, ...more]);
    const { additionalProperties } = schema;
    return Object.fromEntries(
      [...all]
        .toSorted(() => dice.next() - 0.5)
        .map((name) => [name, this.of(properties[name] ?? additionalProperties ?? {}, depth - 1)]),
    );
  }

  #array(schema: Json, depth: number): unknown[] {
    const dice = this.#dice;
    const { items, prefixItems, contains, additionalItems } = schema;
    const first = (Array.isArray(items) ? items : (prefixItems ?? [])) as unknown[];
    const others = Array.isArray(items) ? additionalItems : items;
    const isClosed = others === false || (Array.isArray(items) && others === undefined);
    const list = first.map((part) => this.of(part, depth - 1));
    if (dice.chance(0.05)) list.pop();
    if (isClosed && !dice.chance(0.05)) return list;
    const least = Math.max(0, ((schema["minItems"] as number | undefined) ?? 0) - list.length);
    const rest = dice.list(least, least + 2, () =>
      this.of(contains !== undefined && dice.chance(0.5) ? contains : (others ?? {}), depth - 1),
    );
    return [...list, ...rest];
  }

  #scalar(kind: string, { minimum, minLength }: Json = {}): unknown {
    const dice = this.#dice;
    switch (kind) {
      case "null":
        return null;
      case "boolean":
        return dice.chance(0.5);
      case "string":
        return dice.one(["", "a", "bb", "ab", "ccc", "cab"]).padEnd(Number(minLength ?? 0), "x");
      case "integer":
        return Number(minimum ?? 0) + dice.below(3);
      default:
        return Number(minimum ?? 0) + dice.one([0, 1, 2, 0.5]);
    }
  }
}

function withId(schema: unknown, id: string): unknown {
  if (typeof schema !== "object" || schema === null) return undefined;
  if ((schema as Json)["$id"] === id) return schema;
  for (const part of Object.values(schema)) {
    const found = withId(part, id);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Returns a payload that JSON.stringify writes as the same JSON, but that is not JSON itself: it has
 * values that become others, and values that are left out.
 */
export function dressed(dice: Dice, json: unknown): unknown {
  if (dice.chance(0.03)) return { toJSON: () => json };
  if (Array.isArray(json)) return json.map((item) => dressed(dice, item));
  if (json === null) return dice.one([null, null, NaN, Infinity]);
  if (typeof json === "object") return dressedFields(dice, json);
  if (!dice.chance(0.03)) return json;
  return Object(json) as unknown;
}

class Row {
  save(): string {
    return "saved";
  }
}

function dressedFields(dice: Dice, json: object): object {
  const fields = Object.entries(json).map(([name, field]) => [name, dressed(dice, field)] as const);
  const copy: Json = Object.fromEntries(fields);
  if (dice.chance(0.1)) copy["b"] ??= undefined;
  if (dice.chance(0.05)) copy["secret"] ??= dice.one<unknown>([undefined, Symbol("s"), () => 1]);
  if (dice.chance(0.1)) return Object.assign(new Row(), copy);
  if (dice.chance(0.1)) return Object.assign(Object.create(null) as object, copy);
  if (dice.chance(0.1)) return Object.assign(Object.create({ a: 1, secret: "s" }) as object, copy);
  if (!dice.chance(0.1)) return copy;
  for (const [name, field] of Object.entries(copy)) {
    Object.defineProperty(copy, name, { get: () => field, enumerable: true });
  }
  return Object.defineProperty(copy, "hidden", { value: "secret" });
}
