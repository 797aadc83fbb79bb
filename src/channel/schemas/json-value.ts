/**
 * Kinds and equality of JSON values. A JSON Schema is one, too.
 *
 * Runs on: any thread. Pure functions.
 */

/** An object of JSON. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Reports whether a JSON value is an object. */
export function isObject(value: unknown): value is JsonObject {
  return isNested(value) && !Array.isArray(value);
}

/** Reports whether a JSON value is an object or an array. */
export function isNested(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** Returns a text that is the same for equal JSON values, in whatever order their fields are. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const fields = Object.keys(value)
    .toSorted()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
  return `{${fields.join()}}`;
}
