/**
 * Checks the data of a token with a Standard Schema, which also types it.
 *
 * Runs on: any thread. Pure if the schema is.
 */

import type { StandardSchemaV1 } from "@standard-schema/spec";

import { invalidOption } from "../definition-checks.ts";
import { kindOf } from "../errors.ts";

/** Issues that a schema finds. */
export type TokenIssues = readonly StandardSchemaV1.Issue[];

/** Result of a check. */
export type Checked<Output> =
  | { readonly ok: true; readonly value: Output }
  | { readonly ok: false; readonly issues: TokenIssues };

/** A schema with its output type. */
export type Schema<Output> = StandardSchemaV1<unknown, Output>;

/** Checks that a value is a Standard Schema, or undefined. */
export function checkSchema(schema: unknown): void {
  const isObject = typeof schema === "object" || typeof schema === "function";
  if (schema === undefined || (isObject && schema !== null && "~standard" in schema)) return;
  const message = `schema must be a Standard Schema, got ${kindOf(schema)}`;
  throw invalidOption(message);
}

/** Checks a value with a schema. Without a schema, any value passes. */
export async function checkedBy<Output>(
  schema: Schema<Output> | undefined,
  value: unknown,
): Promise<Checked<Output>> {
  return schema === undefined
    ? { ok: true, value: value as Output }
    : checkedOf(await schema["~standard"].validate(value));
}

/**
 * Checks a value with a synchronous schema.
 *
 * @throws SIM_ERR_OPTION_INVALID if the schema is asynchronous
 */
export function checkedNow<Output>(
  schema: Schema<Output> | undefined,
  value: unknown,
): Checked<Output> {
  if (schema === undefined) return { ok: true, value: value as Output };
  const result = schema["~standard"].validate(value);
  if (!(result instanceof Promise)) return checkedOf(result);
  // Nobody waits for this promise, so its rejection is ignored.
  result.catch(() => {});
  const message = "schema must be synchronous, got a promise";
  throw invalidOption(message);
}

/** Returns the issues of a schema in one line. */
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
