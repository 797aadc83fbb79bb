/**
 * A reference for what leaves of a payload with a JSON Schema, by another validator (Ajv).
 *
 * It follows the definition in the guide to the letter, without a thought of speed: it copies values,
 * asks Ajv about every choice, and starts again after each removal.
 *
 * Runs on: the test's thread.
 */

import { isDeepStrictEqual } from "node:util";

import { Ajv2019 } from "ajv/dist/2019.js";
import { Ajv2020 } from "ajv/dist/2020.js";

/** Returned if nothing leaves. */
export const REFUSED = Symbol("refused");

/** Thrown if the code that Ajv generated for a schema throws. */
export class AjvFault extends Error {}

type Fields = Record<string, unknown>;
type Step = (value: unknown) => unknown;

/** A schema, as seen by Ajv. */
export class Reference {
  readonly #root: Fields;
  readonly #ajv: Ajv2020 | Ajv2019;
  readonly #checks = new Map<string, (value: unknown) => boolean>();
  readonly #schemas = new Map<string, unknown>();
  readonly #known = new Map<string, readonly Step[]>();

  constructor(schema: object) {
    this.#root = structuredClone(schema) as Fields;
    const options = { strict: false, validateFormats: false, validateSchema: false } as const;
    const text = JSON.stringify(schema);
    const isOlder = /"(?:items|dependencies)":\[/u.test(text);
    // A field named like a property of all objects is present only if the object itself has it.
    const all = { ...options, ownProperties: true };
    this.#ajv = isOlder ? new Ajv2019(all) : new Ajv2020(all);
    this.#ajv.addSchema(this.#root, "doc");
  }

  /** Reports whether a value matches the schema, or the part of it at a JSON pointer. */
  matches(value: unknown, pointer = ""): boolean {
    return this.#check(pointer, { $ref: `#${pointer}` })(value);
  }

  /** Returns what leaves of a value, or REFUSED. */
  filtered(value: unknown, pointer = ""): unknown {
    const kept = this.#stripped(value, pointer);
    return this.matches(kept, pointer) ? kept : REFUSED;
  }

  #stripped(value: unknown, pointer: string): unknown {
    let kept = value;
    for (;;) {
      const next = this.#steps(pointer).reduce((given, step) => step(given), kept);
      if (isDeepStrictEqual(next, kept)) return kept;
      kept = next;
    }
  }

  /** Returns the pointer of what a reference refers to: a pointer, or the `$id` of a schema. */
  #target(reference: string): string {
    return reference.startsWith("#")
      ? reference.slice(1)
      : (this.#pointerOf(reference) ?? reference);
  }

  #pointerOf(id: string, schema: unknown = this.#root, pointer = ""): string | undefined {
    if (typeof schema !== "object" || schema === null) return undefined;
    if ((schema as Fields)["$id"] === id) return pointer;
    for (const [name, part] of Object.entries(schema)) {
      const found = this.#pointerOf(id, part, `${pointer}/${encoded(name)}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #at(pointer: string): unknown {
    if (!this.#schemas.has(pointer)) this.#schemas.set(pointer, this.#read(pointer));
    return this.#schemas.get(pointer);
  }

  #read(pointer: string): unknown {
    let found: unknown = this.#root;
    for (const part of pointer.split("/").slice(1)) {
      found = (found as Fields)[
        decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~")
      ];
    }
    return found;
  }

