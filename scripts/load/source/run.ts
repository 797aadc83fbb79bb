/**
 * Writes rows at a rate, and compares what a server's source broadcasts with what was written.
 *
 * Each table has one writer, which inserts a row and then updates it, several times in a transaction. Each change
 * has the next number of its table and the time at which it was written. If the database is restarted meanwhile, a
 * writer goes on with what is not there.
 *
 * Runs on: the load test's process, which is also the main thread of the server. PostgreSQL is a process of its own.
 */

import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

import type { Client } from "pg";

import { serve } from "../../../src/index.ts";
import { TestPostgres } from "../../../test/support/postgres.ts";
import { installSchema, LOGICAL, type Way } from "../../../test/support/source.ts";
import { TABLES, topicOf } from "./tables.ts";

/** What to write. */
export interface SourceLoad {
  readonly by: Way;
  /** Row changes per second, in all tables together. */
  readonly rate: number;
  readonly seconds: number;
  /** Changes in a transaction. */
  readonly perTransaction: number;
  /** Whether the database is restarted when half of the time is over. */
  readonly restarts: boolean;
}

/** What was heard. */
export interface SourceResult {
  readonly written: number;
  readonly heard: number;
  readonly missing: number;
  readonly repeated: number;
  readonly disordered: number;
  /** Changes per second that the writers reached. */
  readonly reached: number;
  /** From before the transaction of a change until its broadcast was heard (ms). */
  readonly lagMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** How long the rest may take to arrive. */
const REST_MS = 60_000;
const READY_MS = 60_000;

interface Payload {
  readonly id: number;
  readonly seq: number;
  readonly written_ms: number;
}

/** What a table's subscribers heard. */
class Hearing {
  next = 0;
  heard = 0;
  repeated = 0;
  disordered = 0;
  readonly lagsMs: number[] = [];

