/**
 * Who may do what: a role reaches its own sessions only, and cannot hold up others.
 *
 * Runs on: the test's thread; PostgreSQL is a process of its own.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { noPostgres, TestPostgres } from "../support/postgres.ts";

describe("a role", { skip: noPostgres }, () => {
  let postgres: TestPostgres;
  /** A session of ann, with a row in its outbox. */
  let id: string;

  before(async () => {
    postgres = await TestPostgres.installed(["ann", "bob", "team"]);
    await postgres.query("CREATE ROLE eve LOGIN; GRANT team TO bob");
    const [row] = await postgres.query<{ id: string }>(
      "SELECT simurgh.open('/socket') AS id",
      [],
      "ann",
    );
    id = row?.id ?? "";
    await postgres.query(
      `INSERT INTO simurgh.outbox (session, topic, event, size) VALUES ($1, 'room:1', 'secret', 0)`,
      [id],
    );
  });
  after(async () => {
    await postgres.remove();
  });

  async function refused(role: string, sql: string, message: RegExp): Promise<void> {
    await assert.rejects(
      postgres.query(sql, sql.includes("$1") ? [id] : [], role),
      message,
      `${role}: ${sql}`,
    );
  }

  it("cannot read or write the session of another", async () => {
    for (const table of ["sessions", "inbox", "outbox"]) {
      assert.deepEqual(
        await postgres.query(`SELECT * FROM simurgh.${table}`, [], "bob"),
        [],
        table,
      );
    }
    await refused("bob", "SELECT simurgh.send($1, 'room:1', 'say')", /row-level security policy/);
    await refused("bob", "SELECT simurgh.close($1)", /row-level security policy/);
    await refused(
      "bob",
      "INSERT INTO simurgh.inbox (session, topic, event) VALUES ($1, 'room:1', 'say')",
      /row-level security policy/,
    );
    await refused(
      "bob",
      "SELECT * FROM simurgh.take($1)",
      /session must belong to the role bob, got/,
    );
    await refused(
      "bob",
      "SELECT simurgh.acknowledge($1, 9)",
      /session must belong to the role bob, got/,
    );
    assert.equal((await postgres.query("SELECT FROM simurgh.outbox", [], "ann")).length, 1);
  });

  it("cannot open a session as another", async () => {
    const insert = "INSERT INTO simurgh.sessions (path, role) VALUES ('/socket', 'ann')";
    await refused("bob", insert, /permission denied/);
    await refused("bob", "SET ROLE ann", /permission denied/);
    await refused("bob", "SELECT set_config('role', 'ann', false)", /permission denied/);
    await postgres.withClient(async (client) => {
      // A view or a function of another name changes nothing: what the tables use was bound when they were made.
      await client.query("CREATE TEMP TABLE x AS SELECT 1");
      await client.query("SET search_path = pg_temp, public");
      await client.query("SELECT simurgh.open('/socket')");
    }, "bob");
    const rows = await postgres.query("SELECT DISTINCT role FROM simurgh.sessions ORDER BY role");
    assert.deepEqual(rows, [{ role: "ann" }, { role: "bob" }]);
  });

  it("is the one of SET ROLE, if it is a member", async () => {
    await postgres.withClient(async (client) => {
      await client.query("SET ROLE team");
      await client.query("SELECT simurgh.open('/socket')");
      const own = await client.query("SELECT role FROM simurgh.sessions");
      assert.deepEqual(own.rows, [{ role: "team" }]);
      await client.query("RESET ROLE");
      const others = await client.query("SELECT role FROM simurgh.sessions");
      assert.ok(others.rows.every((row: { role: string }) => row.role === "bob"));
    }, "bob");
  });

  it("cannot change sessions, nor delete, nor lock the tables", async () => {
    for (const change of ["state = 'closed'", "role = 'bob'", "holder = 'x'", "epoch = 9"]) {
      await refused("ann", `UPDATE simurgh.sessions SET ${change}`, /permission denied/);
    }
    for (const table of ["sessions", "inbox", "outbox", "joins", "holders"]) {
      await refused("ann", `DELETE FROM simurgh.${table}`, /permission denied/);
      const lock = `BEGIN; LOCK TABLE simurgh.${table} IN SHARE MODE`;
      await refused("ann", lock, /permission denied/);
    }
    await refused("ann", "SELECT simurgh.sweep()", /permission denied/);
    await refused("ann", "SELECT * FROM simurgh.joins", /permission denied/);
    await refused("ann", "CREATE TABLE simurgh.mine ()", /permission denied/);
  });

  it("that was granted nothing can do nothing", async () => {
    await refused("eve", "SELECT simurgh.open('/socket')", /permission denied/);
    await refused("eve", "SELECT * FROM simurgh.outbox", /permission denied/);
  });
});
