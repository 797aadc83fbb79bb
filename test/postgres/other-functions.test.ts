/**
 * Functions and operators that another role has created in a schema where it may, beside those of PostgreSQL: nobody
 * but that role calls them.
 *
 * Runs on: the test's thread; the shards are threads of the same process, PostgreSQL is another.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { addressOf } from "../../src/postgres/address.ts";
import { install, plan } from "../../src/postgres/migrations.ts";
import { closeConnection } from "../../src/postgres/connection.ts";
import { openConnection } from "../../src/postgres/source/connection.ts";
import { within } from "../support/deadline.ts";
import { noPostgres, TestPostgres } from "../support/postgres.ts";
import { startServerWith } from "../support/server.ts";
import { createTables, Listener, LOGICAL, startSource, WAYS } from "../support/source.ts";
import { SqlSession } from "../support/sql-session.ts";

/** Each matches a call in our statements better than PostgreSQL's own function or operator does. */
const PLANTED = `
create table public.calls (role text default current_user, what text);
grant insert on public.calls to public;
create function public.unnest(uuid[]) returns setof uuid language sql as
  $$insert into public.calls (what) values ('unnest'); select pg_catalog.unnest($1)$$;
create function public.join_text(text, uuid) returns text language sql as
  $$insert into public.calls (what) values ('||'); select $1 operator(pg_catalog.||) $2$$;
create operator public.|| (leftarg = text, rightarg = uuid, function = public.join_text);
create function public.hashtextextended(text, int) returns bigint language sql as
  $$insert into public.calls (what) values ('hashtextextended'); select pg_catalog.hashtextextended($1, $2::bigint)$$;
create function public.concat(text, text) returns text language sql immutable as
  $$select pg_catalog.concat($1, $2)$$;`;

describe(
  "functions that another role has created in the schema public",
  { skip: noPostgres },
  () => {
    let postgres: TestPostgres;

    before(async () => {
      postgres = await TestPostgres.start(LOGICAL);
      await postgres.query(
        "create role mallory login; create role ann login; grant create on schema public to mallory, public",
      );
      await postgres.query(PLANTED, [], "mallory");
      await postgres.withDatabase(async (database) => install(database, "simurgh", ["ann"]));
      await createTables(postgres);
    });
    after(async () => postgres.remove());

    async function calls(): Promise<unknown[]> {
      return postgres.query("select distinct role, what from public.calls order by what");
    }

    it("are called if names are looked up there", async () => {
      await postgres.query("select hashtextextended('x', 0), 'x' || gen_random_uuid()");
      assert.deepEqual(await calls(), [
        { role: "postgres", what: "hashtextextended" },
        { role: "postgres", what: "||" },
      ]);
      await postgres.query("delete from public.calls");
    });

    it("are not called by what an installation creates", async () => {
      const users = await postgres.query(
        `select pg_describe_object(classid, objid, objsubid) as user from pg_depend
        where refclassid = 'pg_proc'::regclass and refobjid in (select oid from pg_proc where proowner = 'mallory'::regrole)
          and classid <> 'pg_operator'::regclass`,
      );
      assert.deepEqual(users, []);
    });

    it("are not called by the script of an installation", async () => {
      const { script } = await postgres.withDatabase(async (database) => plan(database, "other"));
      await postgres.query(script);
      const [row] = await postgres.query<{ users: string }>(
        "select count(*) as users from pg_depend where refobjid = 'public.concat(text, text)'::regprocedure",
      );
      assert.deepEqual(row, { users: "0" });
    });

    it("are not called by the transport", async () => {
      const server = await startServerWith(
        { POSTGRES_OPTIONS: JSON.stringify({ url: postgres.url() }) },
        "postgres",
        { shards: 1 },
      );
      try {
        const session = await SqlSession.open(postgres, "ann");
        await within(session.join("room:1"), "the join");
        await within(session.call("room:1", "echo"), "a reply");
        await session.client.end();
      } finally {
        await server.close();
      }
      assert.deepEqual(await calls(), []);
    });

    for (const by of WAYS) {
      it(`are not called by a source by ${by}`, async () => {
        const server = await startSource(postgres, by, { shards: 1 });
        try {
          const kept = new Listener(server, "kept:all");
          await postgres.query("insert into public.kept values ($1, 1)", [WAYS.indexOf(by)]);
          await kept.reached(1);
        } finally {
          await server.close();
        }
        assert.deepEqual(await calls(), []);
      });
    }

    it("are not called over a connection whose URL has options", async () => {
      const url = `${postgres.url()}?options=-c%20search_path=public`;
      const client = await openConnection(addressOf({ url }, {}), "queries", "test", () => {});
      await client.query("select hashtextextended('x', 0)");
      const { rows } = await client.query<{ TimeZone: string }>("show timezone");
      await closeConnection(client);
      assert.deepEqual(rows, [{ TimeZone: "UTC" }]);
      assert.deepEqual(await calls(), []);
    });
  },
);
