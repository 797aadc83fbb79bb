/**
 * What a source says if its database is not set up for it, or its slot is gone.
 *
 * Slow: starts PostgreSQL and some servers.
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";

import type { Client } from "pg";

import { settingsOf } from "../../../src/postgres/source/options.ts";
import { OutboxReader } from "../../../src/postgres/source/outbox-reader.ts";
import { checkReplication } from "../../../src/postgres/source/replication-setup.ts";
import { SourceReports } from "../../../src/postgres/source/reports.ts";
import { identifier } from "../../../src/postgres/source/sql-text.ts";
import { untilSo } from "../../support/deadline.ts";
import { Opened } from "../../support/opened.ts";
import { noPostgres, TestPostgres } from "../../support/postgres.ts";
import type { Server } from "../../support/server.ts";
import {
  createTables,
  holdLeadership,
  installSchema,
  Listener,
  LOGICAL,
  startSource,
  untilRead,
  WAYS,
  type SourceServerOptions,
  type Way,
} from "../../support/source.ts";

let postgres: TestPostgres;
let server: Server | undefined;
const opened = new Opened();

async function start(
  by: Way,
  source: object = {},
  options: SourceServerOptions = {},
): Promise<Server> {
  const started = await startSource(postgres, by, {
    shards: 1,
    ...options,
    source: { ...source },
  });
  server = opened.add(started, async (one) => one.close());
  return server;
}

async function close(): Promise<void> {
  await opened.end();
  server = undefined;
}

/** Starts a server, which must fail, and returns the messages of the error and its causes. */
async function refused(by: Way, source: object = {}): Promise<string> {
  try {
    await start(by, source);
  } catch (thrown) {
    const messages: string[] = [];
    for (let error: unknown = thrown; error instanceof Error; error = error.cause) {
      messages.push(error.message);
    }
    return messages.join("\n");
  }
  throw new Error("the server must not start");
}

interface Reported {
  readonly code: string;
  readonly message: string;
}

