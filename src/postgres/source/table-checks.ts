/**
 * What a source needs of its tables, whichever way it reads: they exist, and have the columns that rules name.
 *
 * While a source reads, a table can be dropped and created again, or a column renamed. Its changes would then be missing
 * without any error. So a leader checks the tables at intervals.
 *
 * Runs on: shard, if it has a source.
 */

import type { Client } from "pg";

import { hasCode, makeError, type SimurghError } from "../../errors.ts";
import type { SourceSettings } from "./options.ts";
import type { SourceReports } from "./reports.ts";

/** Interval at which a leader checks its tables (ms). */
export const LOOK_MS = 5_000;

interface FoundTable {
  readonly name: string;
  /** `r` for a table, `p` for one with partitions; null if it does not exist. */
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

/** Checks the tables of a leader at intervals. */
export class TableWatch {
  readonly #reports: SourceReports;
  readonly #check: () => Promise<void>;
  #lookedAtMs = performance.now();
  /** The fault that the last check found, which is not reported again. */
  #fault = "";

  /** @param check - rejects with SIM_ERR_SOURCE_SETUP if something is wrong */
  constructor(reports: SourceReports, check: () => Promise<void>) {
    this.#reports = reports;
    this.#check = check;
  }

  /** Checks the tables, if it is time. A fault is reported; the source goes on reading. @throws errors of the database */
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
