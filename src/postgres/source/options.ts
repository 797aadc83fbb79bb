/**
 * The options of a source, their checks and their defaults.
 *
 * Runs on: shard, once when the app module calls `postgresSource`.
 */

import {
  checkChoice,
  checkFunction,
  checkKeys,
  checkObject,
  invalid,
  isCount,
  shown,
} from "../../definition-checks.ts";
import { addressOf, type PostgresAddress, type PostgresOptions } from "../address.ts";
import type { Change, ChangeOperation, MapResult } from "./change.ts";

/** Turns a change into messages. If it throws, only this change is lost. */
export type ChangeMap = (change: Change) => MapResult;

/** What is published of a table. */
export interface SourceTable {
  /** Operations that are published. Default: insert, update and delete. */
  readonly when?: readonly ChangeOperation[];
  /** Columns of `row` and `old`. Default: all. */
  readonly columns?: readonly string[];
  /** Updates are published only if one of these columns has changed. Needs old values. */
  readonly changed?: readonly string[];
  /**
   * True if `filter` or `map` needs the whole row as it was (`change.old`). By replication, the table needs REPLICA
   * IDENTITY FULL. Default: false.
   */
  readonly old?: boolean;
  /** Returns whether a change is published. Gets all columns. */
  readonly filter?: (change: Change) => boolean;
  /** Default: `map` of the source. */
  readonly map?: ChangeMap;
}

/** Options of `postgresSource`. */
export interface PostgresSourceOptions extends PostgresOptions {
  /**
   * Name of the source, and of its transport in `server.stats()`. Sources with the same name in a cluster are one
   * source, which one thread reads. Defaults to `postgres_source`.
   */
  readonly name?: string;
  /**
   * How changes are read. `triggers`: triggers write them to a table. `replication`: from the write-ahead log, which
   * needs `wal_level=logical`, the package `pg-logical-replication`, and a role with REPLICATION.
   */
  readonly by: "triggers" | "replication";
  /** Tables by name with schema, such as `public.orders`. */
  readonly tables: Readonly<Record<string, SourceTable>>;
  /** Turns changes into messages, for tables without a `map`. */
  readonly map?: ChangeMap;
  /**
   * By triggers: the role that owns the schema, if the source logs in as another role that has only privileges in it.
   * Triggers of the owner run with the source's privileges, so name only an owner that you trust. Not needed if a
   * superuser owns the schema, or if the source's role is a member of the owner.
   */
  readonly owner?: string;
  /** By replication: name of the slot. Defaults to `simurgh_` and the source's name. */
  readonly slot?: string;
  /** By replication: name of the publication. Defaults to `simurgh_` and the source's name. */
  readonly publication?: string;
  /**
   * By replication: what to do if the slot has been dropped or invalidated, so that changes are lost. `error`
   * (default): report it and publish nothing until somebody decides. `recreate`: report it and go on with a new slot.
   */
  readonly lostSlot?: "error" | "recreate";
  /** By triggers: time for which changes are kept after they were published (ms). Defaults to 0: none. */
  readonly retainMs?: number;
  /**
   * By triggers: interval at which the table is read without a notification (ms). Defaults to 1 000. A tenth of it is the
   * interval for tables that were watched without `notify`.
   */
  readonly pollMs?: number;
  /** Changes that are read and published together, and messages on their way to keepers. Defaults to 500. */
  readonly maxInFlight?: number;
  /** Size of the changes that are read together, or wait (bytes). Defaults to 4 MiB. */
  readonly batchBytes?: number;
  /**
   * Called with each error: of the database, or of a change, which is passed as well. Default: writes a line to the
   * log, at most a few per second.
   */
  readonly onError?: (error: Error, change: Change | undefined) => void;
}

/** A table, as checked. */
export interface TableRules {
  readonly schema: string;
  readonly table: string;
  /** As given: with schema. */
  readonly name: string;
  readonly when: ReadonlySet<ChangeOperation>;
  readonly columns: readonly string[] | undefined;
  readonly changed: readonly string[] | undefined;
  readonly needsOld: boolean;
  readonly filter: ((change: Change) => boolean) | undefined;
  readonly map: ChangeMap;
}

/** Options with their defaults. */
export interface SourceSettings {
  readonly address: PostgresAddress;
  readonly name: string;
  readonly by: "triggers" | "replication";
  readonly tables: ReadonlyMap<string, TableRules>;
  readonly owner: string | undefined;
  readonly slot: string;
  readonly publication: string;
  readonly lostSlot: "error" | "recreate";
  readonly retainMs: number;
  readonly pollMs: number;
  readonly maxInFlight: number;
  readonly batchBytes: number;
  readonly onError: PostgresSourceOptions["onError"];
}

const OPTIONS = [
  "url",
  "schema",
  "name",
  "by",
  "tables",
  "map",
  "owner",
  "slot",
  "publication",
  "lostSlot",
  "retainMs",
  "pollMs",
  "maxInFlight",
  "batchBytes",
  "onError",
] satisfies readonly (keyof PostgresSourceOptions)[];
const TABLE_KEYS = [
  "when",
  "columns",
  "changed",
  "old",
  "filter",
  "map",
] satisfies readonly (keyof SourceTable)[];
const OPERATIONS: readonly ChangeOperation[] = ["insert", "update", "delete", "truncate"];
const DEFAULT_WHEN: readonly ChangeOperation[] = ["insert", "update", "delete"];
/** With `simurgh_` before it, a name is also that of a slot, of which PostgreSQL takes 63 characters. */
const NAME = /^[a-z_][a-z0-9_]{0,39}$/;
const SLOT = /^[a-z0-9_]{1,63}$/;
const MAX_NAME_BYTES = 63;
const MAX_RETAIN_MS = 30 * 86_400_000;
const MAX_POLL_MS = 60_000;
const MAX_IN_FLIGHT = 10_000;
const MIN_BATCH_BYTES = 65_536;
const MAX_BATCH_BYTES = 268_435_456;