/** Returns the errors of the only shard as soon as there are any. */
async function firstErrors(port: number): Promise<readonly Reported[]> {
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/errors`);
    const errors = (await response.json()) as readonly Reported[];
    if (errors.length > 0) return errors;
  }
}

/** Waits until the source has connected so many times more. */
async function untilTried(times: number): Promise<void> {
  const sql = "select pid from pg_stat_activity where application_name = 'simurgh postgres_source'";
  const seen = new Set<unknown>();
  const isSo = async (): Promise<boolean> => {
    for (const { pid } of await postgres.query(sql)) seen.add(pid);
    return seen.size > times;
  };
  await untilSo(isSo, `${times} further attempts`);
}

/** Inserts rows until the source broadcasts one. */
async function probed(listener: Listener): Promise<void> {
  const { length } = listener.heard;
  const { rows } = await postgres.withClient(async (client) =>
    client.query<{ max: number | null }>("select max(id) from odd"),
  );
  let id = rows[0]?.max ?? 0;
  const insert = async (): Promise<void> => {
    await postgres.query("insert into odd values ($1, 'probe')", [(id += 1)]);
  };
  const timer = setInterval(() => void insert(), 100);
  try {
    await listener.reached(length + 1);
  } finally {
    clearInterval(timer);
  }
}

describe("A source whose database is not set up", { skip: noPostgres }, () => {
  before(async () => {
    postgres = await TestPostgres.start(LOGICAL);
  });
  afterEach(close);
  after(async () => postgres.remove());

  it("by triggers, asks for the schema", async () => {
    assert.match(await refused("triggers"), /simurgh postgres install/);
  });

  it("by triggers, names a table that is not watched, and the SQL", async () => {
    await postgres.query("create table kept (id int primary key)");
    await installSchema(postgres);
    const message = await refused("triggers", { only: ["public.kept"] });
    assert.match(
      message,
      /table public\.kept must be watched: run select simurgh\.watch\('"public"\."kept"', 'postgres_source'\)/,
    );
    await postgres.query("select simurgh.watch('kept', 'other')");
    assert.match(await refused("triggers", { only: ["public.kept"] }), /must be watched/);
    await postgres.query("select simurgh.watch('kept')");
    await start("triggers", { only: ["public.kept"] });
  });

  it("names a table that does not exist", async () => {
    const pattern = /table public\.orders must exist, got no table with this name/;
    assert.match(await refused("triggers", { only: ["public.orders"] }), pattern);
    assert.match(await refused("replication", { only: ["public.orders"] }), pattern);
  });

  it("by replication, names a table that needs REPLICA IDENTITY FULL", async () => {
    await postgres.query("create table filtered (id int primary key, status text)");
    const message = await refused("replication", { only: ["public.filtered"] });
    assert.match(message, /table public\.filtered must have REPLICA IDENTITY FULL/);
    assert.match(message, /run alter table "public"\."filtered" replica identity full/);
    await postgres.query("alter table filtered replica identity full");
    await start("replication", { only: ["public.filtered"] });
  });

  it("by replication, leaves out a change without old values, and names the table", async () => {
    const { port } = await start("replication", { only: ["public.filtered"] });
    const filtered = new Listener(server as Server, "filtered");
    // Before, the whole source would be refused.
    await untilRead(postgres, "replication");
    await postgres.query("alter table filtered replica identity default");
    await postgres.query("insert into filtered values (1, 'a'); update filtered set status = 'b'");
    await postgres.query("alter table filtered replica identity full");
    await postgres.query("update filtered set status = 'c'");
    await filtered.next("insert");
    assert.deepEqual((await filtered.next("update"))["row"], { id: 1, status: "c" });
    const errors = await firstErrors(port);
    const error = errors.find(({ code }) => code === "SIM_ERR_SOURCE_CHANGE");
    assert.match(error?.message ?? "", /table public\.filtered must have REPLICA IDENTITY FULL/);
  });

  it("by replication, names a table whose updates PostgreSQL would refuse", async () => {
    await postgres.query("create table odd (id int, kind text)");
    const message = await refused("replication", { only: ["public.odd"] });
    assert.match(message, /table public\.odd must have a primary key or another REPLICA IDENTITY/);
    // The app that writes to it goes on.
    await postgres.query("insert into odd values (1, 'x'); update odd set kind = 'y'");
  });

  it("by triggers, reads as a role that has privileges only, and says which it needs", async () => {
    await postgres.query("create role reader login");
    const reader = { url: postgres.url("reader"), only: ["public.kept"] };
    const message = await refused("triggers", reader);
    assert.match(message, /role reader must have privileges in the schema simurgh: run grant/);
    const [grants = ""] = /grant .*$/m.exec(message) ?? [];
    await postgres.query(grants);
    await start("triggers", reader);
    const kept = new Listener(server as Server, "kept:all");
    await postgres.query("insert into kept values (1)");
    await kept.reached(1);
    await close();
    assert.deepEqual(
      await postgres.query("select from simurgh.changes where source <> 'other'"),
      [],
    );
    // To keep changes, they are marked.
    assert.match(await refused("triggers", { ...reader, retainMs: 1_000 }), /grant .*update/);
  });

  it("by triggers, trusts another owner of the schema only if told to, and never as a superuser", async () => {
    await postgres.query("create role keeper; create role boss login superuser");
    await postgres.query("alter schema simurgh owner to keeper");
    const only = ["public.kept"];
    const rule =
      /must belong to the role of the database's URL, .* that the option owner names, got the owner keeper/;
    assert.match(await refused("triggers", { url: postgres.url("reader"), only }), rule);
    assert.match(
      await refused("triggers", { url: postgres.url("boss"), only, owner: "keeper" }),
      rule,
    );
    await start("triggers", { url: postgres.url("reader"), only, owner: "keeper" });
    const kept = new Listener(server as Server, "kept:all");
    await postgres.query("insert into kept values (2)");
    await kept.reached(1);
    await close();
    await postgres.query("alter schema simurgh owner to postgres");
  });

  it("gives SQL that can be run, also for names with capitals and quotes", async () => {
    const name = `My "x's"`;
    await postgres.query(`create table ${identifier(name)} (id int primary key)`);
    const tables = { [`public.${name}`]: { map: () => undefined, old: true } };
    for (const by of ["triggers", "replication"] as const) {
      const settings = settingsOf({ by, url: postgres.url(), tables }, {});
      const check = async (client: Client): Promise<void> => {
        const reports = new SourceReports(
          settings,
          () => undefined,
          () => undefined,
        );
        const publisher = { publish: async () => Promise.resolve(0) };
        if (by === "replication") await checkReplication(client, settings);
        else await new OutboxReader(settings, publisher, reports).check(client);
      };
      await postgres.withClient(async (client) => {
        const error = await check(client).then(
          () => undefined,
          (thrown: unknown) => thrown as Error,
        );
        const [, sql = ""] = /: run (.*)$/.exec(error?.message ?? "") ?? [];
        await client.query(sql);
        await check(client);
      });
    }
  });

  it("names a column of its rules that a table does not have", async () => {
    await postgres.query("alter table filtered rename status to state");
    const pattern = /table public\.filtered must have the columns of its rules .* got no status/;
    for (const by of WAYS) assert.match(await refused(by, { only: ["public.filtered"] }), pattern);
    await postgres.query("alter table filtered rename state to status");
  });

  it("names a view, of which nothing can be read", async () => {
    await postgres.query("create view small as select 1 as id");
    const pattern = /table public\.small must be a table, got a view or similar/;
    for (const by of WAYS) assert.match(await refused(by, { only: ["public.small"] }), pattern);
    await postgres.query("drop view small");
  });

  it("refuses a role that the database refuses", async () => {
    const url = postgres.url("nobody");
    assert.match(await refused("triggers", { url }), /role "nobody" does not exist/);
  });
});

describe("A table that is created again while a source reads it", { skip: noPostgres }, () => {
  before(async () => {
    postgres = await TestPostgres.start(LOGICAL);
    await createTables(postgres);
  });
  afterEach(close);
  after(async () => postgres.remove());

  for (const by of WAYS) {
    it(`is reported once, and read again, by ${by}`, async () => {
      const { port } = await start(by, { only: ["public.odd", "public.small"] });
      const [odd, small] = ["odd", "small:all"].map(
        (topic) => new Listener(server as Server, topic),
      );
      await postgres.query("insert into small values ($1)", [WAYS.indexOf(by)]);
      await small?.reached(1);
      await postgres.query("drop table odd; create table odd (id int primary key, kind text)");
      const [error] = await firstErrors(port);
      assert.equal(error?.code, "SIM_ERR_SOURCE_SETUP");
      assert.match(
        error?.message ?? "",
        /table public\.odd must be watched: run|must publish public\.odd, got a publication without/,
      );
      const [, sql] = /: run (select .*)$/.exec(error?.message ?? "") ?? [];
      if (sql !== undefined) await postgres.query(sql);
      await postgres.query("insert into odd values (1, 'probe')");
      await postgres.query("insert into small values ($1)", [10 + WAYS.indexOf(by)]);
      await odd?.reached(1);
      await small?.reached(2);
      const response = await fetch(`http://127.0.0.1:${port}/errors`);
      assert.equal(((await response.json()) as object[]).length, 1);
    });
  }
});

