/**
 * The table into which triggers write changes, and the functions that watch tables.
 *
 * Slow: starts PostgreSQL and some servers.
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";

import type { Change } from "../../../src/postgres/source/change.ts";
import { settingsOf } from "../../../src/postgres/source/options.ts";
import { OutboxReader } from "../../../src/postgres/source/outbox-reader.ts";
import { SourceReports } from "../../../src/postgres/source/reports.ts";
import { within } from "../../support/deadline.ts";
import { Opened } from "../../support/opened.ts";
import { noPostgres, TestPostgres } from "../../support/postgres.ts";
import type { Server } from "../../support/server.ts";
import {
  createTables,
  holdLeadership,
  installSchema,
  Listener,
  startSource,
  type SourceServerOptions,
} from "../../support/source.ts";

describe("The outbox of a source by triggers", { skip: noPostgres }, () => {
  let postgres: TestPostgres;
  const opened = new Opened();

  before(async () => {
    postgres = await TestPostgres.start();
    await createTables(postgres);
  });
  afterEach(async () => {
    await opened.end();
    await postgres.query("truncate simurgh.changes");
  });
  after(async () => postgres.remove());

  async function start(options: SourceServerOptions = {}): Promise<Server> {
    const server = await startSource(postgres, "triggers", options);
    return opened.add(server, async (one) => one.close());
  }

  /** Waits until the outbox has this number of rows. */
  async function left(count: number, where = "true"): Promise<void> {
    const counted = async (): Promise<boolean> => {
      const sql = `select count(*)::int as count from simurgh.changes where ${where}`;
      return (await postgres.query<{ count: number }>(sql))[0]?.count === count;
    };
    const reached = async (): Promise<void> => {
      while (!(await counted()));
    };
    await within(reached(), `${count} rows`);
  }

  it("keeps changes until a source has published them, and then nothing", async () => {
    await postgres.query("insert into kept values (1, 1), (2, 2)");
    await left(2);
    const release = opened.add(await holdLeadership(postgres), async (end) => end());
    const server = await start();
    const kept = new Listener(server, "kept:all");
    await release();
    assert.deepEqual(
      (await kept.reached(2)).map(({ payload }) => payload["seq"]),
      [1, 2],
    );
    await left(0);
  });

  it("says which other role holds the lock of the source", async () => {
    await postgres.query("create role squatter login");
    const squatter = await postgres.connect("squatter");
    opened.add(squatter, async (one) => one.end());
    await squatter.query("select pg_advisory_lock(hashtextextended($1, 0))", [
      "simurgh source simurgh postgres_source",
    ]);
    const { port } = await start();
    const reported = async (): Promise<void> => {
      for (;;) {
        const response = await fetch(`http://127.0.0.1:${port}/errors`);
        if (/must be held by .* as postgres, got role squatter/.test(await response.text())) return;
      }
    };
    await within(reported(), "the error");
  });

  it("does not run the casts of another role as the owner of the schema", async () => {
    await postgres.query(`
      create role mallory login; create schema mallory authorization mallory;
      grant usage on schema simurgh to mallory; grant execute on function simurgh.record_change to mallory;`);
    await postgres.query(
      `create type mallory.kind as (n int);
       create function mallory.cast_it(mallory.kind) returns json language plpgsql as
         $$begin raise exception 'ran as %', current_user; end$$;
       create cast (mallory.kind as json) with function mallory.cast_it;
       create domain mallory.sort as mallory.kind;
       create type mallory.whole as (kinds mallory.sort[]);
       create table mallory.items (kind mallory.kind); create table mallory.sorts (sort mallory.sort);
       create table mallory.lists (kinds mallory.kind[]); create table mallory.wholes (one mallory.whole);
       select simurgh.watch('mallory.' || name) from unnest('{items,sorts,lists,wholes}'::text[]) name;`,
      [],
      "mallory",
    );
    for (const [table, value] of [
      ["items", "row(1)::mallory.kind"],
      ["sorts", "row(1)::mallory.kind"],
      ["lists", "array[row(1)]::mallory.kind[]"],
      ["wholes", "row(array[row(1)::mallory.kind])::mallory.whole"],
    ] as const) {
      await assert.rejects(
        postgres.query(`insert into mallory.${table} values (${value})`, [], "mallory"),
        new RegExp(`type of the watched table mallory.${table} must not have a cast to json`),
      );
    }
    await postgres.query("drop schema mallory cascade");
  });

  it("is empty after a server was closed", async () => {
    const server = await start();
    const kept = new Listener(server, "kept:all");
    await postgres.query("insert into kept values (3, 3)");
    await kept.reached(1);
    await server.close();
    await left(0);
  });

  it("keeps published changes for retainMs", async () => {
    const server = await start({ source: { retainMs: 2_000 } });
    const kept = new Listener(server, "kept:all");
    await postgres.query("insert into kept values (4, 4)");
    await kept.reached(1);
    await left(1, "published_at is not null");
    await left(0);
    assert.equal(kept.heard.length, 1);
  });

  it("is read without notifications, if a table is watched without", async () => {
    await postgres.query("select simurgh.watch('kept', notify => false)");
    const server = await start();
    const kept = new Listener(server, "kept:all");
    const listening = opened.add(await postgres.connect(), async (one) => one.end());
    let notified = 0;
    listening.on("notification", () => (notified += 1));
    await listening.query("listen simurgh_changes");
    await postgres.query("insert into kept values (5, 5)");
    await kept.reached(1);
    await listening.query("select 1");
    assert.equal(notified, 0);
    await postgres.query("select simurgh.watch('kept')");
  });

  it("takes changes of roles that have no privileges on it, and of them only through triggers", async () => {
    const server = await start();
    const kept = new Listener(server, "kept:all");
    await postgres.query(
      "create role app login; grant insert on kept to app; grant create on schema public to app; grant usage on schema simurgh to app",
    );
    await postgres.query("insert into kept values (6, 6)", [], "app");
    await kept.reached(1);
    await assert.rejects(postgres.query("select from simurgh.changes", [], "app"), /permission/);
    const forged = `create table own (id int);
      create trigger forged after insert on own for each row
        execute function simurgh.record_change('postgres_source', 'public', 'kept', 'notify')`;
    await assert.rejects(postgres.query(forged, [], "app"), /permission denied/);
  });

  it("gets nothing of a table that is not watched any more", async () => {
    await postgres.query("select simurgh.unwatch('small'); insert into small values (1, 'x')");
    await left(0);
    await postgres.query("select simurgh.watch('small')");
  });

  it("is that of the schema that the source names", async () => {
    await installSchema(postgres, "other");
    await postgres.query("select other.watch('kept', 'shop')");
    const source = { schema: "other", name: "shop", only: ["public.kept"] };
    const server = await start({ source });
    const kept = new Listener(server, "kept:all");
    await postgres.query("insert into kept values (7, 7)");
    await kept.reached(1);
  });

  it("is read in batches that are as large as their changes are without compression", async () => {
    await postgres.query(
      "insert into kept select 20000 + n, n, repeat('x', 100000) from generate_series(1, 5) n",
    );
    const leading = new AbortController();
    const batches: number[] = [];
    const reader = readerTo(async (changes) => {
      batches.push(changes.length);
      if (batches.length === 3) leading.abort();
      return changes.length;
    });
    await within(lead(reader, leading.signal), "three batches");
    assert.deepEqual(batches, [2, 2, 1]);
  });

  it("has another change under a number that was published, after a failover to a replica that lagged", async () => {
    await postgres.query("insert into kept values (30001, 1)");
    const [{ id } = { id: "" }] = await postgres.query<{ id: string }>(
      "select id from simurgh.changes",
    );
    const leading = new AbortController();
    const published: unknown[] = [];
    const reader = readerTo(async (changes) => {
      published.push(...changes.map(({ row }) => row?.["id"]));
      if (published.length === 1) await postgres.cutAll();
      else leading.abort();
      return changes.length;
    });
    await assert.rejects(lead(reader, leading.signal), /terminat|not queryable/);
    await postgres.query(
      `delete from simurgh.changes; select setval('simurgh.changes_id_seq', ${id}, false);
       insert into kept values (30002, 1)`,
    );
    await within(lead(reader, leading.signal), "the other change");
    assert.deepEqual(published, [30_001, 30_002]);
    await left(0);
  });

  async function lead(reader: OutboxReader, signal: AbortSignal): Promise<void> {
    const client = opened.add(await postgres.connect(), async (one) => one.end());
    client.on("error", () => undefined);
    await reader.lead(client, signal, new AbortController().signal);
  }

  /** Returns a reader of the changes of `kept` that passes them on to a function. */
  function readerTo(publish: (changes: readonly Change[]) => Promise<number>): OutboxReader {
    const settings = settingsOf(
      {
        by: "triggers",
        url: postgres.url(),
        batchBytes: 150_000,
        tables: { "public.kept": { map: () => undefined } },
      },
      {},
    );
    return new OutboxReader(
      settings,
      { publish },
      new SourceReports(
        settings,
        () => undefined,
        () => undefined,
      ),
    );
  }

  it("loses nothing if there is no room for keys", async () => {
    const source = { maxInFlight: 50 };
    const server = await start({ source, historyBytes: 1_048_576 });
    const kept = new Listener(server, "kept:all");
    await postgres.query("insert into kept select 10000 + n, n from generate_series(0, 2999) n");
    const heard = await kept.reached(3_000);
    assert.ok(heard.every(({ payload }, index) => payload["seq"] === index));
  });
});
