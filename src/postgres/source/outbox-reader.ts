/**
 * Reads changes that triggers have written to the outbox table, and publishes them.
 *
 *   asleep --notified, or poll interval--> reading --batch--> publishing --a second later--> confirmed
 *     ^                                      ^                    |
 *     +--------- nothing left ---------------+--------------------+
 *
 * Confirmed changes are deleted, or marked if they are retained. So all other changes in the table wait, and no position
 * has to be kept: a transaction that commits late, with smaller numbers than those already published, is found like any
 * other. Within a batch changes are in the order of their numbers. This is the order in which a transaction made its
 * changes, and the order of the changes of each row, because transactions that change the same row, and their triggers,
 * run one after the other.
 *
 * Runs on: shard, if it leads.
 * Full:    at most `maxInFlight` changes, or about `batchBytes`, are read at a time. The rest waits in the table.
 */

import type { Client, Notification } from "pg";

import type { SqlValue } from "../database.ts";
import { checkSchema } from "../migrations.ts";
import type { Change, ChangeOperation } from "./change.ts";
import { MAX_CHANGE_BYTES, tooLarge, unreadable, type ChangePlace } from "./change-rules.ts";
import { parseRow } from "./column-values.ts";
import { pauseUntil } from "./leadership.ts";
import type { SourceSettings, TableRules } from "./options.ts";
import type { ChangePublisher } from "./publisher.ts";
import type { SourceReports } from "./reports.ts";
import { identifier, literal, tableName } from "./sql-text.ts";
import { checkTables, LOOK_MS, setup, TableWatch } from "./table-checks.ts";
import { SETTLE_MS, Unconfirmed } from "./unconfirmed.ts";

interface OutboxRow {
  readonly id: string;
  readonly xid: string;
  readonly time: Date;
  /** The time in µs. */
  readonly micros: string;
  readonly bytes: number;
  readonly age_ms: number;
  readonly table_schema: string;
  readonly table_name: string;
  readonly operation: ChangeOperation;
  readonly new_row: string | null;
  readonly old_row: string | null;
}

/** Identifies a row. The number alone does not: after a failover to a server without the row, it is used again. */
interface RowName {
  readonly id: string;
  readonly micros: string;
}

interface WatchedTable {
  readonly name: string;
  readonly watched: string | null;
}

/** The last argument of a trigger that does not notify, as PostgreSQL writes it. */
const SILENT = String.raw`\000silent\000`;
const MICROS = "(extract(epoch from time) * 1000000)::bigint";
/** Retained changes that are deleted at a time, and how often. */
const MAX_DELETED = 10_000;
const DELETE_EVERY_MS = 1_000;

/** Reads the outbox table of a source. */
export class OutboxReader {
  readonly #settings: SourceSettings;
  readonly #publisher: ChangePublisher;
  readonly #reports: SourceReports;
  readonly #table: string;
  readonly #channel: string;
  /** Changes that this thread published, also before its connection was lost. */
  readonly #unconfirmed = new Unconfirmed<RowName>();
  #isNotified = false;
  #wake: (() => void) | undefined = undefined;
  /** Whether some tables are watched without notifications. */
  #isSilent = false;
  #deletedAtMs = 0;

  constructor(settings: SourceSettings, publisher: ChangePublisher, reports: SourceReports) {
    this.#settings = settings;
    this.#publisher = publisher;
    this.#reports = reports;
    this.#table = `${identifier(settings.address.schema)}.changes`;
    this.#channel = `${settings.address.schema}_changes`;
  }