/**
 * Checks options and adds the defaults.
 *
 * @throws SIM_ERR_DEFINITION_INVALID; SIM_ERR_OPTION_INVALID for `url` and `schema`
 */
export function settingsOf(
  options: PostgresSourceOptions,
  environment: Readonly<Record<string, string | undefined>>,
): SourceSettings {
  checkKeys("postgresSource", options, OPTIONS);
  const { name = "postgres_source", by, map, owner, onError } = options;
  checkName("name", name, NAME, "at most 40 lower-case letters, digits and _");
  checkChoice("by", by, ["triggers", "replication"]);
  checkOptionalFunction("map", map);
  checkOptionalFunction("onError", onError);
  if (owner !== undefined) checkPostgresName("owner", owner);
  const { slot = `simurgh_${name}`, publication = `simurgh_${name}`, lostSlot = "error" } = options;
  checkName("slot", slot, SLOT, "at most 63 lower-case letters, digits and _");
  checkPostgresName("publication", publication);
  checkChoice("lostSlot", lostSlot, ["error", "recreate"]);
  const { retainMs = 0, pollMs = 1_000, maxInFlight = 500, batchBytes = 4_194_304 } = options;
  checkInteger("retainMs", retainMs, 0, MAX_RETAIN_MS, "ms");
  checkInteger("pollMs", pollMs, 10, MAX_POLL_MS, "ms");
  checkInteger("maxInFlight", maxInFlight, 1, MAX_IN_FLIGHT, "changes");
  checkInteger("batchBytes", batchBytes, MIN_BATCH_BYTES, MAX_BATCH_BYTES, "bytes");
  return {
    address: addressOf(options, environment),
    name,
    by,
    tables: tablesOf(options.tables, map),
    owner,
    slot,
    publication,
    lostSlot,
    retainMs,
    pollMs,
    maxInFlight,
    batchBytes,
    onError,
  };
}

function tablesOf(
  tables: PostgresSourceOptions["tables"],
  map: ChangeMap | undefined,
): ReadonlyMap<string, TableRules> {
  checkObject("tables", tables);
  const rules = Object.entries(tables).map(([name, table]) => rulesOf(name, table, map));
  if (rules.length === 0) throw invalid("tables must name at least one table, got none");
  return new Map(rules.map((table) => [table.name, table]));
}

function rulesOf(name: string, given: SourceTable, sourceMap: ChangeMap | undefined): TableRules {
  const subject = `tables["${name}"]`;
  const dot = name.indexOf(".");
  if (dot <= 0 || dot === name.length - 1) {
    throw invalid(`tables must have names with schema such as public.orders, got ${shown(name)}`);
  }
  checkKeys(subject, given, TABLE_KEYS);
  const { when = DEFAULT_WHEN, columns, changed, old = false, filter, map = sourceMap } = given;
  checkNames(`${subject}.when`, when);
  for (const operation of when) checkChoice(`${subject}.when`, operation, OPERATIONS);
  if (columns !== undefined) checkNames(`${subject}.columns`, columns);
  if (changed !== undefined) checkNames(`${subject}.changed`, changed);
  checkChoice(`${subject}.old`, old, [true, false]);
  checkOptionalFunction(`${subject}.filter`, filter);
  checkFunction(`${subject}.map, or map of the source,`, map);
  return {
    schema: name.slice(0, dot),
    table: name.slice(dot + 1),
    name,
    when: new Set(when),
    columns,
    changed,
    needsOld: old || changed !== undefined,
    filter,
    map: map as ChangeMap,
  };
}

function checkNames(subject: string, names: unknown): void {
  const isList = Array.isArray(names) && names.every((name) => typeof name === "string");
  if (isList && names.length > 0) return;
  throw invalid(`${subject} must be an array of at least one name, got ${shown(names)}`);
}

function checkName(subject: string, value: unknown, form: RegExp, rule: string): void {
  if (typeof value === "string" && form.test(value)) return;
  throw invalid(`${subject} must be ${rule}, got ${shown(value)}`);
}

function checkPostgresName(subject: string, value: unknown): void {
  const isName = typeof value === "string" && value !== "" && !value.includes("\0");
  if (isName && Buffer.byteLength(value) <= MAX_NAME_BYTES) return;
  const rule = `${subject} must be a name of at most ${MAX_NAME_BYTES} bytes`;
  throw invalid(`${rule}, got ${shown(value)}`);
}

function checkOptionalFunction(subject: string, value: unknown): void {
  if (value !== undefined) checkFunction(subject, value);
}

function checkInteger(
  subject: string,
  value: unknown,
  min: number,
  max: number,
  unit: string,
): void {
  if (isCount(value, max) ? value >= min : value === 0 && min === 0) return;
  throw invalid(
    `${subject} must be an integer from ${min} to ${max} (${unit}), got ${shown(value)}`,
  );
}
