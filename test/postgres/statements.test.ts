/**
 * The statements of a holder, where several of them, or those of programs, meet.
 *
 * Runs on: the test's thread; PostgreSQL is a process of its own.
 */

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";

import { statementsFor } from "../../src/postgres/transport/statements.ts";
import { noPostgres, TestPostgres } from "../support/postgres.ts";

const HOLDER = "a";

describe("a holder's statements", { skip: noPostgres }, () => {
  let postgres: TestPostgres;
  const statements = statementsFor("simurgh");

  before(async () => {
    postgres = await TestPostgres.installed(["ann"]);
  });
  after(async () => {
    await postgres.remove();
  });
  beforeEach(async () => {
    await postgres.query("DELETE FROM simurgh.sessions");
    await postgres.query(statements.register, [HOLDER, 600_000]);
  });

  async function claimed(): Promise<string> {
    await postgres.query("SELECT simurgh.open('/socket')", [], "ann");
    const [row] = await postgres.query<{ id: string }>(statements.claim, [HOLDER, 1]);
    assert.ok(row);
    return row.id;
  }

  it("free what was claimed while the holder left", async () => {
    await postgres.query("SELECT simurgh.open('/socket')", [], "ann");
    await postgres.withClient(async (claiming) => {
      await claiming.query("BEGIN");
      await claiming.query(statements.claim, [HOLDER, 1]);
      const leaving = postgres
        .query(statements.leave, [HOLDER])
        .then(async () => postgres.query(statements.sweep));
      await claiming.query("COMMIT");
      await leaving;
    });
    assert.deepEqual(await postgres.query("SELECT holder FROM simurgh.sessions"), [
      { holder: null },
    ]);
    assert.deepEqual(await postgres.query(statements.claim, [HOLDER, 1]), []);
  });

  it("find sessions with rows, each once", async () => {
    const [one, other, none] = [await claimed(), await claimed(), await claimed()];
    for (const id of [one, one, other]) {
      await postgres.query("SELECT simurgh.send($1, 'room:1', 'echo')", [id], "ann");
    }
    const rows = await postgres.query<{ id: string }>(statements.waiting, [HOLDER, 10]);
    const found = rows.map(({ id }) => id);
    assert.deepEqual(found.toSorted(), [one, other].toSorted());
    assert.ok(!found.includes(none));
  });

  it("do not return the contents of a row that is too long", async () => {
    const id = await claimed();
    const insert = `INSERT INTO simurgh.inbox (session, topic, event, payload, bytes) VALUES ($1, 't', 'e', $2, $3)`;
    await postgres.query(insert, [id, "{}", Buffer.alloc(8)], "ann");
    await postgres.query(insert, [id, "{}", Buffer.alloc(99)], "ann");
    await postgres.query(insert, [id, JSON.stringify("x".repeat(99)), null], "ann");
    const wanted = JSON.stringify([{ id, most: 9, skip: [] }]);
    const rows = await postgres.query(statements.fetch, [wanted, 1_000, 50]);
    assert.deepEqual(
      rows.map((row) => [row["payload"], row["bytes"] !== null, row["is_too_long"]]),
      [
        ["{}", true, false],
        [null, false, true],
        [null, false, true],
      ],
    );
    assert.equal((await postgres.query(statements.fetch, [wanted, 12, 50])).length, 1);
  });

  it("do not wait for a program that has taken rows when they remove sessions", async () => {
    const id = await claimed();
    await postgres.query(
      "INSERT INTO simurgh.outbox (session, topic, event, size) VALUES ($1, 't', 'e', 0)",
      [id],
    );
    await postgres.query("UPDATE simurgh.sessions SET ended_at = now() - interval '1 day'");
    for (const use of ["SELECT simurgh.take($1)", "SELECT simurgh.acknowledge($1, 9999)"]) {
      await postgres.withClient(async (program) => {
        await program.query("BEGIN");
        await program.query(use, [id]);
        await removeWithin("5s");
        await program.query("ROLLBACK");
      }, "ann");
      assert.equal((await postgres.query("SELECT FROM simurgh.sessions")).length, 1);
    }
    await removeWithin("5s");
    assert.deepEqual(await postgres.query("SELECT FROM simurgh.sessions"), []);
  });

  it("read the joins of sessions part by part, each once and in its order", async () => {
    const ids = [await claimed(), await claimed(), await claimed()].toSorted();
    const [small = "", large = "", other = ""] = ids;
    const insert = `INSERT INTO simurgh.joins (session, topic, payload) VALUES ($1, $2, $3)`;
    const payload = JSON.stringify({ text: "x".repeat(1_000) });
    for (const topic of ["b", "a", "c"]) await postgres.query(insert, [large, topic, payload]);
    for (const topic of ["b", "a"]) await postgres.query(insert, [small, topic, "{}"]);
    await postgres.query(insert, [other, "a", "{}"]);
    const parts: string[][] = [];
    let last = { session: "00000000-0000-0000-0000-000000000000", number: "0" };
    for (;;) {
      const values = [ids, 1_500, last.session, last.number];
      const rows = await postgres.query<typeof last & { topic: string }>(statements.joins, values);
      const end = rows.at(-1);
      if (!end) break;
      last = end;
      parts.push(rows.map(({ session, topic }) => `${ids.indexOf(session)} ${topic}`));
    }
    assert.deepEqual(parts, [
      ["0 b", "0 a", "1 b", "1 a"],
      ["1 c", "2 a"],
    ]);
  });

  it("tell who is idle only if sessions may not be idle for ever", async () => {
    const id = await claimed();
    await postgres.query(
      `INSERT INTO simurgh.outbox (session, topic, event, size, inserted_at)
       VALUES ($1, 't', 'e', 0, now() - interval '1 day')`,
      [id],
    );
    await postgres.query("UPDATE simurgh.sessions SET active_at = now() - interval '1 day'");
    const overdue = async (idleMs: number): Promise<unknown> =>
      postgres.query(statements.overdue, [HOLDER, idleMs, 1_000]);
    assert.deepEqual(await overdue(0), [{ id, is_idle: false }]);
    assert.deepEqual(await overdue(1_000), [{ id, is_idle: true }]);
  });

  async function removeWithin(time: string): Promise<void> {
    await postgres.withClient(async (client) => {
      await client.query(`SET lock_timeout = '${time}'`);
      await client.query(statements.remove, [0, 10]);
    });
  }
});
