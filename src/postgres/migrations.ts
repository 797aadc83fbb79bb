/**
 * Creates and upgrades the schema: `simurgh postgres install`.
 *
 * Each version is a migration in the folder of the part that needs it. A released migration is never changed: a change
 * of the schema is a further migration. Those that are missing are applied in one transaction, under an advisory lock.
 *
 *   install   lock, read the version, apply what is missing, note it, commit
 *   check     what a starting shard does: the version must be the last one
 *
 * Runs on: main, for `simurgh postgres`; shard, for the check.
 */

import { makeError } from "../errors.ts";
import type { Queries } from "./database.ts";
import { OWN_NAMES } from "./library.ts";
import type { Migration } from "./migration.ts";
import { sourceMigration } from "./source/migration.ts";
import { grantsTo, transportMigration } from "./transport/migration.ts";

/** All migrations: the version of the schema is how many of them it has. */
const MIGRATIONS: readonly Migration[] = [transportMigration, sourceMigration];

/** The oldest version of PostgreSQL that the migrations run on. */
const OLDEST_SERVER = 140_000;
/** Key of the advisory lock, with the hash of the schema's name: "simu" in ASCII. */
const LOCK = 0x73_69_6d_75;

/** What an installation did, or would do. */
export interface Installation {
  /** The version before it; 0 if there was none. */
  readonly from: number;
  readonly to: number;
  /** The statements, as a script for psql; empty if nothing is missing. */
  readonly script: string;
}

/**
 * Applies the migrations that are missing.
 *
 * @param grants - roles that may open sessions from now on
 * @param migrations - all of them; others in tests
 * @throws SIM_ERR_DATABASE_SCHEMA (rejects) if the schema is newer, or the server older than PostgreSQL 14
 */
export async function install(
  database: Queries,
  schema: string,
  grants: readonly string[] = [],
  migrations = MIGRATIONS,
): Promise<Installation> {
  await database.query("BEGIN");
  try {
    await database.query(lockOf(schema));
    const planned = await plan(database, schema, grants, migrations);
    if (planned.statements !== "") await database.query(planned.statements);
    await database.query("COMMIT");
    return planned;
  } catch (error) {
    // The connection may be gone, which ends the transaction as well.
    await database.query("ROLLBACK").catch(() => {});
    throw error;
  }
}

/** Returns what `install` would do, and changes nothing. Parameters and errors are those of `install`. */
export async function plan(
  database: Queries,
  schema: string,
  grants: readonly string[] = [],
  migrations = MIGRATIONS,
): Promise<Installation & { readonly statements: string }> {
  await checkServer(database);
  const isThere = await hasSchema(database, schema);
  const from = isThere ? await versionOf(database, schema) : 0;
  const to = migrations.length;
  if (from > to) throw versionError(schema, from);
  const steps = migrations.slice(from).map((migration, at) => {
    const version = from + at + 1;
    return `-- ${version}: ${migration.name}
${migration.sql(schema).trim()}
INSERT INTO ${schema}.migrations (version, name) VALUES (${version}, '${migration.name}');
`;
  });
  if (from === 0) steps.unshift(firstOf(schema, isThere));
  const statements = [...steps, ...grants.map((role) => grantsTo(role, schema))].join("\n");
  const script =
    statements === ""
      ? ""
      : `BEGIN;\nSET LOCAL ${OWN_NAMES};\n${lockOf(schema)};\n${statements}\nCOMMIT;\n`;
  return { from, to, statements, script };
}

/** A role that uses a schema by its privileges, and need not own it. */
export interface SchemaReader {
  /** The role that may own the schema. Superusers may, too. */
  readonly owner: string | undefined;
  /** Checks the privileges, once the owner is known to be trusted. */
  checkGrants(): Promise<void>;
}

/**
 * Checks that a schema has the version of this package, and an owner whose triggers may run as our role.
 *
 * @param reader - unless the role must own the schema
 * @throws SIM_ERR_DATABASE_SCHEMA (rejects)
 */
export async function checkSchema(
  database: Queries,
  schema: string,
  reader?: SchemaReader,
): Promise<void> {
  const isThere = await hasSchema(database, schema, reader);
  if (isThere) await reader?.checkGrants();
  const version = isThere ? await versionOf(database, schema) : 0;
  if (version !== MIGRATIONS.length) throw versionError(schema, version);
}

/**
 * Reports whether a schema exists.
 *
 * @throws SIM_ERR_DATABASE_SCHEMA (rejects) if another role may put objects into it that would run as this one
 */
async function hasSchema(
  database: Queries,
  schema: string,
  reader?: SchemaReader,
): Promise<boolean> {
  if (schema === "public") throw ownerError(schema, "the schema of all roles", reader);
  // For a superuser, pg_has_role is true of every role, so it is asked only if we are none. An owner who is a superuser
  // is trusted, since it can act as us anyway.
  const [found] = await database.query<{ owner: string; is_ours: boolean }>(
    `SELECT o.rolname AS owner,
       o.oid = me.oid OR ($2 AND o.rolsuper)
         OR (NOT me.rolsuper AND (pg_has_role(me.oid, o.oid, 'usage') OR ($2 AND o.rolname = $3))) AS is_ours
     FROM pg_namespace n
     JOIN pg_roles o ON o.oid = n.nspowner
     JOIN pg_roles me ON me.rolname = current_user
     WHERE n.nspname = $1`,
    [schema, reader !== undefined, reader?.owner ?? ""],
  );
  if (found && !found.is_ours) throw ownerError(schema, `the owner ${found.owner}`, reader);
  return found !== undefined;
}

/** Returns the version of a schema; 0 if it has none. */
async function versionOf(database: Queries, schema: string): Promise<number> {
  const table = `${schema}.migrations`;
  const [found] = await database.query<{ has: boolean }>(
    "SELECT to_regclass($1) IS NOT NULL AS has",
    [table],
  );
  if (found?.has !== true) return 0;
  const [row] = await database.query<{ version: number | null }>(
    `SELECT max(version) AS version FROM ${table}`,
  );
  return row?.version ?? 0;
}

async function checkServer(database: Queries): Promise<void> {
  const [row] = await database.query<{ version: string }>(
    "SELECT current_setting('server_version_num') AS version",
  );
  if (Number(row?.version) >= OLDEST_SERVER) return;
  const message = `the server must be PostgreSQL 14 or later, got version number ${row?.version}`;
  throw makeError("SIM_ERR_DATABASE_SCHEMA", message);
}

function versionError(schema: string, version: number): Error {
  const got = version === 0 ? "no such schema" : `version ${version}`;
  return makeError(
    "SIM_ERR_DATABASE_SCHEMA",
    `the schema ${schema} must have version ${MIGRATIONS.length} (simurgh postgres install), got ${got}`,
  );
}

function ownerError(schema: string, got: string, reader?: SchemaReader): Error {
  const rule = `the schema ${schema} must belong to the role of the database's URL`;
  const message = reader
    ? `${rule}, to a superuser, or to the role that the option owner names, got ${got}; set owner, and log in as a role that is no superuser`
    : `${rule}, got ${got}`;
  return makeError("SIM_ERR_DATABASE_SCHEMA", message);
}

function lockOf(schema: string): string {
  return `SELECT pg_advisory_xact_lock(${LOCK}, hashtext('${schema}'))`;
}

// Not IF NOT EXISTS: a role that created the schema in between would own it.
function firstOf(schema: string, isThere: boolean): string {
  return `${isThere ? "" : `CREATE SCHEMA ${schema};\n`}CREATE TABLE ${schema}.migrations (
  version int PRIMARY KEY,
  name text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);
`;
}
