/**
 * Sources for tests: the tables of the app `source`, a server that reads them, and what its subscribers hear.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";

import { addressOf } from "../../src/postgres/address.ts";
import { Database } from "../../src/postgres/database.ts";
import { install } from "../../src/postgres/migrations.ts";
import { untilSo, within } from "./deadline.ts";
import type { TestPostgres } from "./postgres.ts";
import { startServer, type Server } from "./server.ts";

/** The two ways of a source. */
export const WAYS = ["triggers", "replication"] as const;
/** One of them. */
export type Way = (typeof WAYS)[number];

/** Settings of a server for both ways. */
export const LOGICAL = ["wal_level=logical", "max_replication_slots=20", "max_wal_senders=20"];

const TABLES = ["orders", "kept", "small", "filtered", "odd", "toasted", "parts"];
const TABLES_SQL = `
create table orders (id int primary key, text text, amount bigint, price numeric(30, 2), at timestamptz,
                     tags text[], meta jsonb, is_paid boolean, bytes bytea, ratio float8, day date);
create table kept (id int primary key, seq int, text text);
create table small (id int primary key, text text);
create table filtered (id int primary key, status text, note text, hidden boolean);
alter table filtered replica identity full;
create table odd (id int primary key, kind text);
create table toasted (id int primary key, note text, long text);
alter table toasted alter long set storage external;
create table parts (id int primary key, text text) partition by range (id);
create table parts_0 partition of parts for values from (0) to (10);
create table parts_10 partition of parts for values from (10) to (20);`;

/** Installs the schema. */
export async function installSchema(postgres: TestPostgres, schema = "simurgh"): Promise<void> {
  const database = new Database(addressOf({ url: postgres.url(), schema }, {}), "test");
  await database.connectOnce();
  try {
    await install(database, schema);
  } finally {
    await database.stop();
  }
}

/** Creates the tables of the app `source` and watches them. */
export async function createTables(postgres: TestPostgres): Promise<void> {
  await installSchema(postgres);
  await postgres.query(TABLES_SQL);
  await watchTables(postgres);
}

/** Watches all tables with triggers. */
export async function watchTables(
  postgres: TestPostgres,
  source = "postgres_source",
): Promise<void> {
  for (const table of TABLES) await postgres.query(`select simurgh.watch($1, $2)`, [table, source]);
}

/** Options of a server with a source. */
export type SourceServerOptions = Parameters<typeof startServer>[1] & {
  /** Options of the source. */
  readonly source?: Readonly<Record<string, unknown>>;
};

/** Serves the app `source`. */
export async function startSource(
  postgres: TestPostgres,
  by: Way,
  { source = {}, ...options }: SourceServerOptions = {},
): Promise<Server> {
  const environment = {
    SIMURGH_POSTGRES_URL: postgres.url(),
    SOURCE_OPTIONS: JSON.stringify({ by, ...source }),
  };
  // They stay, since a shard that is restarted reads them again.
  Object.assign(process.env, environment);
  return startServer("source", { shards: 2, ...options });
}

/** Waits until a source by replication reads its slot: what was written before that was created is not its. */
export async function untilRead(postgres: TestPostgres, by: Way): Promise<void> {
  if (by === "triggers") return;
  const sql = "select from pg_replication_slots where active and confirmed_flush_lsn is not null";
  await untilSo(async () => (await postgres.query(sql)).length > 0, "a slot that is read");
}

/** Keeps all sources from leading until the returned function is called. */
export async function holdLeadership(postgres: TestPostgres): Promise<() => Promise<void>> {
  const client = await postgres.connect();
  const lock = "simurgh source simurgh postgres_source";
  await client.query("select pg_advisory_lock(hashtextextended($1, 0))", [lock]);
  return async () => client.end();
}

/** A broadcast, as heard. */
export interface Heard {
  readonly event: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** What is broadcast on a topic. */
export class Listener {
  readonly heard: Heard[] = [];
  #wake: () => void = () => undefined;
  #taken = 0;
  gaps = 0;

  constructor(server: Server, topic: string) {
    server.subscribe(
      topic,
      ({ event, payload }) => {
        this.heard.push({ event, payload: payload as Heard["payload"] });
        this.#wake();
      },
      () => (this.gaps += 1),
    );
  }

  /** Waits until so many broadcasts have been heard in all. */
  async reached(count: number, deadlineMs?: number): Promise<readonly Heard[]> {
    const all = (async (): Promise<void> => {
      while (this.heard.length < count) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    })();
    await within(all, `${count} broadcasts`, deadlineMs).catch((error: unknown) => {
      throw new Error(`got ${this.heard.length}`, { cause: error });
    });
    return this.heard;
  }

  /** Takes the next broadcast, which must have this event. */
  async next(event?: string): Promise<Heard["payload"]> {
    await this.reached(this.#taken + 1);
    const heard = this.heard[this.#taken] as Heard;
    this.#taken += 1;
    if (event !== undefined) assert.equal(heard.event, event, JSON.stringify(heard));
    return heard.payload;
  }
}
