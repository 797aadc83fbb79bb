/**
 * What a holder asks of the database: in bounded parts, and less after a failure.
 *
 * Runs on: the test's thread; PostgreSQL is a process of its own.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";

import { makeError } from "../../src/errors.ts";
import { addressOf } from "../../src/postgres/address.ts";
import { Database } from "../../src/postgres/database.ts";
import { Holder } from "../../src/postgres/transport/holder.ts";
import { settingsOf } from "../../src/postgres/transport/options.ts";
import { statementsFor } from "../../src/postgres/transport/statements.ts";
import type { TransportClient, TransportConnection, TransportHost } from "../../src/raw.ts";
import { Opened } from "../support/opened.ts";
import { noPostgres, TestPostgres } from "../support/postgres.ts";
import { until } from "../support/until.ts";

/** A statement, as it was asked for. */
interface Asked {
  readonly sql: string;
  readonly values: readonly unknown[];
}

/** A shard that closes leaves its sessions to others. */
const CLOSE_OF_SHARD = 1012;

const CONNECTION = {
  isOpen: true,
  receive: () => true,
  isHandling: () => false,
  drained: () => undefined,
  closed: () => undefined,
} as unknown as TransportConnection;

describe("a holder", { skip: noPostgres }, () => {
  let postgres: TestPostgres;
  const statements = statementsFor("simurgh");
  const opened = new Opened();

  before(async () => {
    postgres = await TestPostgres.installed();
  });
  afterEach(async () => {
    await opened.end();
    await postgres.query("DELETE FROM simurgh.sessions; DELETE FROM simurgh.holders");
  });
  after(async () => postgres.remove());

  /**
   * Starts a holder.
   *
   * @param onAsked - called with each of its statements; may throw
   * @returns a function that tells the number of its sessions
   */
  async function start(onAsked: (asked: Asked) => void, options: object): Promise<() => number> {
    let sessions = 0;
    const clients: TransportClient[] = [];
    const open = (client: TransportClient): TransportConnection => {
      clients.push(client);
      return CONNECTION;
    };
    const host = {
      context: { shard: 0 },
      measure: (_name: string, value: number) => (sessions = value),
      connect: async () => Promise.resolve({ result: "ok", open }),
    } as unknown as TransportHost;
    const settings = settingsOf({ path: "/socket", ...options });
    const address = addressOf({ url: postgres.url() }, {});
    const holder = new Holder(host, settings, address, () => undefined);
    const ask = Reflect.get(Database.prototype, "query");
    Database.prototype.query = async function query(sql, values, name) {
      onAsked({ sql, values: values ?? [] });
      return Reflect.apply(ask, this, [sql, values, name]) as never;
    };
    opened.add(holder, async (one) => {
      Database.prototype.query = ask;
      one.stop();
      for (const client of clients) client.close(CLOSE_OF_SHARD, "");
      const sql = "SELECT FROM pg_stat_activity WHERE application_name = 'simurgh transport 0'";
      await until("the end of the holder", async () => (await postgres.query(sql)).length === 0);
    });
    await holder.start();
    return () => sessions;
  }

  async function openSessions(count: number, state = "opening"): Promise<void> {
    const sql = `INSERT INTO simurgh.sessions (path, state) SELECT '/socket', $2 FROM generate_series(1, $1)`;
    await postgres.query(sql, [count, state]);
  }

  it("looks at 500 outboxes at once, however many there are", async () => {
    let measured: number[] = [];
    const sessions = await start(({ sql, values }) => {
      if (sql === statements.sizes) measured.push((values[0] as string[]).length);
    }, {});
    await openSessions(1_100);
    await until("all sessions", () => sessions() === 1_100);
    measured = [];
    // After each connect, all are looked at.
    await postgres.cutAll();
    const all = (): boolean => measured.reduce((sum, count) => sum + count, 0) >= 1_100;
    await until("a look at all", all);
    assert.equal(Math.max(...measured), 500);
  });

  it("claims half as many sessions after each failure, and all it can after a success", async () => {
    const claimed: unknown[] = [];
    let failures = 3;
    const sessions = await start(({ sql, values }) => {
      if (sql === statements.claim) claimed.push(values[1]);
      if (sql !== statements.joins || failures === 0) return;
      failures -= 1;
      throw makeError("SIM_ERR_DATABASE", "too much");
    }, {});
    await openSessions(100, "open");
    await until("all sessions", () => sessions() === 100);
    const first = claimed.indexOf(32) - 1;
    assert.deepEqual(claimed.slice(first, first + 5), [64, 32, 16, 8, 16]);
  });

  it("does not listen under its former name after it has lost its lease", async () => {
    const asked: string[] = [];
    await start(
      ({ sql }) => {
        if (/LISTEN/.test(sql)) asked.push(sql);
      },
      { leaseMs: 1_000 },
    );
    await until("its first name", () => asked.length === 1);
    await postgres.query("DELETE FROM simurgh.holders");
    await until("its next name", () => asked.length >= 3);
    const [first = "", second, third = ""] = asked;
    assert.equal(second, `UN${first}`);
    assert.match(third, /^LISTEN /);
    assert.notEqual(third, first);
  });
});
