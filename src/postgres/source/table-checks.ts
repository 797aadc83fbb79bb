/**
 * What a source needs of its tables, whichever way it reads: they exist, and have the columns that rules name.
 *
 * A table can be dropped and created again, or a column get another name, while a source reads. Nothing would be read
 * of it then, and nobody would know. So a leader looks again now and then.
 *
 * Runs on: shard, if it has a source.
 */

import type { Client } from "pg";

import { hasCode, makeError, type SimurghError } from "../../errors.ts";
import type { SourceSettings } from "./options.ts";
import type { SourceReports } from "./reports.ts";

/** Interval at which a leader looks. */
export const LOOK_MS = 5_000;

interface FoundTable {
  readonly name: string;
  /** Of a table `r`, or `p` if it has partitions; null if there is none. */
  readonly kind: string | null;
  readonly missing: readonly string[];
}

/** Checks that all tables exist and have the columns of their rules. @throws SIM_ERR_SOURCE_SETUP (rejects) */
export async function checkTables(client: Client, { tables }: SourceSettings): Promise<void> {
  const wanted = [...tables.values()].map(({ name, schema, table, columns, changed }) => ({
    name,
    schema,
    table,
    columns: [...(columns ?? []), ...(changed ?? [])],
  }));
  const { rows } = await client.query<FoundTable>(
    `select w.name, c.relkind as kind, array(
         select column_name from jsonb_array_elements_text(w.columns) column_name
         where not exists (
           select from pg_attribute a
            where a.attrelid = c.oid and a.attname = column_name and a.attnum > 0 and not a.attisdropped
         )
       ) as missing
       from jsonb_to_recordset($1) as w (name text, schema text, "table" text, columns jsonb)
       left join pg_namespace n on n.nspname = w.schema
       left join pg_class c on c.relnamespace = n.oid and c.relname = w."table"`,
    [JSON.stringify(wanted)],
  );
  for (const { name, kind, missing } of rows) {
    if (kind === null) throw setup(`table ${name} must exist, got no table with this name`);
    if (kind !== "r" && kind !== "p")
      throw setup(`table ${name} must be a table, got a view or similar`);
    const [column] = missing;
    if (column === undefined) continue;
    throw setup(
      `table ${name} must have the columns of its rules (columns, changed), got no ${column}`,
    );
  }
}

/** Looks now and then whether the tables of a leader are still as they must be. */
export class TableWatch {
  readonly #reports: SourceReports;
  readonly #check: () => Promise<void>;
  #lookedAtMs = performance.now();
  /** What was wrong at the last look, which is not reported again. */
  #fault = "";

  /** @param check - rejects with SIM_ERR_SOURCE_SETUP if something is wrong */
  constructor(reports: SourceReports, check: () => Promise<void>) {
    this.#reports = reports;
    this.#check = check;
  }

  /** Looks, if it is time. What is wrong is reported: the other tables are read on. @throws errors of the database */
  async look(nowMs = performance.now()): Promise<void> {
    if (nowMs - this.#lookedAtMs < LOOK_MS) return;
    this.#lookedAtMs = nowMs;
    let fault = "";
    try {
      await this.#check();
    } catch (error) {
      if (!hasCode(error, "SIM_ERR_SOURCE_SETUP")) throw error;
      fault = String(error);
      if (fault !== this.#fault) this.#reports.error(error);
    }
    this.#fault = fault;
  }
}

/** Creates the error of a database that is not set up for a source. */
export function setup(message: string, cause?: unknown): SimurghError {
  return makeError("SIM_ERR_SOURCE_SETUP", message, { cause });
}
