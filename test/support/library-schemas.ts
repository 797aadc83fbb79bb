/**
 * Random types, and the JSON Schemas that four libraries emit for them.
 *
 * Runs on: the test's thread.
 */

import { Type, type TSchema } from "@sinclair/typebox";
import { toJsonSchema } from "@valibot/to-json-schema";
import { type, type Type as Ark } from "arktype";
import * as v from "valibot";
import { z } from "zod";

import { NAMES, type Dice } from "./random-schemas.ts";

/** What each kind of type consists of. */
interface Kinds {
  readonly string: object;
  readonly number: object;
  readonly integer: object;
  readonly boolean: object;
  readonly null: object;
  readonly unknown: object;
  readonly literals: { readonly values: readonly (string | number)[] };
  readonly array: { readonly of: Recipe };
  readonly record: { readonly of: Recipe };
  readonly nullable: { readonly of: Recipe };
  readonly tuple: { readonly parts: readonly Recipe[]; readonly rest: Recipe | undefined };
  readonly union: { readonly parts: readonly Recipe[] };
  readonly both: { readonly parts: readonly ObjectRecipe[] };
  readonly tagged: { readonly parts: readonly ObjectRecipe[] };
  readonly tree: { readonly fields: ObjectRecipe };
  readonly object: ObjectRecipe;
}

/** A type that all libraries can express. */
type Recipe = {
  readonly [Kind in keyof Kinds]: { readonly kind: Kind } & Kinds[Kind];
}[keyof Kinds];

/** Makes a library's type of each kind. */
type Makers<Made> = { readonly [Kind in keyof Kinds]: (given: Kinds[Kind]) => Made };

interface ObjectRecipe {
  readonly kind: "object";
  readonly fields: readonly RecipeField[];
  readonly isClosed: boolean;
}

interface RecipeField {
  readonly name: string;
  readonly of: Recipe;
  readonly isOptional: boolean;
}

/** Returns a random type: an object. */
export function randomRecipe(dice: Dice): Recipe {
  return objectRecipe(dice, 3);
}

function objectRecipe(dice: Dice, depth: number, names = NAMES): ObjectRecipe {
  const fields = dice.some(names, 0.6).map((name) => ({
    name,
    of: recipe(dice, depth - 1),
    isOptional: dice.chance(0.3),
  }));
  return { kind: "object", fields, isClosed: dice.chance(0.8) };
}

const SCALARS = ["string", "number", "integer", "boolean", "null", "unknown"] as const;

function recipe(dice: Dice, depth: number): Recipe {
  if (depth <= 0 || dice.chance(0.3)) {
    if (dice.chance(0.8)) return { kind: dice.one(SCALARS) };
    return { kind: "literals", values: dice.one([["a"], ["a", 1]]) };
  }
  const part = (): Recipe => recipe(dice, depth - 1);
  const object = (): ObjectRecipe => objectRecipe(dice, depth - 1);
  const create = dice.one<() => Recipe>([
    () => ({ kind: "array", of: part() }),
    () => ({ kind: "record", of: part() }),
    () => ({ kind: "nullable", of: part() }),
    () => {
      const rest = dice.chance(0.3) ? part() : undefined;
      return { kind: "tuple", parts: dice.list(1, 3, part), rest };
    },
    () => ({ kind: "union", parts: dice.list(2, 3, part) }),
    () => ({ kind: "both", parts: HALVES.map((names) => objectRecipe(dice, depth - 1, names)) }),
    () => ({ kind: "tagged", parts: dice.list(2, 3, object) }),
    () => ({ kind: "tree", fields: objectRecipe(dice, 1) }),
    () => objectRecipe(dice, depth),
    () => objectRecipe(dice, depth),
  ]);
  return create();
}

/** Names of the fields of two objects that are combined. */
const HALVES = [
  ["a", "c", "ac"],
  ["b", "ab"],
];

/** Returns a library's type, by its makers. */
function made<Made>(makers: Makers<Made>, given: Recipe): Made {
  return (makers[given.kind] as (given: Recipe) => Made)(given);
}