  /** Returns what a schema does to a value, in order. */
  #steps(pointer: string): readonly Step[] {
    const known = this.#known.get(pointer);
    if (known) return known;
    const steps = this.#newSteps(pointer);
    this.#known.set(pointer, steps);
    return steps;
  }

  #newSteps(pointer: string): Step[] {
    const schema = this.#at(pointer);
    if (!isFields(schema)) return [];
    const once = (part: string): Step => {
      const at = `${pointer}/${part}`;
      return (value) => this.#steps(at).reduce((given, step) => step(given), value);
    };
    const each = (list: string): string[] =>
      Object.keys((schema[list] as object | undefined) ?? {}).map((at) => `${list}/${at}`);
    const steps: Step[] = [
      (value) => this.#fields(schema, pointer, value),
      (value) => this.#names(schema, pointer, value),
      (value) => this.#items(schema, pointer, value),
    ];
    if (typeof schema["$ref"] === "string") {
      const target = this.#target(schema["$ref"]);
      steps.push((value) => this.#steps(target).reduce((given, step) => step(given), value));
    }
    steps.push(...each("allOf").map(once));
    for (const list of ["anyOf", "oneOf"]) {
      if (!schema[list]) continue;
      const choices = each(list).map((part) => `${pointer}/${part}`);
      steps.push((value) => this.#chosen(choices, list === "oneOf", value));
    }
    if (schema["if"] !== undefined)
      steps.push((value) => this.#conditional(schema, pointer, value));
    for (const name of Object.keys((schema["dependentSchemas"] as object | undefined) ?? {})) {
      const step = once(`dependentSchemas/${encoded(name)}`);
      steps.push((value) => (isFields(value) && Object.hasOwn(value, name) ? step(value) : value));
    }
    steps.push((value) => this.#unevaluated(schema, pointer, value));
    return steps;
  }

  #fields(schema: Fields, pointer: string, value: unknown): unknown {
    if (!isFields(value)) return value;
    const {
      properties = {},
      patternProperties = {},
      additionalProperties,
    } = schema as {
      properties?: Fields;
      patternProperties?: Fields;
      additionalProperties?: unknown;
    };
    const kept: [string, unknown][] = [];
    for (const [name, field] of Object.entries(value)) {
      const parts = Object.hasOwn(properties, name) ? [`properties/${encoded(name)}`] : [];
      for (const pattern of Object.keys(patternProperties)) {
        if (new RegExp(pattern, "u").test(name))
          parts.push(`patternProperties/${encoded(pattern)}`);
      }
      if (parts.length === 0 && additionalProperties !== undefined)
        parts.push("additionalProperties");
      const all = parts.map((part) => `${pointer}/${part}`);
      if (all.some((part) => isNever(this.#at(part)))) continue;
      kept.push([name, this.#through(all, field)]);
    }
    return Object.fromEntries(kept);
  }

  #names({ propertyNames }: Fields, pointer: string, value: unknown): unknown {
    if (propertyNames === undefined || !isFields(value)) return value;
    return Object.fromEntries(
      Object.entries(value).filter(([name]) => this.matches(name, `${pointer}/propertyNames`)),
    );
  }

  #items(schema: Fields, pointer: string, value: unknown): unknown {
    if (!Array.isArray(value)) return value;
    const { items, prefixItems } = schema;
    const [first, others] = Array.isArray(items)
      ? (["items", "additionalItems"] as const)
      : (["prefixItems", "items"] as const);
    const count =
      ((Array.isArray(items) ? items : prefixItems) as unknown[] | undefined)?.length ?? 0;
    return value.map((item, at) => {
      if (at < count) return this.#through([`${pointer}/${first}/${at}`], item);
      return schema[others] === undefined ? item : this.#through([`${pointer}/${others}`], item);
    });
  }

  #conditional(schema: Fields, pointer: string, value: unknown): unknown {
    const met = ["if", "then"].filter((part) => schema[part] !== undefined);
    const unmet = schema["else"] === undefined ? [] : ["else"];
    const when = (parts: readonly string[], isMet: boolean): Candidate => {
      const pointers = parts.map((part) => `${pointer}/${part}`);
      let kept = value;
      for (;;) {
        const next = this.#through(pointers, kept);
        if (isDeepStrictEqual(next, kept)) break;
        kept = next;
      }
      const matching = pointers.every((part) => this.matches(kept, part));
      const isRight = this.matches(kept, `${pointer}/if`) === isMet;
      return matching && isRight ? kept : REFUSED;
    };
    return best(value, [when(met, true), when(unmet, false)]);
  }

  #chosen(choices: readonly string[], isOne: boolean, value: unknown): unknown {
    const candidates = choices.map((choice) => {
      const kept = this.filtered(value, choice);
      if (kept === REFUSED || !isOne) return kept;
      return choices.filter((other) => this.matches(kept, other)).length === 1 ? kept : REFUSED;
    });
    return best(value, candidates);
  }

  #unevaluated(schema: Fields, pointer: string, value: unknown): unknown {
    const { unevaluatedProperties } = schema;
    if (unevaluatedProperties === undefined || !isFields(value)) return value;
    const beside = Object.fromEntries(
      EVALUATING.filter((keyword) => keyword in schema).map((keyword) => [
        keyword,
        schema[keyword],
      ]),
    );
    if (!this.#check(`${pointer} beside`, beside)(value)) return value;
    const at = `${pointer}/unevaluatedProperties`;
    const kept = Object.entries(value).flatMap(([name, field]): [string, unknown][] => {
      // All other fields count as evaluated, so only this one can make the value fail.
      const others = { patternProperties: { [`^(?!${name}$)`]: true } };
      const asked = { allOf: [beside, others], unevaluatedProperties: false };
      if (this.#check(`${pointer} ${name}`, asked)(value)) return [[name, field]];
      return isNever(unevaluatedProperties) ? [] : [[name, this.#through([at], field)]];
    });
    return Object.fromEntries(kept);
  }

  /** Returns a check by a schema that has been made from parts of the document. */
  #check(key: string, schema: object): (value: unknown) => boolean {
    const known = this.#checks.get(key);
    if (known) return known;
    const check = this.#ajv.compile(absolute(schema) as object) as (value: unknown) => boolean;
    const checked = (value: unknown): boolean => checkedBy(check, value);
    this.#checks.set(key, checked);
    return checked;
  }

  #through(pointers: readonly string[], value: unknown): unknown {
    return pointers.reduce(
      (given, pointer) => this.#steps(pointer).reduce((kept, step) => step(kept), given),
      value,
    );
  }
}

function checkedBy(check: (value: unknown) => boolean, value: unknown): boolean {
  try {
    return check(value);
  } catch (cause) {
    throw new AjvFault("Ajv must not throw", { cause });
  }
}

type Candidate = unknown;

/** Keywords that evaluate fields. */
const EVALUATING: readonly string[] = [
  "properties",
  "patternProperties",
  "additionalProperties",
  "$ref",
  "allOf",
  "anyOf",
  "oneOf",
  "if",
  "then",
  "else",
  "dependentSchemas",
];

/** Returns the candidate with the most fields, the first of several, or the value if there is none. */
function best(value: unknown, candidates: readonly Candidate[]): unknown {
  const kept = candidates.filter((candidate) => candidate !== REFUSED);
  const counts = kept.map(fieldsIn);
  return kept.length === 0 ? value : kept[counts.indexOf(Math.max(...counts))];
}

function fieldsIn(value: unknown): number {
  // Every field has a colon behind its name, and other colons are in strings.
  const names = JSON.stringify(value, (_, part: unknown) => (typeof part === "string" ? "" : part));
  return names.split('":').length - 1;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNever(schema: unknown): boolean {
  return (
    schema === false ||
    isDeepStrictEqual(schema, { not: {} }) ||
    isDeepStrictEqual(schema, { not: true }) ||
    (isFields(schema) && isDeepStrictEqual(schema["enum"], []))
  );
}

function encoded(name: string): string {
  return encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"));
}

/** Returns a part of the document whose references work outside of it. */
function absolute(part: unknown): unknown {
  return JSON.parse(JSON.stringify(part).replaceAll('"$ref":"#', '"$ref":"doc#'));
}
