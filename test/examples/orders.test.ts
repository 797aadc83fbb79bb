/**
 * The guide's example of a source.
 *
 * Slow: starts PostgreSQL.
 * Runs on: the test's thread; the server's shards are threads of the same process.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { serve } from "../../src/index.ts";
import { Client } from "../support/client.ts";
import { noPostgres, TestPostgres } from "../support/postgres.ts";
import type { Server } from "../support/server.ts";
import { installSchema } from "../support/source.ts";

describe("the guide's orders", { skip: noPostgres }, () => {
  let postgres: TestPostgres;
  let server: Server;

  before(async () => {
    postgres = await TestPostgres.start();
    await installSchema(postgres);
    await postgres.query("create table orders (id int primary key, customer text, status text)");
    await postgres.query("select simurgh.watch('public.orders')");
    process.env["SIMURGH_POSTGRES_URL"] = postgres.url();
    server = await serve({
      app: new URL("./orders/app.js", import.meta.url),
      host: "127.0.0.1",
      port: 0,
      shards: 2,
      logLevel: "silent",
    });
  });

  after(async () => {
    await server.close();
    await postgres.remove();
  });

  it("reach the customer that they are of, and nobody else", async () => {
    const client = await Client.connect(server.port, { params: { user: "ann" } });
    const foreign = await client.replyTo(client.join("orders:bob"));
    assert.deepEqual(foreign, { status: "error", response: { reason: "forbidden" } });
    assert.equal((await client.replyTo(client.join("orders:ann"))).status, "ok");
    await postgres.query("insert into orders values (1, 'bob', 'new'), (2, 'ann', 'draft')");
    await postgres.query("insert into orders values (3, 'ann', 'new')");
    await postgres.query("update orders set status = 'paid' where id = 3");
    await postgres.query("delete from orders where id = 3");
    const order = { id: 3, customer: "ann" };
    assert.deepEqual((await client.next("insert")).payload, { ...order, status: "new" });
    assert.deepEqual((await client.next("update")).payload, { ...order, status: "paid" });
    assert.deepEqual((await client.next("delete")).payload, { ...order, status: "paid" });
  });
});