/** Makes the JSON Schema of a type with each library. Undefined: the library cannot express it. */
export const LIBRARIES: Readonly<Record<string, (recipe: Recipe) => object | undefined>> = {
  zod: (given) => z.toJSONSchema(zodOf(given)),
  valibot: (given) => toJsonSchema(valibotOf(given)),
  "valibot, draft 2020-12": (given) => toJsonSchema(valibotOf(given), { target: "draft-2020-12" }),
  arktype(given) {
    try {
      return arkOf(given).toJsonSchema();
    } catch {
      return undefined;
    }
  },
  typebox: (given) => JSON.parse(JSON.stringify(typeBoxOf(given))) as object,
};

const TAG = "kind";

const ZOD: Makers<z.ZodType> = {
  string: () => z.string(),
  number: () => z.number(),
  integer: () => z.int(),
  boolean: () => z.boolean(),
  null: () => z.null(),
  unknown: () => z.unknown(),
  literals: (given) => z.literal([...given.values]),
  array: (given) => z.array(zodOf(given.of)),
  record: (given) => z.record(z.string(), zodOf(given.of)),
  nullable: (given) => z.nullable(zodOf(given.of)),
  tuple: (given) =>
    given.rest
      ? z.tuple(given.parts.map(zodOf) as [z.ZodType], zodOf(given.rest))
      : z.tuple(given.parts.map(zodOf) as [z.ZodType]),
  union: (given) => z.union(given.parts.map(zodOf)),
  both: (given) => given.parts.map(zodOf).reduce((left, right) => z.intersection(left, right)),
  tagged: (given) =>
    z.discriminatedUnion(
      TAG,
      given.parts.map((part, at) =>
        zodObject(part).extend({ [TAG]: z.literal(`k${at}`) }),
      ) as never,
    ),
  tree: (given) => {
    const tree: z.ZodType = zodObject(given.fields).extend({
      get next() {
        return z.nullable(tree);
      },
      get others() {
        return z.array(tree).optional();
      },
    });
    return tree;
  },
  object: (given) => zodObject(given),
};

function zodOf(given: Recipe): z.ZodType {
  return made(ZOD, given);
}

function zodObject({ fields, isClosed }: ObjectRecipe): z.ZodObject {
  const shape = fields.map(({ name, of, isOptional }) => {
    return [name, isOptional ? zodOf(of).optional() : zodOf(of)] as const;
  });
  const object = z.object(Object.fromEntries(shape));
  return isClosed ? object : object.loose();
}

type Valibot = v.GenericSchema;

const VALIBOT: Makers<Valibot> = {
  string: () => v.string(),
  number: () => v.number(),
  integer: () => v.pipe(v.number(), v.integer()),
  boolean: () => v.boolean(),
  null: () => v.null(),
  unknown: () => v.unknown(),
  literals: (given) => v.picklist(given.values),
  array: (given) => v.array(valibotOf(given.of)),
  record: (given) => v.record(v.string(), valibotOf(given.of)),
  nullable: (given) => v.nullable(valibotOf(given.of)),
  tuple: (given) => {
    const parts = given.parts.map(valibotOf);
    return given.rest ? v.tupleWithRest(parts, valibotOf(given.rest)) : v.strictTuple(parts);
  },
  union: (given) => v.union(given.parts.map(valibotOf)),
  both: (given) => v.intersect(given.parts.map(valibotOf)),
  tagged: (given) =>
    v.variant(
      TAG,
      given.parts.map((part, at) => valibotObject(part, { [TAG]: v.literal(`k${at}`) })) as never,
    ),
  tree: (given) => {
    const tree: Valibot = valibotObject(given.fields, {
      next: v.nullable(v.lazy(() => tree)),
      others: v.optional(v.array(v.lazy(() => tree))),
    });
    return tree;
  },
  object: (given) => valibotObject(given, {}),
};

function valibotOf(given: Recipe): Valibot {
  return made(VALIBOT, given);
}

