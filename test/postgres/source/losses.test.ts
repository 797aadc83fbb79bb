/**
 * A source whose database, connection, shard or node ends while rows are written: nothing is missing, all is in order.
 *
 * Slow: starts PostgreSQL, Redis and some servers, and ends them.
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";

import type { Client } from "pg";

import { startChild } from "../../support/child.ts";
import { untilSo } from "../../support/deadline.ts";
import { noSecondShard } from "../../support/dealing.ts";
import { noRedis, TestRedis } from "../../support/redis.ts";
import { Opened } from "../../support/opened.ts";
import { noPostgres, TestPostgres } from "../../support/postgres.ts";
import type { Server } from "../../support/server.ts";
import {
  createTables,
  Listener,
  LOGICAL,
  startSource,
  untilRead,
  WAYS,
} from "../../support/source.ts";

const TOTAL = 3_000;

/** Inserts rows one by one, over whatever connection there is. */
class Writer {
  readonly #postgres: TestPostgres;
  #client: Client | undefined;
  #isEnded = false;
  written = 0;

  constructor(postgres: TestPostgres) {
    this.#postgres = postgres;
  }

  async write(count: number): Promise<void> {
    const end = this.written + count;
    while (this.written < end && !this.#isEnded) {
      try {
        this.#client ??= await this.#connected();
        // A row whose answer was lost with the connection may be there already.
        const sql = `with one as (insert into odd values ($1, 'x') on conflict do nothing)
          insert into kept values ($1, $1, 'x') on conflict do nothing`;
        await this.#client.query(sql, [this.written]);
        this.written += 1;
      } catch {
        this.#client = undefined;
      }
    }
  }

