/**
 * What a token carries, checked and typed by a schema of the user's: anything that is a Standard Schema.
 *
 * Runs on: any thread. Pure, as far as the schema is.
 */

import type { StandardSchemaV1 } from "@standard-schema/spec";

import { invalidOption } from "../definition-checks.ts";
import { kindOf } from "../errors.ts";

/** What a schema finds wrong. */
export type TokenIssues = readonly StandardSchemaV1.Issue[];

/** What checking gives. */
export type Checked<Output> =
  | { readonly ok: true; readonly value: Output }
  | { readonly ok: false; readonly issues: TokenIssues };

/** A schema, and what it makes of what it is given. */
export type Schema<Output> = StandardSchemaV1<unknown, Output>;

/** Throws for what is no schema. */
export function checkSchema(schema: unknown): void {
  const isObject = typeof schema === "object" || typeof schema === "function";
  if (schema === undefined || (isObject && schema !== null && "~standard" in schema)) return;
  const message = `schema must be a Standard Schema, got ${kindOf(schema)}`;
  throw invalidOption(message);
}

/** Checks a value by a schema; without one it is what it is. */
export async function checkedBy<Output>(
  schema: Schema<Output> | undefined,
  value: unknown,
): Promise<Checked<Output>> {
  return schema === undefined
    ? { ok: true, value: value as Output }
    : checkedOf(await schema["~standard"].validate(value));
}

/**
 * Checks a value by a schema that answers at once.
 *
 * @throws SIM_ERR_OPTION_INVALID for one that does not
 */
export function checkedNow<Output>(
  schema: Schema<Output> | undefined,
  value: unknown,
): Checked<Output> {
  if (schema === undefined) return { ok: true, value: value as Output };
  const result = schema["~standard"].validate(value);
  if (!(result instanceof Promise)) return checkedOf(result);
  // What it comes to is nobody's then.
  result.catch(() => {});
  const message = "schema must be one that answers at once, got a promise";
  throw invalidOption(message);
}

/** Says in a line what a schema has found. */
export function detailOf(issues: TokenIssues): string {
  return issues.map(({ message, path }) => `${pathText(path)}${message}`).join("; ");
}

function checkedOf<Output>(result: StandardSchemaV1.Result<Output>): Checked<Output> {
  return result.issues === undefined
    ? { ok: true, value: result.value }
    : { ok: false, issues: result.issues };
}

function pathText(path: StandardSchemaV1.Issue["path"]): string {
  const keys = (path ?? []).map((part) => String(typeof part === "object" ? part.key : part));
  return keys.length === 0 ? "" : `${keys.join(".")}: `;
}
