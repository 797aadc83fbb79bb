/**
 * What a holder writes: all of it or nothing, once, and only while it holds the session.
 *
 * Runs on: the test's thread; PostgreSQL is a process of its own.
 */

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";

import type { Database } from "../../src/postgres/database.ts";
import { Outcome, type Flight } from "../../src/postgres/transport/outcome.ts";
import { statementsFor } from "../../src/postgres/transport/statements.ts";
import { Writer, type WritingSession } from "../../src/postgres/transport/writer.ts";
import { noPostgres, TestPostgres } from "../support/postgres.ts";

const HOLDER = "a";
const OTHER = "b";

/** A session that writes what a test gives it. */
class TestSession implements WritingSession {
  readonly id: string;
  readonly epoch: string;
  readonly joins = new Map();
  readonly told: string[] = [];
  given: Flight | undefined;

  constructor(id: string, epoch: string) {
    this.id = id;
    this.epoch = epoch;
  }

  /** Lets it write that a row was handled, and a message with a payload. */
  writes(number: number, row: string, payload: string): void {
    const outcome = new Outcome();
    outcome.handled(row);
    const message = { joinRef: null, ref: row, topic: "room:1", event: "phx_reply", payload };
    outcome.add({ ...message, bytes: null }, payload.length);
    this.given = outcome.toFlight(number, this);
  }

  flight(): Flight | undefined {
    return this.given;
  }

  written(): void {
    this.given = undefined;
    this.told.push("written");
  }

  lost(): void {
    this.given = undefined;
    this.told.push("lost");
  }

  unstorable(): void {
    this.given = undefined;
    this.told.push("unstorable");
  }
}

describe("a writer", { skip: noPostgres }, () => {
  let postgres: TestPostgres;
  const statements = statementsFor("simurgh");

  before(async () => {
    postgres = await TestPostgres.installed();
    for (const id of [HOLDER, OTHER]) await postgres.query(statements.register, [id, 600_000]);
  });
  after(async () => {
    await postgres.remove();
  });
  beforeEach(async () => {
    await postgres.query("DELETE FROM simurgh.sessions");
  });

  /** Opens and claims a session with one row, and returns it with the id of the row. */
  async function claimed(): Promise<{ session: TestSession; row: string }> {
    await postgres.query("SELECT simurgh.open('/socket')");
    const [claim] = await postgres.query<{ id: string; epoch: string }>(statements.claim, [
      HOLDER,
      1,
    ]);
    assert.ok(claim);
    const [sent] = await postgres.query<{ send: string }>(
      "SELECT simurgh.send($1, 'room:1', 'echo')",
      [claim.id],
    );
    return { session: new TestSession(claim.id, claim.epoch), row: String(sent?.send) };
  }

  async function write(...sessions: readonly TestSession[]): Promise<void> {
    await postgres.withDatabase(async (database: Database) => {
      const writer = new Writer<TestSession>(database, statements);
      for (const session of sessions) writer.note(session);
      await writer.write(HOLDER);
    });
  }

  async function rows(): Promise<{ inbox: number; outbox: readonly unknown[] }> {
    const inbox = await postgres.query("SELECT id FROM simurgh.inbox");
    const outbox = await postgres.query("SELECT payload FROM simurgh.outbox ORDER BY id");
    return { inbox: inbox.length, outbox: outbox.map(({ payload }) => payload) };
  }

  it("writes a reply and completes its row together", async () => {
    const { session, row } = await claimed();
    session.writes(1, row, '{"n":1}');
    await write(session);
    assert.deepEqual(session.told, ["written"]);
    assert.deepEqual(await rows(), { inbox: 0, outbox: [{ n: 1 }] });
  });

  it("writes once what it writes again, since the answer may have been lost", async () => {
    const { session, row } = await claimed();
    session.writes(1, row, '{"n":1}');
    await write(session);
    session.writes(1, row, '{"n":1}');
    await write(session);
    assert.deepEqual(session.told, ["written", "written"]);
    assert.deepEqual(await rows(), { inbox: 0, outbox: [{ n: 1 }] });
  });

  it("writes nothing for a session that another holder has taken", async () => {
    const { session, row } = await claimed();
    await postgres.query("UPDATE simurgh.sessions SET holder = $1, epoch = epoch + 1", [OTHER]);
    session.writes(1, row, '{"n":1}');
    await write(session);
    assert.deepEqual(session.told, ["lost"]);
    assert.deepEqual(await rows(), { inbox: 1, outbox: [] });
  });

  it("writes nothing for a session that it has again, but had lost in between", async () => {
    const { session, row } = await claimed();
    await postgres.query("UPDATE simurgh.sessions SET epoch = epoch + 2");
    session.writes(1, row, '{"n":1}');
    await write(session);
    assert.deepEqual(session.told, ["lost"]);
    assert.deepEqual(await rows(), { inbox: 1, outbox: [] });
  });

  it("writes nothing for a session that was freed", async () => {
    const { session, row } = await claimed();
    await postgres.query("UPDATE simurgh.sessions SET holder = NULL");
    session.writes(1, row, '{"n":1}');
    await write(session);
    assert.deepEqual(session.told, ["lost"]);
    assert.deepEqual(await rows(), { inbox: 1, outbox: [] });
  });

  it("finds the session whose payload cannot be stored, and writes the others", async () => {
    const one = await claimed();
    const bad = await claimed();
    const other = await claimed();
    one.session.writes(1, one.row, '{"n":1}');
    // Rows replace such characters before; this stands for whatever they do not know.
    bad.session.writes(1, bad.row, String.raw`{"n":"\u0000"}`);
    other.session.writes(1, other.row, '{"n":3}');
    await write(one.session, bad.session, other.session);
    assert.deepEqual(one.session.told, ["written"]);
    assert.deepEqual(bad.session.told, ["unstorable"]);
    assert.deepEqual(other.session.told, ["written"]);
    assert.deepEqual(await rows(), { inbox: 1, outbox: [{ n: 1 }, { n: 3 }] });
  });

  it("writes again what it could not because the queue of notifications was full", async () => {
    const { session, row } = await claimed();
    session.writes(1, row, '{"n":1}');
    const full = Object.assign(new Error("too many notifications in the NOTIFY queue"), {
      code: "54000",
      file: "async.c",
    });
    // It takes 8 GB of notifications to fill the real one.
    const writer = new Writer<TestSession>({ query: async () => Promise.reject(full) }, statements);
    writer.note(session);
    await assert.rejects(writer.write(HOLDER), full);
    assert.deepEqual(session.told, []);
    assert.ok(writer.isNeeded);
  });

  it("does not wait for a program whose transaction is open", async () => {
    const { session, row } = await claimed();
    await postgres.withClient(async (client) => {
      await client.query("BEGIN");
      await client.query("SELECT simurgh.send($1, 'room:1', 'echo')", [session.id]);
      await client.query("SELECT * FROM simurgh.take($1)", [session.id]);
      session.writes(1, row, '{"n":1}');
      await write(session);
      await client.query("ROLLBACK");
    });
    assert.deepEqual(session.told, ["written"]);
  });
});
