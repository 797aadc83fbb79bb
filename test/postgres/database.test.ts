/**
 * The connection to the database, which is opened again whenever it breaks.
 *
 * Runs on: the test's thread; PostgreSQL is a process of its own.
 */

import assert from "node:assert/strict";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import { after, afterEach, before, describe, it } from "node:test";

import { addressOf } from "../../src/postgres/address.ts";
import { Database, type DatabaseListener } from "../../src/postgres/database.ts";
import { within } from "../support/deadline.ts";
import { Opened } from "../support/opened.ts";
import { noPostgres, TestPostgres } from "../support/postgres.ts";
import { freePort } from "../support/server.ts";
import { Deferred } from "../support/world.ts";

const QUICK = { firstRetryMs: 10, mostRetryMs: 50 };

describe("a database", { skip: noPostgres }, () => {
  let postgres: TestPostgres;
  const opened = new Opened();

  before(async () => {
    postgres = await TestPostgres.start();
  });
  after(async () => {
    await postgres.remove();
  });
  afterEach(async () => opened.end());

  function made(listener: DatabaseListener, url = postgres.url(), patience = {}): Database {
    const limits = { ...QUICK, ...patience };
    const database = new Database(addressOf({ url }, {}), "test", listener, limits);
    return opened.add(database, async (one) => one.stop());
  }

  it("runs statements in the order of the calls", async () => {
    const database = made({});
    await database.start();
    const answers = await Promise.all(
      [0.05, 0, 0].map(async (seconds, at) =>
        database.query<{ at: string }>(
          "SELECT clock_timestamp()::text AS at, pg_sleep($1), $2::int",
          [seconds, at],
        ),
      ),
    );
    const times = answers.map(([row]) => Date.parse(row?.at ?? ""));
    assert.deepEqual(
      times,
      times.toSorted((one, other) => one - other),
    );
  });

  it("goes on after a statement that failed", async () => {
    const database = made({});
    await database.start();
    await assert.rejects(database.query("SELECT 1 / 0"), { code: "22012" });
    assert.deepEqual(await database.query("SELECT 1 AS one"), [{ one: 1 }]);
  });

  it("connects again after a restart, listens again, and repeats no report", async () => {
    const reports: string[] = [];
    let connected = new Deferred<void>();
    const heard = new Deferred<string>();
    const database = made({
      async onConnected(queries) {
        await queries.query("LISTEN news");
        connected.resolve();
      },
      onNotification: (channel, payload) => heard.resolve(`${channel}: ${payload}`),
      onReport: (report) => reports.push(report),
    });
    await database.start();
    connected = new Deferred();
    await postgres.stop();
    await assert.rejects(database.query("SELECT 1"), { code: "SIM_ERR_DATABASE" });
    await postgres.start();
    await within(connected.promise, "the second connection");
    await postgres.query("NOTIFY news, 'hi'");
    assert.equal(await within(heard.promise, "a notification"), "news: hi");
    // A server that restarts gives several reasons, one after the other.
    const failures = reports.slice(0, -1);
    for (const report of failures) {
      assert.match(report, /^no connection to 127\.0\.0\.1:\d+\/postgres, trying again: /);
    }
    assert.ok(failures.length > 0, reports.join("; "));
    assert.match(reports.at(-1) ?? "", /^connected to 127\.0\.0\.1:\d+\/postgres$/);
    const repeated = reports.filter((report, at) => report === reports[at - 1]);
    assert.deepEqual(repeated, []);
  });

  it("rejects a statement whose connection breaks, and those behind it", async () => {
    const lost = new Deferred<void>();
    const database = made({ onLost: () => lost.resolve() });
    await database.start();
    const statements = [database.query("SELECT pg_sleep(60)"), database.query("SELECT 1")];
    const outcomes = Promise.allSettled(statements);
    await postgres.cutAll();
    const results = await within(outcomes, "the outcomes");
    assert.deepEqual(
      results.map(({ status }) => status),
      ["rejected", "rejected"],
    );
    await lost.promise;
  });

  /** Starts a server that is no PostgreSQL. @returns the URL of it */
  async function listening(take: (socket: Socket) => void): Promise<string> {
    const sockets: Socket[] = [];
    const other = createServer((socket) => {
      sockets.push(socket);
      take(socket);
    }).listen(0, "127.0.0.1");
    opened.add(other, (server) => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    return `postgres://ann:secret@127.0.0.1:${port}/postgres`;
  }

  it("says once why it cannot connect, however often it tries", async () => {
    const reports: string[] = [];
    const triedOften = new Deferred<void>();
    let tries = 0;
    const url = await listening((socket) => {
      socket.destroy();
      tries += 1;
      if (tries === 5) triedOften.resolve();
    });
    const database = made({ onReport: (report) => reports.push(report) }, url);
    await database.start();
    await within(triedOften.promise, "five attempts");
    assert.equal(reports.length, 1, reports.join("; "));
  });

  it("gives up a server that does not answer", async () => {
    const reported = new Deferred<string>();
    const url = await listening(() => {});
    const database = made({ onReport: (text) => reported.resolve(text) }, url, { connectMs: 50 });
    await database.start();
    const report = await within(reported.promise, "a report");
    assert.match(report, /trying again: .*timeout/);
    assert.doesNotMatch(report, /secret/);
  });

  it("ends a connection whose statement is not answered in time", async () => {
    const database = made({}, postgres.url(), { answerMs: 1_000 });
    await database.start();
    // The server ends it itself, a little earlier.
    await assert.rejects(database.query("SELECT pg_sleep(60)"), { code: "57014" });
    await database.query("SET statement_timeout = 0");
    await assert.rejects(database.query("SELECT pg_sleep(60)"), {
      code: "SIM_ERR_DATABASE",
      message: /must answer: there was no answer within 1000 ms$/,
    });
  });

  it("keeps trying if the server is down at first", async () => {
    const port = await freePort();
    const database = made({}, `postgres://postgres@127.0.0.1:${port}/postgres`);
    await database.start();
    assert.equal(database.isReady, false);
  });

  it("says at the start that it is refused: a wrong role, or a wrong database", async () => {
    const refusals = [
      [postgres.url("nobody"), /must let this node in, got role "nobody" does not exist$/],
      [postgres.url().replace(/postgres$/, "none"), /database "none" does not exist$/],
    ] as const;
    for (const [url, message] of refusals) {
      await assert.rejects(made({}, url).start(), { code: "SIM_ERR_DATABASE_REFUSED", message });
    }
  });
});
