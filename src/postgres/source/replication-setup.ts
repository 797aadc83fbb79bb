/**
 * What logical replication needs of a database: `wal_level`, identities of tables, a publication and a slot.
 *
 *   publication missing, slot missing             both are created: the source begins here
 *   publication without its slot, being created   the slot is created
 *   one of the two missing, slot invalidated      SIM_ERR_SOURCE_SLOT, or a new slot (`lostSlot`)
 *   publication and slot                          read on
 *
 * The publication is created before the slot, because a slot cannot decode what was written before its publication
 * existed. Until the slot exists, the comment of the publication says so. Otherwise an interruption between the two would
 * look like a lost slot.
 *
 * Runs on: shard. Only the leader creates anything.
 */

import type { Client } from "pg";

import { makeError, type SimurghError } from "../../errors.ts";
import { FIRST_OWN_TYPE, type LoadedTypes } from "./replication-decoder.ts";
import { identifier, literal, sqlStateOf, tableName } from "./sql-text.ts";
import { checkTables, setup } from "./table-checks.ts";
import type { SourceSettings, TableRules } from "./options.ts";

const PLUGIN = "pgoutput";
const CREATING = "simurgh: its slot is being created";
const DUPLICATE_OBJECT = "42710";

interface TypeRow {
  readonly oid: number;
  /** Of an array; 0 otherwise. */
  readonly element: number;
  /** Of a domain; 0 otherwise. */
  readonly base: number;
}

interface TableState {
  readonly name: string;
  /** `d` default (primary key), `n` nothing, `f` full, `i` an index; of each partition, if it has any. */
  readonly identities: readonly string[] | null;
  readonly has_key: boolean;
}

interface SlotState {
  readonly plugin: string | null;
  readonly database: string | null;
  readonly here: string;
  readonly wal_status: string | null;
  readonly confirmed: string | null;
}

/** Checks the parts that a source cannot create by itself. @throws SIM_ERR_SOURCE_SETUP (rejects) */
export async function checkReplication(client: Client, settings: SourceSettings): Promise<void> {
  const { rows } = await client.query<{ wal_level: string }>("show wal_level");
  if (rows[0]?.wal_level !== "logical") {
    const fix = "run alter system set wal_level = 'logical', and restart PostgreSQL";
    const got = `got ${rows[0]?.wal_level}`;
    throw setup(`wal_level of ${settings.address.shown} must be logical, ${got}: ${fix}`);
  }
  await checkTables(client, settings);
  for (const table of await statesOf(client, settings)) {
    checkTable(table, settings.tables.get(table.name) as TableRules);
  }
}

/**
 * Checks a database that is being read, and adds tables that were created again to the publication.
 *
 * @throws SIM_ERR_SOURCE_SETUP (rejects), also if a table was added, because its earlier changes are missing
 */
export async function checkRunning(client: Client, settings: SourceSettings): Promise<void> {
  await checkReplication(client, settings);
  if ((await publicationOf(client, settings)) === undefined) return;
  const added = await addTables(client, settings);
  if (added.length === 0) return;
  const rule = `publication ${settings.publication} must publish ${added.join(" and ")}`;
  throw setup(
    `${rule}, got a publication without: a table was created again or removed from it. It is published from now on; earlier changes are missing, so have clients load their data again`,
  );
}

/** Creates the publication and the slot, or checks them. */
export async function prepareReplication(
  client: Client,
  settings: SourceSettings,
  onLost: (error: Error) => void,
): Promise<void> {
  await checkReplication(client, settings);
  const publication = await publicationOf(client, settings);
  const slot = await slotOf(client, settings);
  const problem = problemOf(publication, slot);
  if (problem !== undefined) {
    const lost = slotLost(settings, problem, slot?.confirmed);
    if (settings.lostSlot === "error") throw lost;
    onLost(lost);
    if (slot) await client.query("select pg_drop_replication_slot($1)", [settings.slot]);
  }
  if (publication === undefined) await createPublication(client, settings);
  else await addTables(client, settings);
  if (slot === undefined || problem !== undefined) await createSlot(client, settings);
  if (publication === undefined || publication.comment === CREATING || problem !== undefined) {
    await comment(client, settings, "Created by Simurgh");
  }
}

/** Returns the types of the database: the elements of arrays, the bases of domains, and all that exist now. */
export async function typesOf(client: Client): Promise<LoadedTypes> {
  const { rows } = await client.query<TypeRow>(
    `select oid, case when typcategory = 'A' and typtype <> 'd' then typelem else 0 end as element, typbasetype as base
       from pg_type where oid >= $1 or typtype = 'd' or (typcategory = 'A' and typelem <> 0)`,
    [FIRST_OWN_TYPE],
  );
  return {
    elements: new Map(
      rows.filter((type) => type.element !== 0).map((type) => [type.oid, type.element]),
    ),
    bases: new Map(rows.filter((type) => type.base !== 0).map((type) => [type.oid, type.base])),
    known: new Set(rows.map(({ oid }) => oid)),
  };
}

