/**
 * The schema: from nothing, from an older version, again, by several at once, and as a script.
 *
 * Runs on: the test's thread; PostgreSQL, psql and the command are processes of their own.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, afterEach, before, describe, it } from "node:test";

import { checkSchema, install, plan } from "../../src/postgres/migrations.ts";
import { CommandLine, type Outcome } from "../support/command-line.ts";
import { noPostgres, TestPostgres } from "../support/postgres.ts";

const FIRST = { name: "first", sql: (schema: string) => `CREATE TABLE ${schema}.one (n int);` };
const SECOND = { name: "second", sql: (schema: string) => `ALTER TABLE ${schema}.one ADD m int;` };

describe("the schema", { skip: noPostgres }, () => {
  let postgres: TestPostgres;

  before(async () => {
    postgres = await TestPostgres.start();
    await postgres.query("CREATE ROLE ann LOGIN");
  });
  after(async () => {
    await postgres.remove();
  });
  afterEach(async () => {
    await postgres.query(
      "DROP SCHEMA IF EXISTS simurgh CASCADE; DROP SCHEMA IF EXISTS other CASCADE",
    );
  });

  async function run(args: readonly string[]): Promise<Outcome> {
    return new CommandLine(args, { SIMURGH_POSTGRES_URL: postgres.url() }).ended();
  }

  async function versions(schema = "simurgh"): Promise<unknown[]> {
    const sql = `SELECT version, name FROM ${schema}.migrations ORDER BY version`;
    const rows = await postgres.query<{ version: number; name: string }>(sql);
    return rows.map(({ version, name }) => `${version} ${name}`);
  }

  it("is created once, and installing it again changes nothing", async () => {
    await postgres.withDatabase(async (database) => {
      const { from, to } = await install(database, "simurgh");
      assert.equal(from, 0);
      await checkSchema(database, "simurgh");
      assert.deepEqual(await install(database, "simurgh"), {
        from: to,
        to,
        statements: "",
        script: "",
      });
    });
  });

  it("is upgraded from version 1", async () => {
    await postgres.withDatabase(async (database) => {
      await install(database, "simurgh", [], [FIRST]);
      await database.query("INSERT INTO simurgh.one VALUES (7)");
      const { from, to } = await install(database, "simurgh", [], [FIRST, SECOND]);
      assert.deepEqual([from, to], [1, 2]);
      assert.deepEqual(await database.query("SELECT * FROM simurgh.one"), [{ n: 7, m: null }]);
    });
    assert.deepEqual(await versions(), ["1 first", "2 second"]);
  });

  it("stays as it was if a migration fails", async () => {
    const broken = { name: "broken", sql: (schema: string) => `DROP TABLE ${schema}.none;` };
    await postgres.withDatabase(async (database) => {
      await install(database, "simurgh", [], [FIRST]);
      await assert.rejects(
        install(database, "simurgh", [], [FIRST, SECOND, broken]),
        /"simurgh.none"|table "none" does not exist/,
      );
    });
    assert.deepEqual(await versions(), ["1 first"]);
  });

  it("is installed once by several at the same time", async () => {
    const done = await Promise.all(
      [1, 2, 3].map(async () =>
        postgres.withDatabase(async (database) => install(database, "simurgh")),
      ),
    );
    assert.equal(done.filter(({ from }) => from === 0).length, 1);
  });

  it("that is missing or newer is an error that says what to do", async () => {
    await postgres.withDatabase(async (database) => {
      await assert.rejects(checkSchema(database, "simurgh"), {
        code: "SIM_ERR_DATABASE_SCHEMA",
        message:
          /^the schema simurgh must have version \d \(simurgh postgres install\), got no such schema$/,
      });
      await install(database, "simurgh");
      await database.query("INSERT INTO simurgh.migrations VALUES (99, 'of the future')");
      const newer = { code: "SIM_ERR_DATABASE_SCHEMA", message: /, got version 99$/ };
      await assert.rejects(checkSchema(database, "simurgh"), newer);
      await assert.rejects(plan(database, "simurgh"), newer);
    });
  });

  it("must belong to the role that installs it, so that no other can add to it", async () => {
    await postgres.query("CREATE SCHEMA simurgh AUTHORIZATION ann");
    await postgres.withDatabase(async (database) => {
      const foreign = {
        code: "SIM_ERR_DATABASE_SCHEMA",
        message:
          "the schema simurgh must belong to the role of the database's URL, got the owner ann",
      };
      await assert.rejects(install(database, "simurgh"), foreign);
      await assert.rejects(checkSchema(database, "simurgh"), foreign);
      await assert.rejects(install(database, "public"), /schema public must belong to/);
    });
    await postgres.query("DROP SCHEMA simurgh; CREATE SCHEMA simurgh");
    await postgres.withDatabase(async (database) => install(database, "simurgh"));
  });

  it("can be another one, beside the first", async () => {
    await postgres.withDatabase(async (database) => {
      await install(database, "simurgh");
      await install(database, "other");
    });
    assert.deepEqual(await versions("other"), await versions());
  });

  it("is installed by the command, whose dry run prints the script that does the same", async () => {
    const printed = await run(["postgres", "install", "--dry-run", "--grant", "ann"]);
    assert.equal(printed.code, 0, printed.err);
    const script = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", postgres.url()];
    const done = spawnSync("psql", script, { input: printed.out, encoding: "utf8" });
    assert.deepEqual([done.status, done.stderr], [0, ""]);
    await postgres.query("SELECT simurgh.open('/socket')", [], "ann");
    const again = await run(["postgres", "install"]);
    assert.match(
      again.out,
      /^127\.0\.0\.1:\d+\/postgres: the schema simurgh has version \d already\n$/,
    );
    const nothing = await run(["postgres", "install", "--dry-run"]);
    assert.equal(nothing.out, "-- nothing to do\n");
  });

  it("is installed by the command in a schema of another name, and not by wrong arguments", async () => {
    const other = await run(["postgres", "install", "--schema", "other"]);
    assert.match(other.out, /the schema other was created with version \d\n$/);
    const wrong = [
      [["postgres"], /^simurgh: action must be install .*, got none\n$/],
      [["postgres", "remove"], /, got remove\n$/],
      [["postgres", "install", "--dryrun"], /, got --dryrun; did you mean --dry-run\?\n$/],
      [
        ["postgres", "install", "--grant"],
        /^simurgh: --grant must be followed by a value, got none\n$/,
      ],
      [["postgres", "install", "--schema", "A b"], /^simurgh: schema must be at most 32/],
    ] as const;
    for (const [args, message] of wrong) {
      const { code, err } = await run(args);
      assert.equal(code, 2, err);
      assert.match(err, message);
    }
  });
});