function valibotObject({ fields, isClosed }: ObjectRecipe, more: Record<string, Valibot>): Valibot {
  const entries = fields.map(({ name, of, isOptional }) => {
    return [name, isOptional ? v.optional(valibotOf(of)) : valibotOf(of)] as const;
  });
  const all = { ...Object.fromEntries(entries), ...more };
  return isClosed ? v.strictObject(all) : v.looseObject(all);
}

const ARKTYPE: Makers<Ark> = {
  string: () => type("string"),
  number: () => type("number"),
  boolean: () => type("boolean"),
  null: () => type("null"),
  unknown: () => type("unknown"),
  integer: () => type("number.integer"),
  literals: (given) => type.enumerated(...given.values),
  array: (given) => arkOf(given.of).array(),
  record: (given) => type({ "[string]": arkOf(given.of) }),
  nullable: (given) => arkOf(given.of).or("null"),
  tuple: (given) => {
    const parts = given.parts.map(arkOf);
    return type((given.rest ? [...parts, "...", arkOf(given.rest).array()] : parts) as never);
  },
  union: (given) => given.parts.map(arkOf).reduce((left, right) => left.or(right)),
  both: (given) => given.parts.map(arkOf).reduce((left, right) => left.and(right)),
  tagged: (given) =>
    given.parts
      .map((part, at) => arkObject(part, { [TAG]: type.unit(`k${at}`) }))
      .reduce((left, right) => left.or(right)),
  tree: (given) => {
    const more = { next: "tree | null", "others?": "tree[]" };
    const scope: object = type.module({ tree: arkDefinition(given.fields, more) });
    return (scope as { readonly tree: Ark }).tree;
  },
  object: (given) => arkObject(given, {}),
};

function arkOf(given: Recipe): Ark {
  return made(ARKTYPE, given);
}

function arkObject(given: ObjectRecipe, more: object): Ark {
  return type(arkDefinition(given, more) as never);
}

function arkDefinition({ fields, isClosed }: ObjectRecipe, more: object): object {
  const entries = fields.map(({ name, of, isOptional }) => {
    return [isOptional ? `${name}?` : name, arkOf(of)] as const;
  });
  return { ...(isClosed && { "+": "reject" }), ...Object.fromEntries(entries), ...more };
}

const TYPEBOX: Makers<TSchema> = {
  string: () => Type.String(),
  number: () => Type.Number(),
  integer: () => Type.Integer(),
  boolean: () => Type.Boolean(),
  null: () => Type.Null(),
  unknown: () => Type.Unknown(),
  literals: (given) => Type.Union(given.values.map((value) => Type.Literal(value))),
  array: (given) => Type.Array(typeBoxOf(given.of)),
  record: (given) => Type.Record(Type.String(), typeBoxOf(given.of)),
  nullable: (given) => Type.Union([typeBoxOf(given.of), Type.Null()]),
  tuple: (given) => Type.Tuple(given.parts.map(typeBoxOf)),
  union: (given) => Type.Union(given.parts.map(typeBoxOf)),
  both: (given) => {
    const parts = given.parts.map((part) => typeBoxOf({ ...part, isClosed: false }));
    return Type.Intersect(parts, { unevaluatedProperties: false });
  },
  tagged: (given) =>
    Type.Union(
      given.parts.map((part, at) => typeBoxObject(part, { [TAG]: Type.Literal(`k${at}`) })),
    ),
  tree: (given) =>
    Type.Recursive((self) =>
      typeBoxObject(given.fields, {
        next: Type.Union([self, Type.Null()]),
        others: Type.Optional(Type.Array(self)),
      }),
    ),
  object: (given) => typeBoxObject(given, {}),
};

function typeBoxOf(given: Recipe): TSchema {
  return made(TYPEBOX, given);
}

function typeBoxObject(
  { fields, isClosed }: ObjectRecipe,
  more: Readonly<Record<string, TSchema>>,
): TSchema {
  const entries = fields.map(({ name, of, isOptional }) => {
    return [name, isOptional ? Type.Optional(typeBoxOf(of)) : typeBoxOf(of)] as const;
  });
  const options = isClosed ? { additionalProperties: false } : {};
  return Type.Object({ ...Object.fromEntries(entries), ...more }, options);
}
