/**
 * The part of JSON Schema (draft 7) from which types are derived.
 *
 * Runs on: nowhere; types only.
 */

/** A JSON Schema with the supported keywords. TypeBox schemas are of this type. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: object;
  readonly required?: readonly string[] | undefined;
  readonly additionalProperties?: unknown;
  readonly items?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly unknown[];
  readonly oneOf?: readonly unknown[];
  readonly $ref?: string;
}

/** Type of a value that matches a schema; `unknown` if the schema does not specify a type. */
export type JsonSchemaValue<Schema> = Schema extends { readonly static: infer Value }
  ? Value
  : Schema extends { readonly const: infer Value }
    ? Value
    : Schema extends { readonly enum: readonly (infer Value)[] }
      ? Value
      : Schema extends { readonly anyOf: readonly (infer Choice)[] }
        ? JsonSchemaValue<Choice>
        : Schema extends { readonly oneOf: readonly (infer Choice)[] }
          ? JsonSchemaValue<Choice>
          : Schema extends { readonly type: readonly (infer Name)[] }
            ? Name extends string
              ? ValueOf<Name, Schema>
              : never
            : Schema extends { readonly type: infer Name extends string }
              ? ValueOf<Name, Schema>
              : unknown;

interface Scalars {
  readonly string: string;
  readonly number: number;
  readonly integer: number;
  readonly boolean: boolean;
  readonly null: null;
}

type ValueOf<Name extends string, Schema> = Name extends keyof Scalars
  ? Scalars[Name]
  : Name extends "array"
    ? Schema extends { readonly items: infer Item }
      ? readonly JsonSchemaValue<Item>[]
      : readonly unknown[]
    : Name extends "object"
      ? ObjectOf<Schema>
      : unknown;

type ObjectOf<Schema> = Schema extends { readonly properties: infer Properties }
  ? Simplified<
      {
        readonly [
          Key in keyof Properties as Key extends RequiredOf<Schema> ? Key : never
        ]: JsonSchemaValue<Properties[Key]>;
      } & {
        readonly [
          Key in keyof Properties as Key extends RequiredOf<Schema> ? never : Key
        ]?: JsonSchemaValue<Properties[Key]>;
      }
    >
  : Schema extends { readonly additionalProperties: infer Value extends object }
    ? Readonly<Record<string, JsonSchemaValue<Value>>>
    : object;

type RequiredOf<Schema> = Schema extends { readonly required: readonly (infer Key)[] }
  ? Key
  : never;

/** Merges an intersection into one object type, which is easier to read in compiler errors. */
type Simplified<Type> = { [Key in keyof Type]: Type[Key] };