function statesOf(client: Client, { tables }: SourceSettings): Promise<readonly TableState[]> {
  return client
    .query<TableState>(
      `select name, i.identities, coalesce(i.has_key, false) as has_key
         from unnest($1::text[], $2::text[], $3::text[]) as w (name, nsp, rel)
         left join pg_namespace n on n.nspname = w.nsp
         left join pg_class c on c.relnamespace = n.oid and c.relname = w.rel
         left join lateral (
           select array_agg(distinct l.relreplident::text) as identities,
                  bool_and(exists (select from pg_index k where k.indrelid = l.oid and k.indisprimary)) as has_key
             from pg_class l where l.relkind = 'r'
              and (l.oid = c.oid or l.oid in (select relid from pg_partition_tree(c.oid) where isleaf))
         ) i on c.oid is not null`,
      [
        [...tables.keys()],
        [...tables.values()].map(({ schema }) => schema),
        [...tables.values()].map(({ table }) => table),
      ],
    )
    .then(({ rows }) => rows);
}

function checkTable({ name, identities, has_key }: TableState, rules: TableRules): void {
  const full = `run alter table ${tableName(rules)} replica identity full`;
  const given = identities ?? [];
  if (rules.needsOld && given.some((identity) => identity !== "f")) {
    throw setup(
      `table ${name} must have REPLICA IDENTITY FULL, as its rules need old values (old, changed): ${full}`,
    );
  }
  // PostgreSQL refuses updates and deletes of such a table as soon as it is published.
  if (given.every((identity) => identity !== "n" && (identity !== "d" || has_key))) return;
  throw setup(`table ${name} must have a primary key or another REPLICA IDENTITY: ${full}`);
}

interface PublicationState {
  readonly comment: string | null;
}

async function publicationOf(
  client: Client,
  { publication }: SourceSettings,
): Promise<PublicationState | undefined> {
  const { rows } = await client.query<PublicationState>(
    "select obj_description(oid, 'pg_publication') as comment from pg_publication where pubname = $1",
    [publication],
  );
  return rows[0];
}

async function createPublication(
  client: Client,
  { publication, tables }: SourceSettings,
): Promise<void> {
  const name = identifier(publication);
  const list = [...tables.values()].map(tableName).join(", ");
  // One string is one transaction.
  await client.query(
    `create publication ${name} for table ${list} with (publish_via_partition_root = true);
     comment on publication ${name} is ${literal(CREATING)}`,
  );
}

/** Adds the tables that were not published so far. @returns their names */
async function addTables(
  client: Client,
  { publication, tables }: SourceSettings,
): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    "select schemaname || '.' || tablename as name from pg_publication_tables where pubname = $1",
    [publication],
  );
  const known = new Set(rows.map(({ name }) => name));
  const missing = [...tables.values()].filter(({ name }) => !known.has(name));
  if (missing.length === 0) return [];
  const list = missing.map(tableName).join(", ");
  const sql = `alter publication ${identifier(publication)} add table ${list}`;
  try {
    await client.query(sql);
    return missing.map(({ name }) => name);
  } catch (cause) {
    throw setup(`publication ${publication} must publish all tables: run ${sql}`, cause);
  }
}

async function slotOf(client: Client, { slot }: SourceSettings): Promise<SlotState | undefined> {
  const { rows } = await client.query<SlotState>(
    `select plugin, database, current_database() as here, wal_status, confirmed_flush_lsn::text as confirmed
       from pg_replication_slots where slot_name = $1`,
    [slot],
  );
  const [state] = rows;
  if (state === undefined) return undefined;
  const { plugin, database, here } = state;
  if (plugin === PLUGIN && database === here) return state;
  throw setup(
    `slot ${slot} must be of ${PLUGIN} and of database ${here}, got ${plugin} and ${database}: choose another slot`,
  );
}

/** @returns what has happened to the slot; undefined if it is in order, or is to be created */
function problemOf(
  publication: PublicationState | undefined,
  slot: SlotState | undefined,
): string | undefined {
  if (publication === undefined)
    return slot && "has no publication any more, since that was dropped";
  if (publication.comment === CREATING) return undefined;
  if (slot === undefined) return "was dropped";
  if (slot.wal_status !== "lost") return undefined;
  return "was invalidated, since it needed more than max_slot_wal_keep_size";
}

async function createSlot(client: Client, { slot }: SourceSettings): Promise<void> {
  try {
    await client.query("select pg_create_logical_replication_slot($1, $2)", [slot, PLUGIN]);
  } catch (error) {
    if (sqlStateOf(error) !== DUPLICATE_OBJECT) throw error;
  }
}

async function comment(client: Client, settings: SourceSettings, text: string): Promise<void> {
  const name = identifier(settings.publication);
  await client.query(`comment on publication ${name} is ${literal(text)}`);
}

function slotLost(
  { slot, publication, lostSlot }: SourceSettings,
  problem: string,
  confirmed: string | null | undefined,
): SimurghError {
  const since = confirmed ? ` since ${confirmed}` : "";
  const fix =
    lostSlot === "recreate"
      ? "it is created again, and changes from now on are published"
      : `drop publication ${identifier(publication)}, or set lostSlot to recreate, to go on with a new slot`;
  const lost = `changes${since} are lost unless they were published before`;
  return makeError(
    "SIM_ERR_SOURCE_SLOT",
    `slot ${slot} must be usable, got one that ${problem}; ${lost}; ${fix}`,
  );
}