  async #connected(): Promise<Client> {
    const client = await this.#postgres.connect();
    client.on("error", () => (this.#client = undefined));
    return client;
  }

  async end(): Promise<void> {
    this.#isEnded = true;
    await this.#client?.end();
  }
}

/** Checks that all rows were heard in order, and were kept once. */
async function checkAll(server: Server, kept: Listener, total: number): Promise<void> {
  await kept.reached(total);
  const heard = kept.heard.map(({ payload }) => payload["seq"]);
  assert.deepEqual(
    heard,
    Array.from({ length: total }, (_, i) => i),
  );
  assert.equal(kept.gaps, 0);
  assert.equal(await countKept(server), total);
}

async function countKept(server: Server): Promise<number> {
  let count = 0;
  let since: { epoch: string; offset: string } | undefined;
  for (;;) {
    const page = await server.history("kept:all", {
      limit: 1_000,
      ...(since ? { since } : { last: 1_000_000 }),
    });
    count += page.messages.length;
    const last = page.messages.at(-1);
    if (last === undefined) return count;
    since = { epoch: page.epoch, offset: last.offset };
  }
}

for (const by of WAYS) {
  describe(`A source by ${by}, while rows are written`, { skip: noPostgres }, () => {
    let postgres: TestPostgres;
    let server: Server;
    let kept: Listener;
    let plain: Listener;
    let writer: Writer;
    const opened = new Opened();

    before(async () => {
      const settings = [...LOGICAL, "wal_sender_timeout=3s"];
      postgres = opened.add(await TestPostgres.start(settings), async (one) => one.remove());
      await createTables(postgres);
      // One, so that after a loss the same thread leads again, and knows what it has published.
      const options = { shards: 1, source: { maxInFlight: 20 } };
      server = opened.add(await startSource(postgres, by, options), async (one) => one.close());
      await untilRead(postgres, by);
      kept = new Listener(server, "kept:all");
      plain = new Listener(server, "odd");
      writer = opened.add(new Writer(postgres), async (one) => one.end());
    });

    after(async () => opened.end());

    afterEach(async () => {
      await checkAll(server, kept, writer.written);
      await plain.reached(writer.written);
      assert.deepEqual(
        plain.heard.map(({ payload }) => payload["id"]),
        Array.from({ length: writer.written }, (_, id) => id),
      );
    });

    it("keeps its connection while a transaction takes longer than wal_sender_timeout", async () => {
      const count = 12_000;
      await postgres.query(
        `with one as (insert into odd select n, 'x' from generate_series(0, $1 - 1) n)
         insert into kept select n, n, 'x' from generate_series(0, $1 - 1) n`,
        [count],
      );
      writer.written += count;
      await kept.reached(writer.written);
      const response = await fetch(`http://127.0.0.1:${server.port}/errors`);
      assert.deepEqual(await response.json(), []);
    });

    it("loses nothing and repeats nothing when the database restarts", async () => {
      const writing = writer.write(TOTAL);
      await kept.reached(TOTAL / 4);
      await postgres.stop();
      await postgres.start();
      await writing;
    });

    it("loses nothing and repeats nothing when the database crashes", async () => {
      const start = writer.written;
      const writing = writer.write(TOTAL);
      await kept.reached(start + TOTAL / 4);
      await postgres.crash();
      await postgres.start();
      await writing;
    });

    it("loses nothing and repeats nothing when its connections are cut, again and again", async () => {
      const start = writer.written;
      const writing = writer.write(TOTAL);
      for (let i = 1; i < 4; i += 1) {
        await kept.reached(start + (i * TOTAL) / 5);
        await postgres.cutAll();
      }
      await writing;
    });

    it("loses nothing and repeats nothing when its shard is restarted", async () => {
      const start = writer.written;
      const writing = writer.write(TOTAL);
      for (let i = 1; i < 3; i += 1) {
        await kept.reached(start + (i * TOTAL) / 5);
        await server.restartShard(0);
      }
      await writing;
    });
  });
}

/** Number of restarts: another shard could lead again by chance. */
const RESTARTS = 4;

for (const by of WAYS) {
  describe(`A source by ${by}, on two shards`, { skip: noPostgres || noSecondShard }, () => {
    const opened = new Opened();
    after(async () => opened.end());

    it("is read by the same shard after its database has restarted, which repeats nothing", async () => {
      const postgres = opened.add(await TestPostgres.start(LOGICAL), async (one) => one.remove());
      await createTables(postgres);
      const server = opened.add(await startSource(postgres, by), async (one) => one.close());
      await untilRead(postgres, by);
      const plain = new Listener(server, "odd");
      for (let id = 0; id <= RESTARTS; id += 1) {
        await postgres.query("insert into odd values ($1, 'x')", [id]);
        await plain.reached(id + 1);
        if (id === RESTARTS) break;
        await postgres.stop();
        await postgres.start();
      }
      const total = RESTARTS + 1;
      await untilSo(() => sum(changesByShard(server)) >= total, "the figures of all changes");
      const changes = changesByShard(server);
      assert.ok(changes.includes(total), `one shard reads all, got ${changes.join(" and ")}`);
      assert.deepEqual(
        plain.heard.map(({ payload }) => payload["id"]),
        Array.from({ length: total }, (_, id) => id),
      );
    });
  });
}

function changesByShard(server: Server): number[] {
  const { shards = [] } = server.stats().transports["postgres_source"]?.["changes"] ?? {};
  return shards.map((changes) => changes ?? 0);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

for (const by of WAYS) {
  describe(`A source by ${by}, whose database fails over`, { skip: noPostgres }, () => {
    const opened = new Opened();
    after(async () => opened.end());

    it("publishes what is written to a replica that lagged, whose numbers and positions were used before", async () => {
      const postgres = opened.add(await TestPostgres.start(LOGICAL), async (one) => one.remove());
      await createTables(postgres);
      const options = { shards: 1 };
      const server = opened.add(await startSource(postgres, by, options), async (one) =>
        one.close(),
      );
      await untilRead(postgres, by);
      const kept = new Listener(server, "kept:all");
      const plain = new Listener(server, "odd");
      const both = `with one as (insert into odd values ($1, 'x')) insert into kept values ($1, $1, 'x')`;
      await postgres.query(both, [1]);
      await kept.reached(1);
      await postgres.keepCopy();
      await postgres.query(both, [2]);
      await kept.reached(2);
      await postgres.failOver();
      await postgres.query(both, [3]);
      for (const listener of [kept, plain]) {
        const ids: unknown[] = [];
        // A slot may have forgotten what was confirmed, so that it comes again.
        while (!ids.includes(3)) ids.push((await listener.next())["id"]);
        assert.deepEqual([...new Set(ids)], [1, 2, 3]);
      }
    });
  });
}

for (const by of WAYS) {
  describe(`Two nodes with a source by ${by}`, { skip: noPostgres || noRedis }, () => {
    const opened = new Opened();
    after(async () => opened.end());

    it("lose and repeat nothing that is kept when the leader is killed", async () => {
      const postgres = opened.add(await TestPostgres.start(LOGICAL), async (one) => one.remove());
      const redis = opened.add(await TestRedis.start(), async (one) => one.kill());
      await createTables(postgres);
      const source = { maxInFlight: 50 };
      const environment = {
        SIMURGH_CLUSTER_URL: redis.url,
        SIMURGH_POSTGRES_URL: postgres.url(),
        SOURCE_OPTIONS: JSON.stringify({ by, ...source }),
      };
      const leader = opened.add(await startChild("source.main", [], environment), (one) =>
        one.process.kill("SIGKILL"),
      );
      const writer = opened.add(new Writer(postgres), async (one) => one.end());
      const options = { shards: 2, clusterUrl: redis.url, source };
      const node = opened.add(await startSource(postgres, by, options), async (one) => one.close());
      const kept = new Listener(node, "kept:all");
      await untilRead(postgres, by);
      const writing = writer.write(TOTAL);
      await kept.reached(TOTAL / 3);
      leader.process.kill("SIGKILL");
      await leader.exited();
      await writing;
      await checkAll(node, kept, TOTAL);
    });
  });
}