  /** Reads until the signal is aborted. @throws SIM_ERR_SOURCE_SETUP, and errors of the database */
  async lead(client: Client, signal: AbortSignal, lost: AbortSignal): Promise<void> {
    await this.check(client);
    const listener = (message: Notification): void => this.#onNotification(message);
    client.on("notification", listener);
    signal.addEventListener("abort", () => this.#wake?.(), { once: true });
    // Before the table is first read, so that no change is missed between the two.
    await client.query(`listen ${identifier(this.#channel)}`);
    const watch = new TableWatch(this.#reports, async () => this.#checkTables(client));
    while (!signal.aborted) {
      this.#isNotified = false;
      await this.#confirm(client, this.#unconfirmed.due());
      await this.#deleteRetained(client);
      await watch.look();
      const rows = await this.#read(client);
      if (rows.length === 0) {
        this.#reports.set("lagMs", 0);
        await this.#sleep(signal);
        continue;
      }
      this.#reports.set("lagMs", Math.max(0, Math.round(rows[0]?.age_ms ?? 0)));
      await this.#publish(rows, lost);
    }
    // The node closes in an orderly way, so that everything reaches the other nodes.
    await this.#confirm(client, this.#unconfirmed.items);
  }

  /**
   * Checks that the outbox exists and that all tables are watched.
   *
   * @throws SIM_ERR_DATABASE_SCHEMA, SIM_ERR_SOURCE_SETUP (rejects)
   */
  async check(client: Client): Promise<void> {
    const { address, owner } = this.#settings;
    const { schema } = address;
    const queries = {
      query: async <Row extends object>(sql: string, values: readonly SqlValue[] = []) =>
        (await client.query<Row>(sql, [...values])).rows,
    };
    await checkSchema(queries, schema, {
      owner,
      checkGrants: async () => this.#checkGrants(client),
    });
    await this.#checkTables(client);
  }

  /** Checks that all tables are watched. The version of the schema may be a later one by now. */
  async #checkTables(client: Client): Promise<void> {
    const { name, tables } = this.#settings;
    await checkTables(client, this.#settings);
    const { rows } = await client.query<WatchedTable>(
      `select name, encode(t.tgargs, 'escape') as watched
         from unnest($1::text[], $2::text[], $3::text[]) as w (name, nsp, rel)
         left join pg_namespace n on n.nspname = w.nsp
         left join pg_class c on c.relnamespace = n.oid and c.relname = w.rel
         left join pg_trigger t on t.tgrelid = c.oid and t.tgname = $4 and t.tgenabled <> 'D'`,
      [
        [...tables.keys()],
        [...tables.values()].map((table) => table.schema),
        [...tables.values()].map((table) => table.table),
        `simurgh_${name}`,
      ],
    );
    for (const table of rows) {
      checkWatched(table, tables.get(table.name) as TableRules, this.#settings);
    }
    this.#isSilent = rows.some(({ watched }) => watched?.endsWith(SILENT) === true);
  }

  /** Checks that the role of the connection has what it needs, since it need not own the schema. */
  async #checkGrants(client: Client): Promise<void> {
    const { address, retainMs } = this.#settings;
    const schema = identifier(address.schema);
    const changes = retainMs === 0 ? ["select", "delete"] : ["select", "update", "delete"];
    const { rows } = await client.query<{ role: string; has_all: boolean }>(
      `select current_user as role, has_schema_privilege(n.oid, 'usage') and not exists (
         select from unnest($2::text[], $3::text[]) as w (rel, privilege)
         join pg_class c on c.relnamespace = n.oid and c.relname = w.rel
         where not has_table_privilege(c.oid, w.privilege)
       ) as has_all from pg_namespace n where n.nspname = $1`,
      [address.schema, ["migrations", ...changes.map(() => "changes")], ["select", ...changes]],
    );
    const [{ role, has_all: hasAll } = { role: "", has_all: true }] = rows;
    if (hasAll) return;
    const to = `to ${identifier(role)}`;
    const grants = [
      `grant usage on schema ${schema} ${to}`,
      `grant select on ${schema}.migrations ${to}`,
      `grant ${changes.join(", ")} on ${schema}.changes ${to}`,
    ];
    const rule = `role ${role} must have privileges in the schema ${address.schema}`;
    throw setup(`${rule}: run ${grants.join("; ")}`);
  }

  #onNotification({ channel, payload }: Notification): void {
    if (channel !== this.#channel || payload !== this.#settings.name) return;
    this.#isNotified = true;
    this.#wake?.();
  }

  async #read(client: Client): Promise<readonly OutboxRow[]> {
    const { name, maxInFlight, batchBytes } = this.#settings;
    const { rows } = await client.query<OutboxRow>({
      name: "simurgh_read",
      text: `
        select id, xid, time, ${MICROS} as micros, bytes,
               (extract(epoch from clock_timestamp() - time) * 1000)::float8 as age_ms,
               table_schema, table_name, operation,
               case when bytes <= $6 then new_row::text end as new_row,
               case when bytes <= $6 then old_row::text end as old_row
          from (select *, sum(bytes::bigint) over (order by id) - bytes as before
                  from (select * from ${this.#table}
                         where source = $1 and published_at is null
                           and (id, ${MICROS}) not in (select * from unnest($4::bigint[], $5::bigint[]))
                         order by id limit $2) waiting
               ) summed
         where before < $3 order by id`,
      values: [
        name,
        maxInFlight,
        batchBytes,
        ...columnsOf(this.#unconfirmed.items),
        MAX_CHANGE_BYTES,
      ],
    });
    return rows;
  }

  /** Publishes rows, and notes those that were published. */
  async #publish(rows: readonly OutboxRow[], lost: AbortSignal): Promise<void> {
    const changes: Change[] = [];
    const places: number[] = [];
    for (const [at, row] of rows.entries()) {
      const change = this.#changeOf(row);
      if (change === undefined) continue;
      changes.push(change);
      places.push(at);
    }
    const count = await this.#publisher.publish(changes, lost);
    const published = rows.slice(0, places[count] ?? rows.length);
    this.#unconfirmed.add(published.map(({ id, micros }) => ({ id, micros })));
  }

  /** @returns undefined for a change that cannot be read. It is left out, since it would fail each time */
  #changeOf(row: OutboxRow): Change | undefined {
    const place = placeOf(row);
    if (row.bytes > MAX_CHANGE_BYTES) {
      this.#reports.error(tooLarge(place, row.bytes));
      return undefined;
    }
    try {
      return changeOf(row, place);
    } catch (cause) {
      this.#reports.error(unreadable(place, cause));
      return undefined;
    }
  }