  take({ seq, written_ms }: Payload): void {
    this.heard += 1;
    if (seq === this.next) this.next += 1;
    else if (seq < this.next) this.repeated += 1;
    else {
      this.disordered += 1;
      this.next = seq + 1;
    }
    this.lagsMs.push(Date.now() - written_ms);
  }
}

/** Runs a load. */
export async function runSourceLoad(load: SourceLoad): Promise<SourceResult> {
  const postgres = await TestPostgres.start(LOGICAL);
  try {
    await installSchema(postgres);
    for (const table of TABLES) {
      await postgres.query(
        `create table ${table} (id int primary key, seq int, written_ms float8, note text)`,
      );
      await postgres.query("select simurgh.watch($1)", [table]);
    }
    return await servedLoad(postgres, load);
  } finally {
    await postgres.remove();
  }
}

async function servedLoad(postgres: TestPostgres, load: SourceLoad): Promise<SourceResult> {
  Object.assign(process.env, {
    SIMURGH_POSTGRES_URL: postgres.url(),
    LOAD_SOURCE_BY: load.by,
  });
  const server = await serve({
    app: new URL("./app.js", import.meta.url),
    host: "127.0.0.1",
    port: 0,
    shards: 2,
    secretKeyBase: "abcdefgh".repeat(8),
    // A restart causes many lines.
    logLevel: load.restarts ? "silent" : "warn",
  });
  try {
    const hearings = TABLES.map((table) => {
      const hearing = new Hearing();
      server.subscribe(topicOf(table), ({ payload }) => hearing.take(payload as Payload));
      return hearing;
    });
    await ready(postgres, load.by);
    const startMs = performance.now();
    const perTable = Math.ceil((load.rate * load.seconds) / TABLES.length);
    const restarted = load.restarts ? restart(postgres, load.seconds / 2) : undefined;
    await Promise.all([
      ...TABLES.map(async (table) => write(postgres, table, perTable, load, restarted)),
      restarted,
    ]);
    const seconds = (performance.now() - startMs) / 1_000;
    await settled(hearings, perTable);
    return resultOf(hearings, perTable, seconds);
  } finally {
    await server.close();
  }
}

/** Waits until a source by replication reads: what was written before its slot was created is not its. */
async function ready(postgres: TestPostgres, by: Way): Promise<void> {
  const endMs = performance.now() + READY_MS;
  const sql = "select from pg_replication_slots where active and confirmed_flush_lsn is not null";
  while (by === "replication" && (await postgres.query(sql)).length === 0) {
    if (performance.now() > endMs) throw new Error("the source must create its slot in time");
    await sleep(100);
  }
}

/** Restarts the database after a time. */
async function restart(postgres: TestPostgres, seconds: number): Promise<void> {
  await sleep(seconds * 1_000);
  await postgres.stop();
  await postgres.start();
}

/** Writes the changes of a table. If the database is restarted, the writer goes on when it is there again. */
async function write(
  postgres: TestPostgres,
  table: string,
  count: number,
  load: SourceLoad,
  restarted: Promise<void> | undefined,
): Promise<void> {
  const startMs = performance.now();
  const writing = async (): Promise<void> => writeRest(postgres, table, count, load, startMs);
  if (!restarted) return writing();
  try {
    await writing();
  } catch {
    await restarted;
    await writing();
  }
}

/** Writes the changes that are not there, each when it is due. */
async function writeRest(
  postgres: TestPostgres,
  table: string,
  count: number,
  { rate, perTransaction }: SourceLoad,
  startMs: number,
): Promise<void> {
  const perMs = rate / TABLES.length / 1_000;
  await postgres.withClient(async (client) => {
    // Whoever uses it gets the error, too.
    client.on("error", () => undefined);
    for (let seq = await writtenTo(client, table); seq < count; seq += perTransaction) {
      const earlyMs = startMs + seq / perMs - performance.now();
      if (earlyMs > 1) await sleep(earlyMs);
      await transaction(client, table, seq, Math.min(seq + perTransaction, count));
    }
  });
}

/** Returns the number of the next change: that of a transaction whose answer was lost may be there. */
async function writtenTo(client: Client, table: string): Promise<number> {
  const { rows } = await client.query<{ next: number }>(
    `select coalesce(max(seq) + 1, 0) as next from ${table}`,
  );
  return rows[0]?.next ?? 0;
}

/** Changes with even numbers insert a row, the others update it. */
async function transaction(client: Client, table: string, from: number, to: number): Promise<void> {
  const now = Date.now();
  const changes = Array.from({ length: to - from }, (_, at) => {
    const seq = from + at;
    const id = Math.floor(seq / 2);
    return seq % 2 === 0
      ? `insert into ${table} values (${id}, ${seq}, ${now}, 'a note of a row that changes')`
      : `update ${table} set seq = ${seq}, written_ms = ${now} where id = ${id}`;
  });
  // One string is one transaction.
  await client.query(changes.join(";"));
}

async function settled(hearings: readonly Hearing[], perTable: number): Promise<void> {
  const endMs = performance.now() + REST_MS;
  while (hearings.some(({ next }) => next < perTable) && performance.now() < endMs) {
    await sleep(20);
  }
}

function resultOf(hearings: readonly Hearing[], perTable: number, seconds: number): SourceResult {
  const sum = (of: (hearing: Hearing) => number): number =>
    hearings.reduce((total, hearing) => total + of(hearing), 0);
  const written = perTable * hearings.length;
  const [heard, repeated] = [sum((one) => one.heard), sum((one) => one.repeated)];
  const lags = hearings.flatMap(({ lagsMs }) => lagsMs).toSorted((one, other) => one - other);
  const at = (share: number): number => lags[Math.floor((lags.length - 1) * share)] ?? Infinity;
  return {
    written,
    heard,
    missing: written - (heard - repeated),
    repeated,
    disordered: sum((one) => one.disordered),
    reached: Math.round(written / seconds),
    lagMs: { p50: at(0.5), p99: at(0.99), max: at(1) },
  };
}
