/**
 * What both ways of a source must do, with a real PostgreSQL.
 *
 * Slow: starts PostgreSQL and some servers.
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";

import type { Client } from "pg";

import { untilSo, within } from "../../support/deadline.ts";
import { Opened } from "../../support/opened.ts";
import { noPostgres, TestPostgres } from "../../support/postgres.ts";
import type { Server } from "../../support/server.ts";
import { createTables, Listener, LOGICAL, startSource, WAYS } from "../../support/source.ts";

for (const by of WAYS) {
  describe(`A source by ${by}`, { skip: noPostgres }, () => {
    let postgres: TestPostgres;
    let server: Server;
    let errors: Listener;
    const opened = new Opened();

    before(async () => {
      postgres = opened.add(await TestPostgres.start(LOGICAL), async (one) => one.remove());
      await createTables(postgres);
      server = opened.add(await startSource(postgres, by), async (one) => one.close());
      errors = new Listener(server, "errors");
      const probe = new Listener(server, "odd");
      // By replication, the source begins when its slot is created.
      let id = 1_000_000;
      const insert = async (): Promise<void> => {
        await postgres.query("insert into odd values ($1, 'probe')", [(id += 1)]);
      };
      const timer = setInterval(() => void insert(), 200);
      try {
        await probe.reached(1);
      } finally {
        clearInterval(timer);
      }
    });

    after(async () => opened.end());

    it("broadcasts inserts, updates, deletes and truncates, with rows", async () => {
      const orders = new Listener(server, "orders");
      await postgres.query("insert into orders (id, text) values (1, 'a')");
      await postgres.query("update orders set text = 'b' where id = 1");
      await postgres.query("delete from orders where id = 1");
      await postgres.query("truncate orders");
      const inserted = await orders.next("insert");
      assert.deepEqual([inserted["row"], inserted["old"]], [row({ text: "a" }), undefined]);
      const updated = await orders.next("update");
      assert.deepEqual(updated["row"], row({ text: "b" }));
      const old = by === "triggers" ? row({ text: "a" }) : undefined;
      assert.deepEqual(updated["old"], old);
      const deleted = await orders.next("delete");
      assert.equal(deleted["row"], undefined);
      assert.deepEqual(deleted["old"], by === "triggers" ? row({ text: "b" }) : { id: 1 });
      const truncated = await orders.next("truncate");
      assert.deepEqual([truncated["table"], truncated["row"]], ["orders", undefined]);
    });

    it("passes on the same values", async () => {
      const orders = new Listener(server, "orders");
      await postgres.query(
        `insert into orders values (2, E'a"b\\\\c', 9007199254740993, 12345678901234567.89,
           '2026-01-02 03:04:05.678+02', array['x', 'a "b", {c}', null], '{"n": 12345678901234567890, "f": 1.5}',
           true, '\\x00ff', 0.1, '2026-01-02')`,
      );
      const { row: values } = await orders.next("insert");
      assert.deepEqual(values, {
        id: 2,
        text: 'a"b\\c',
        amount: "9007199254740993",
        price: "12345678901234567.89",
        at: "2026-01-02T01:04:05.678+00:00",
        tags: ["x", 'a "b", {c}', null],
        meta: { n: "12345678901234567890", f: 1.5 },
        is_paid: true,
        bytes: "\\x00ff",
        ratio: 0.1,
        day: "2026-01-02",
      });
      await postgres.query("delete from orders");
      await orders.next("delete");
    });

    it("passes on texts that begin with a byte order mark as they are", async () => {
      const orders = new Listener(server, "orders");
      const texts = ["\ufeffmarked", "in\ufeffside", "\ufeff", "\ufeff\ufefftwice"];
      for (const [at, text] of texts.entries()) {
        await postgres.query("insert into orders (id, text, bytes) values ($1, $2, '\\xefbbbf')", [
          40 + at,
          text,
        ]);
        const inserted = await orders.next("insert");
        assert.deepEqual(inserted["row"], row({ id: 40 + at, text, bytes: "\\xefbbbf" }));
      }
    });

    it("passes on rows of more than 8 000 bytes", async () => {
      const orders = new Listener(server, "orders");
      const text = "é".repeat(100_000);
      await postgres.query("insert into orders (id, text) values (3, $1)", [text]);
      assert.deepEqual((await orders.next("insert"))["row"], row({ id: 3, text }));
    });

    it("does not skip a transaction that commits after later ones", async () => {
      const orders = new Listener(server, "orders");
      await postgres.withClient(async (early) => {
        await early.query("begin; insert into orders (id, text) values (10, 'early')");
        await postgres.query("insert into orders (id, text) values (11, 'late')");
        assert.deepEqual((await orders.next("insert"))["row"], row({ id: 11, text: "late" }));
        await early.query("commit");
        assert.deepEqual((await orders.next("insert"))["row"], row({ id: 10, text: "early" }));
      });
    });

    it("broadcasts nothing of a transaction that is rolled back", async () => {
      const orders = new Listener(server, "orders");
      await postgres.query("begin; insert into orders (id) values (20); rollback");
      await postgres.query("insert into orders (id) values (21)");
      assert.deepEqual((await orders.next("insert"))["row"], row({ id: 21 }));
    });

    it("keeps the order of a row that several transactions change", async () => {
      const orders = new Listener(server, "orders");
      await postgres.query("insert into orders (id, amount) values (30, 0)");
      const add = "update orders set amount = amount + 1 where id = 30";
      const addOften = async (client: Client): Promise<void> => {
        for (let i = 0; i < 50; i += 1) await client.query(add);
      };
      await Promise.all([1, 2, 3, 4].map(async () => postgres.withClient(addOften)));
      const heard = await orders.reached(201);
      const amounts = heard.map(({ payload }) => (payload["row"] as { amount: number }).amount);
      assert.deepEqual(
        amounts,
        Array.from({ length: 201 }, (_, i) => i),
      );
    });

    it("keeps messages of topics with a history", async () => {
      const kept = new Listener(server, "kept:all");
      await postgres.query("insert into kept values (1, 1, 'a'), (2, 2, 'b')");
      await kept.reached(2);
      const { messages } = await server.history("kept:all");
      assert.deepEqual(
        messages.map(({ payload }) => (payload as { seq: number }).seq),
        [1, 2],
      );
    });

    it("leaves out columns, and changes of other columns", async () => {
      const filtered = new Listener(server, "filtered");
      await postgres.query(
        "insert into filtered values (1, 'new', 'x', false), (2, 'new', 'x', true)",
      );
      await postgres.query("update filtered set note = 'y'");
      await postgres.query("update filtered set status = 'old'");
      await postgres.query("delete from filtered");
      assert.deepEqual((await filtered.next("insert"))["row"], { id: 1, status: "new" });
      const updated = await filtered.next("update");
      assert.deepEqual(updated["row"], { id: 1, status: "old" });
      assert.deepEqual(updated["old"], { id: 1, status: "new" });
      assert.deepEqual((await filtered.next("delete"))["old"], { id: 1, status: "old" });
    });

    it("loses only the change whose map throws or returns something else", async () => {
      const odd = new Listener(server, "odd");
      const reported = errors.heard.length;
      const kinds = [
        "throws",
        "nothing",
        "wrong",
        "no topic",
        "promise",
        "payload",
        "large",
        "three",
      ];
      await postgres.query(
        "insert into odd select n, k from unnest($1::text[]) with ordinality as kinds (k, n)",
        [kinds],
      );
      assert.deepEqual(await odd.next("a"), { id: 8 });
      assert.deepEqual(await odd.next("b"), { id: 8 });
      assert.deepEqual(await odd.next("c"), { id: 8 });
      const heard = (await errors.reached(reported + 6)).slice(reported);
      for (const { payload } of heard) {
        assert.equal(payload["code"], "SIM_ERR_SOURCE_CHANGE");
        assert.match(
          String(payload["message"]),
          /^the insert of public\.odd at \S+ is not published: /,
        );
      }
      assert.match(String(heard[0]?.payload["message"]), /map must not throw, got map failed$/);
      assert.equal(errors.heard.length, reported + 6);
    });

    it("broadcasts an ephemeral event of a topic with a history, and keeps the others", async () => {
      const mixed = new Listener(server, "kept:mixed");
      await postgres.query("insert into odd values (100, 'mixed'), (101, 'mixed')");
      await mixed.reached(4);
      const { messages } = await server.history("kept:mixed");
      assert.deepEqual(
        messages.map(({ event, payload }) => [event, (payload as { id: number }).id]),
        [
          ["said", 100],
          ["said", 101],
        ],
      );
    });

    it("sends a message that is too large for its history once, and reports it", async () => {
      const small = new Listener(server, "small:all");
      const reported = errors.heard.length;
      await postgres.query("insert into small values (1, repeat('x', 20000)), (2, 'y')");
      const [first, second] = await small.reached(2);
      assert.equal(String(first?.payload["text"]).length, 20_000);
      assert.equal(second?.payload["text"], "y");
      const [error] = (await errors.reached(reported + 1)).slice(reported);
      assert.match(String(error?.payload["message"]), /maxBytes of its topic/);
      assert.equal(small.heard.length, 2);
    });

    it("follows a column that is added", async () => {
      const kept = new Listener(server, "kept:all");
      await postgres.query("alter table kept add column more int default 7");
      await postgres.query("insert into kept values (50, 50, 'c')");
      assert.deepEqual(await kept.next("change"), { id: 50, seq: 50, text: "c", more: 7 });
      await postgres.query("alter table kept drop column more");
      await postgres.query("insert into kept values (51, 51, 'd')");
      assert.deepEqual(await kept.next("change"), { id: 51, seq: 51, text: "d" });
    });

    it("passes on large values that an update did not change, if the way has them", async () => {
      const toasted = new Listener(server, "toasted");
      const long = "x".repeat(10_000);
      await postgres.query("insert into toasted values (1, 'a', repeat('x', 10000))");
      await postgres.query("update toasted set note = 'b'");
      await postgres.query("alter table toasted replica identity full");
      await postgres.query("update toasted set note = 'c'");
      await toasted.next("insert");
      const { row: plain, unchanged } = await toasted.next("update");
      const hasAll = by === "triggers";
      assert.deepEqual(plain, { id: 1, note: "b", ...(hasAll && { long }) });
      assert.deepEqual(unchanged, hasAll ? [] : ["long"]);
      const { row: full, ...rest } = await toasted.next("update");
      assert.deepEqual(full, { id: 1, note: "c", long });
      assert.deepEqual([rest["unchanged"], rest["old"]], [[], { id: 1, note: "b", long }]);
    });

    it("broadcasts the changes of partitions under the name of their table", async () => {
      const parts = new Listener(server, "parts");
      await postgres.query("insert into parts values (1, 'a')");
      await postgres.query("update parts_0 set text = 'b'");
      // It moves to another partition.
      await postgres.query("update parts set id = 11");
      await postgres.query("delete from parts_10");
      await postgres.query("create table parts_20 partition of parts for values from (20) to (30)");
      await postgres.query("insert into parts values (21, 'later')");
      // That of a partition alone is none of the table.
      await postgres.query("truncate parts_20; insert into parts values (2, 'c'); truncate parts");
      const events: unknown[] = [];
      while (events.length < 8) {
        const { table, operation, row: now, old } = await parts.next();
        assert.equal(table, "parts");
        const id = ((now ?? old) as { id: number } | undefined)?.id;
        events.push(`${String(operation)} ${id}`);
      }
      assert.deepEqual(events, [
        "insert 1",
        "update 1",
        "delete 1",
        "insert 11",
        "delete 11",
        "insert 21",
        "insert 2",
        "truncate undefined",
      ]);
    });

    it("follows types that are created while it reads", async () => {
      const kept = new Listener(server, "kept:all");
      await postgres.query(
        `create domain age as int; create type mood as enum ('ok');
         alter table kept add column age age, add column ages age[], add column moods mood[]`,
      );
      await postgres.query("insert into kept values (52, 52, 'e', 7, '{8,9}', '{ok}')");
      const own = { age: 7, ages: [8, 9], moods: ["ok"] };
      assert.deepEqual(await kept.next("change"), { id: 52, seq: 52, text: "e", ...own });
      await postgres.query("alter table kept drop column age, drop column ages, drop column moods");
    });

    it("leaves out a change that is too large, says which, and goes on", async () => {
      const small = new Listener(server, "small:all");
      const reported = errors.heard.length;
      const failures = measuredBy(server)["errors"] ?? 0;
      await postgres.query("insert into small values (10, repeat('x', 67108864)), (11, 'y')");
      assert.deepEqual(await small.next("change"), { id: 11, text: "y" });
      const [error] = (await errors.reached(reported + 1)).slice(reported);
      assert.equal(error?.payload["code"], "SIM_ERR_SOURCE_CHANGE");
      assert.match(
        String(error.payload["message"]),
        /^the insert of public\.small at \S+ is not published: it must have at most 67108864 bytes, got 6710\d+$/,
      );
      await untilSo(async () => (measuredBy(server)["errors"] ?? 0) > failures, "a counted error");
    });

    it("leaves out a change that cannot be read, says which, and goes on", async (t) => {
      if (by === "triggers") return t.skip("PostgreSQL writes no JSON that cannot be read");
      const small = new Listener(server, "small:all");
      const reported = errors.heard.length;
      // A type that says that it is an array, whose values are not.
      await postgres.query(
        `create type list;
         create function list_in(cstring) returns list language internal immutable strict as 'textin';
         create function list_out(list) returns cstring language internal immutable strict as 'textout';
         create type list (input = list_in, output = list_out, like = text, category = 'A',
           element = text, subscript = raw_array_subscript_handler);
         alter table small add column list list`,
      );
      await postgres.query(`insert into small values (20, 'x', '{"a'), (21, 'y', '{a}')`);
      assert.deepEqual(await small.next("change"), { id: 21, text: "y", list: ["a"] });
      const [error] = (await errors.reached(reported + 1)).slice(reported);
      assert.equal(error?.payload["code"], "SIM_ERR_SOURCE_CHANGE");
      assert.match(
        String(error.payload["message"]),
        /^the insert of public\.small at \S+ is not published: it must be readable, got an array must end/,
      );
      await postgres.query("alter table small drop column list");
    });

    it("measures what it published, and how far it is behind", async () => {
      // Here too, since the figures are those of the leader, and another one may have become it.
      await postgres.query("insert into odd values (200, 'throws')");
      const caughtUp = async (): Promise<void> => {
        for (;;) {
          const { isLeader, lagMs, changes = 0, errors: failures = 0 } = measuredBy(server);
          if (isLeader === 1 && lagMs === 0 && changes > 200 && failures > 0) return;
          await setImmediate();
        }
      };
      await within(caughtUp(), "figures of one leader that is level");
      const { messages, lagBytes } = measuredBy(server);
      assert.ok((messages ?? 0) > 200, `${messages} messages`);
      assert.ok((lagBytes ?? -1) >= 0, `${lagBytes} bytes`);
    });

    it("publishes a large transaction in order", async () => {
      const kept = new Listener(server, "kept:all");
      await postgres.query(
        "insert into kept select 1000 + n, n, 'x' from generate_series(0, 19999) n",
      );
      const heard = await kept.reached(20_000);
      assert.ok(heard.every(({ payload }, index) => payload["seq"] === index));
      assert.equal(kept.gaps, 0);
    });
  });
}

/** Returns the figures of a source, summed over all shards. */
function measuredBy(server: Server): Record<string, number> {
  const figures = server.stats().transports["postgres_source"] ?? {};
  return Object.fromEntries(Object.entries(figures).map(([name, { total }]) => [name, total]));
}

/** A row of `orders`, of which only some columns are set. */
function row(values: object): object {
  return {
    id: 1,
    text: null,
    amount: null,
    price: null,
    at: null,
    tags: null,
    meta: null,
    is_paid: null,
    bytes: null,
    ratio: null,
    day: null,
    ...values,
  };
}