describe("A source by replication without wal_level", { skip: noPostgres }, () => {
  before(async () => {
    postgres = await TestPostgres.start();
  });
  after(async () => postgres.remove());

  it("says what to run", async () => {
    const message = await refused("replication");
    assert.match(message, /wal_level of \S+ must be logical, got replica: run alter system set/);
  });
});

describe("A source whose slot is gone", { skip: noPostgres }, () => {
  before(async () => {
    postgres = await TestPostgres.start([
      ...LOGICAL,
      "max_slot_wal_keep_size=1MB",
      "min_wal_size=32MB",
      "max_wal_size=64MB",
      "wal_keep_size=0",
    ]);
    await createTables(postgres);
  });
  afterEach(close);
  after(async () => postgres.remove());

  const only = ["public.odd"];

  /** Starts a source whose slot is lost, and returns what it reports. */
  async function lostSlot(policy: "error" | "recreate" = "error"): Promise<string> {
    const { port } = await start("replication", { only, lostSlot: policy });
    const [error] = await firstErrors(port);
    assert.equal(error?.code, "SIM_ERR_SOURCE_SLOT", JSON.stringify(error));
    return error.message;
  }

  async function recreated(): Promise<void> {
    await close();
    assert.match(await lostSlot("recreate"), /it is created again, and changes from now on/);
    await probed(new Listener(server as Server, "odd"));
    await close();
  }

  it("is created with its publication, and read on after a restart", async () => {
    await start("replication", { only });
    await probed(new Listener(server as Server, "odd"));
    await close();
    await postgres.query("insert into odd values (1000, 'while away')");
    const release = opened.add(await holdLeadership(postgres), async (end) => end());
    await start("replication", { only });
    const odd = new Listener(server as Server, "odd");
    await release();
    // What was inserted before it ended, and not confirmed, may come again.
    let id: unknown;
    while (id !== 1_000) ({ id } = await odd.next());
  });

  it("is an error if it was dropped, or created again if that is wanted", async () => {
    await postgres.query("select pg_drop_replication_slot('simurgh_postgres_source')");
    const message = await lostSlot();
    assert.match(message, /slot simurgh_postgres_source must be usable, got one that was dropped/);
    assert.match(message, /changes.* are lost unless they were published before/);
    await untilTried(3);
    assert.equal((await firstErrors((server as Server).port)).length, 1);
    await recreated();
  });

  it("is an error if its publication was dropped", async () => {
    await postgres.query("drop publication simurgh_postgres_source");
    assert.match(await lostSlot(), /got one that has no publication any more/);
    await recreated();
  });

  it("is an error if it was invalidated", async () => {
    for (let i = 0; i < 6; i += 1) {
      await postgres.query("insert into odd values ($1, repeat('x', 1000))", [100_000 + i]);
      await postgres.query("select pg_switch_wal()");
    }
    await postgres.query("checkpoint");
    assert.match(
      await lostSlot(),
      /got one that was invalidated, since it needed more than max_slot_wal_keep_size/,
    );
    await recreated();
  });

  it("goes on by itself when somebody has decided", async () => {
    await postgres.query("select pg_drop_replication_slot('simurgh_postgres_source')");
    await start("replication", { only });
    const [error] = await firstErrors((server as Server).port);
    assert.equal(error?.code, "SIM_ERR_SOURCE_SLOT");
    await postgres.query("drop publication simurgh_postgres_source");
    await probed(new Listener(server as Server, "odd"));
  });
});