  async #confirm(client: Client, names: readonly RowName[]): Promise<void> {
    if (names.length === 0) return;
    const which = `id = any ($1) and (id, ${MICROS}) in (select * from unnest($1::bigint[], $2::bigint[]))`;
    const text =
      this.#settings.retainMs === 0
        ? `delete from ${this.#table} where ${which}`
        : `update ${this.#table} set published_at = clock_timestamp() where ${which}`;
    await client.query({ name: "simurgh_confirm", text, values: columnsOf(names) });
    this.#unconfirmed.confirmed(names.length);
  }

  /** Deletes some of the changes whose time has passed. */
  async #deleteRetained(client: Client): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#deletedAtMs < DELETE_EVERY_MS) return;
    this.#deletedAtMs = nowMs;
    const { name, retainMs } = this.#settings;
    await client.query(
      `delete from ${this.#table} where id in (
         select id from ${this.#table} where source = $1
            and published_at < clock_timestamp() - $2 * interval '1 ms' limit $3)`,
      [name, retainMs, MAX_DELETED],
    );
  }

  /** Waits for a notification, or for the poll interval. */
  async #sleep(signal: AbortSignal): Promise<void> {
    if (this.#isNotified || signal.aborted) return;
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    const pollMs = Math.min(LOOK_MS, this.#settings.pollMs / (this.#isSilent ? 10 : 1));
    const sleepMs = this.#unconfirmed.size > 0 ? Math.min(pollMs, SETTLE_MS) : pollMs;
    await pauseUntil(sleepMs, woken.signal);
    this.#wake = undefined;
  }
}

function checkWatched(
  { name, watched }: WatchedTable,
  rules: TableRules,
  { address, name: source }: SourceSettings,
): void {
  if (watched !== null) return;
  const watch = `select ${address.schema}.watch(${literal(tableName(rules))}, ${literal(source)})`;
  throw setup(`table ${name} must be watched: run ${watch}`);
}

function columnsOf(names: readonly RowName[]): [ids: string[], micros: string[]] {
  return [names.map(({ id }) => id), names.map(({ micros }) => micros)];
}

// Numbers begin again if the table is created again, and are used again after a failover, as are those of transactions.
function placeOf(row: OutboxRow): ChangePlace {
  return {
    operation: row.operation,
    schema: row.table_schema,
    table: row.table_name,
    position: `${row.xid}-${row.id}-${row.micros}`,
  };
}

function changeOf(row: OutboxRow, place: ChangePlace): Change {
  return {
    ...place,
    row: parseRow(row.new_row),
    old: parseRow(row.old_row),
    hasWholeOld: row.old_row !== null,
    unchanged: [],
    time: row.time,
  };
}
