/**
 * Names and values as parts of SQL, and the codes of the server's errors.
 *
 * Runs on: shard. Pure functions.
 */

import { codeOf } from "../../errors.ts";

const SQL_STATE = /^[0-9A-Z]{5}$/;

/** Writes a name as an SQL identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Writes a text as an SQL literal. */
export function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes("\\") ? ` E${quoted.replaceAll("\\", "\\\\")}` : quoted;
}

/** Writes the name of a table, with its schema, as SQL. */
export function tableName({
  schema,
  table,
}: {
  readonly schema: string;
  readonly table: string;
}): string {
  return `${identifier(schema)}.${identifier(table)}`;
}

/** Returns the SQLSTATE of a server's error; undefined for other errors. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = codeOf(error);
  return code !== undefined && SQL_STATE.test(code) ? code : undefined;
}
