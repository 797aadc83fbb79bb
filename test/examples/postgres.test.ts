/**
 * The example of the PostgreSQL transport: a script of psql talks with the official client.
 *
 * Runs on: the test's thread; the server's shard is a thread of the same process, PostgreSQL and psql are others.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";

import { serve } from "../../src/index.ts";
import { connectPhoenix, disconnect, join, push, received } from "../support/phoenix-client.ts";
import { noPostgres, TestPostgres } from "../support/postgres.ts";
import { Psql } from "../support/psql.ts";
import type { Server } from "../support/server.ts";

const SCRIPT = new URL("../../../test/examples/postgres/chat.sql", import.meta.url);
const TAKE = "SELECT join_ref, ref, topic, event, payload FROM simurgh.take(:'id')";

/** Takes rows; notifications are lines, too. */
async function rowsOf(psql: Psql): Promise<string[]> {
  const lines = await psql.type(TAKE);
  return lines.filter((line) => line.includes("|"));
}

describe("the example of a PostgreSQL transport", { skip: noPostgres }, () => {
  let postgres: TestPostgres;
  let server: Server;

  before(async () => {
    postgres = await TestPostgres.installed(["warehouse"]);
    process.env["SIMURGH_POSTGRES_URL"] = postgres.url();
    server = await serve({
      app: new URL("./postgres/app.js", import.meta.url),
      host: "127.0.0.1",
      port: 0,
      shards: 1,
      logLevel: "silent",
    });
  });
  after(async () => {
    await server.close();
    delete process.env["SIMURGH_POSTGRES_URL"];
    await postgres.remove();
  });

  it("lets a script of psql and a browser's client talk in one channel", async () => {
    const socket = await connectPhoenix(server.port, { user: "eve" });
    const channel = socket.channel("room:lobby", {});
    await join(channel);
    const heard = received(channel, "said");
    const psql = new Psql(postgres.url("warehouse"));
    await psql.type(readFileSync(SCRIPT, "utf8"));
    assert.deepEqual(await heard, { text: "hello from SQL", from: "warehouse" });
    const rows = [];
    while (rows.length < 3) rows.push(...(await rowsOf(psql)));
    assert.deepEqual(rows, [
      '1|1|room:lobby|phx_reply|{"status": "ok", "response": {}}',
      '||room:lobby|said|{"from": "warehouse", "text": "hello from SQL"}',
      '1|2|room:lobby|phx_reply|{"status": "ok", "response": {"text": "hello from SQL"}}',
    ]);
    await push(channel, "say", { text: "hello back" });
    while (rows.length < 4) rows.push(...(await rowsOf(psql)));
    assert.equal(rows[3], '||room:lobby|said|{"from": "eve", "text": "hello back"}');
    await psql.end();
    await disconnect(socket);
  });
});
