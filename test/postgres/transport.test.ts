/**
 * The PostgreSQL transport with a real database: programs that only speak SQL in the same channels as browsers.
 *
 * Runs on: the test's thread; the shards are threads of the same process, PostgreSQL and psql are others.
 * Slow: it starts PostgreSQL, and a server for each set of options.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";

import { until } from "../support/until.ts";
import { connectPhoenix, disconnect, join, push, received } from "../support/phoenix-client.ts";
import { Opened } from "../support/opened.ts";
import { noPostgres, TestPostgres } from "../support/postgres.ts";
import { Psql } from "../support/psql.ts";
import { startServer, type Server } from "../support/server.ts";
import { SqlSession } from "../support/sql-session.ts";

describe("a session that is a row", { skip: noPostgres }, () => {
  let postgres: TestPostgres;
  let server: Server | undefined;
  let served = "";
  const suite = new Opened();
  const opened = new Opened();

  before(async () => {
    const installed = await TestPostgres.installed(["ann", "bob"]);
    postgres = suite.add(installed, async (one) => one.remove());
    suite.add(stop, async (end) => end());
  });
  after(async () => suite.end());
  afterEach(async () => {
    await opened.end();
    await postgres.query("DELETE FROM simurgh.sessions");
    await until("no socket", async () => ((await server?.sockets()) ?? []).length === 0);
  });

  /** Serves the app. Tests with the same options share a server. */
  async function serving(
    options: object = {},
    serveOptions: Parameters<typeof startServer>[1] = {},
  ): Promise<Server> {
    const wanted = JSON.stringify([options, serveOptions]);
    if (server && wanted === served) return server;
    await stop();
    // Kept for shards that are restarted.
    process.env["POSTGRES_OPTIONS"] = JSON.stringify({ url: postgres.url(), ...options });
    server = await startServer("postgres", { shards: 2, ...serveOptions });
    served = wanted;
    return server;
  }

  async function stop(): Promise<void> {
    await server?.close();
    server = undefined;
  }

  async function session(role: string, params: object = {}, claims?: object): Promise<SqlSession> {
    const one = await SqlSession.open(postgres, role, params, claims);
    opened.add(one, async (program) => program.end());
    return one;
  }

  it("talks with a browser's client in one channel, from psql", async () => {
    const { port } = await serving();
    const socket = await connectPhoenix(port, { user: "eve" });
    const channel = socket.channel("room:lobby", {});
    await join(channel);
    const psql = new Psql(postgres.url("ann"));
    opened.add(psql, async (one) => one.end());
    const [id = ""] = await psql.type("SELECT simurgh.open('/socket')");
    await psql.type(`INSERT INTO simurgh.inbox (session, join_ref, ref, topic, event)
      VALUES ('${id}', '1', '1', 'room:lobby', 'phx_join')`);
    const columns = "join_ref, ref, topic, event, payload";
    const taken = `SELECT ${columns} FROM simurgh.take('${id}')`;
    assert.deepEqual(await psql.typeUntilAnswered(taken), [
      '1|1|room:lobby|phx_reply|{"status": "ok", "response": {"role": "ann", "user": "ann"}}',
    ]);
    const heard = received(channel, "said");
    await psql.type(`INSERT INTO simurgh.inbox (session, join_ref, ref, topic, event, payload)
      VALUES ('${id}', '1', '2', 'room:lobby', 'say', '{"text": "from SQL"}')`);
    assert.deepEqual(await heard, { text: "from SQL", from: "ann" });
    const own = await psql.typeUntilAnswered(taken);
    assert.deepEqual(own, [
      '||room:lobby|said|{"from": "ann", "text": "from SQL"}',
      '1|2|room:lobby|phx_reply|{"status": "ok", "response": {"text": "from SQL"}}',
    ]);
    await push(channel, "say", { text: "from a browser" });
    assert.deepEqual(await psql.typeUntilAnswered(taken), [
      '||room:lobby|said|{"from": "eve", "text": "from a browser"}',
    ]);
    await disconnect(socket);
  });

  it("tells psql by a notification that there are rows", async () => {
    await serving();
    const psql = new Psql(postgres.url("ann"));
    opened.add(psql, async (one) => one.end());
    const [id = ""] = await psql.type("SELECT simurgh.open('/socket')");
    await psql.type(`LISTEN "simurgh:${id}"`);
    const send = `SELECT simurgh.send('${id}', 'phoenix', 'heartbeat', '{}', '1')`;
    // The notification may come with the answer, behind the number of the row.
    let [, line] = await psql.type(send);
    if (line === undefined) [line = ""] = await psql.typeUntilAnswered("SELECT 1 WHERE false");
    assert.match(line, new RegExp(`^Asynchronous notification "simurgh:${id}" received`));
  });

  it("gives connect the role of the database and the session's claims", async () => {
    await serving();
    const one = await session("ann", {}, { user: "ann@example.com" });
    assert.deepEqual(await one.join("room:1"), { user: "ann@example.com", role: "ann" });
    const [row] = await postgres.query("SELECT role, state, params FROM simurgh.sessions");
    assert.deepEqual(row, { role: "ann", state: "open", params: {} });
    assert.deepEqual(
      (await server?.sockets())?.map(({ transport, id }) => [transport, id]),
      [["postgres", "users:ann@example.com"]],
    );
  });

  it("is told that connect refused it, and why", async () => {
    await serving();
    const one = await session("ann", { refuse: true });
    const { topic, event, payload } = await one.next();
    assert.deepEqual([topic, event, payload], ["phoenix", "refused", { reason: "not ü\ufffd" }]);
    const [row] = await one.client
      .query("SELECT state, reason, ended_at IS NOT NULL AS ended FROM simurgh.sessions")
      .then(({ rows }) => rows as object[]);
    assert.deepEqual(row, { state: "refused", reason: { reason: "not ü\ufffd" }, ended: true });
    await assert.rejects(one.send("room:1", "phx_join"), /session must be open, got .* has ended/);
  });

  it("is refused if no socket has its path", async () => {
    await serving();
    const client = await postgres.connect("ann");
    opened.add(client, async (one) => one.end());
    const { rows } = await client.query<{ id: string }>("SELECT simurgh.open('/other') AS id");
    await until("the refusal", async () => {
      const [row] = await postgres.query(
        "SELECT state, reason FROM simurgh.sessions WHERE id = $1",
        [rows[0]?.id],
      );
      return (
        row?.["state"] === "refused" && JSON.stringify(row["reason"]).includes("no such socket")
      );
    });
  });

  it("is refused after some attempts if connect throws each time", async () => {
    await serving();
    const one = await session("ann", { boom: true });
    const row = await one.next();
    assert.deepEqual([row.event, row.payload], ["refused", { reason: "connect failed" }]);
  });

  it("gets replies, errors and ends as any client does, in order", async () => {
    await serving();
    const one = await session("ann");
    await one.join("room:1");
    for (let n = 0; n < 300; n += 1) await one.send("room:1", "echo", { n });
    for (let n = 0; n < 300; n += 1) {
      const { payload } = await one.next();
      assert.deepEqual(payload, { status: "ok", response: { n } });
    }
    await assert.rejects(one.call("room:2", "phx_join", { refuse: "full" }), /"reason":"full"/);
    await assert.rejects(one.call("elsewhere", "phx_join"), /unmatched topic/);
    await one.send("room:1", "crash");
    const end = await one.next();
    assert.deepEqual([end.join_ref, end.event], ["1", "phx_error"]);
    assert.deepEqual(await postgres.query("SELECT * FROM simurgh.joins"), []);
    assert.deepEqual(await one.join("room:1"), { user: "ann", role: "ann" });
    await one.send("room:1", "phx_leave");
    const events = [await one.next(), await one.next()].map(({ event }) => event);
    assert.deepEqual(events, ["phx_reply", "phx_close"]);
    await until("no row of the inbox", async () => isEmpty("inbox"));
    assert.deepEqual(await postgres.query("SELECT * FROM simurgh.joins"), []);
  });

  it("passes a row on when the handler of the one before has finished", async () => {
    await serving();
    const one = await session("ann");
    await one.join("room:1");
    const slow = await one.send("room:1", "slow", { ms: 50, n: 1 });
    const beat = await one.send("phoenix", "heartbeat");
    assert.deepEqual([(await one.next()).ref, (await one.next()).ref], [slow, beat]);
  });

  it("keeps a row until the reply of replyLater is written, which holds up no other row", async () => {
    await serving();
    const one = await session("ann");
    await one.join("room:1");
    const later = await one.send("room:1", "later", { ms: 200, n: 7 });
    const beat = await one.send("phoenix", "heartbeat");
    assert.equal((await one.next()).ref, beat);
    await until("one row", async () => {
      const rows = await postgres.query("SELECT ref FROM simurgh.inbox");
      return rows.length === 1 && rows[0]?.["ref"] === later;
    });
    assert.equal((await one.next()).ref, later);
    await until("no row of the inbox", async () => isEmpty("inbox"));
  });

  it("gets one reply of replyLater for each row, also if rows have the same ref", async () => {
    await serving();
    const one = await session("ann");
    await one.join("room:1");
    for (const n of [1, 2]) {
      await one.client.query("SELECT simurgh.send($1, 'room:1', 'later', $2, 'same', '1')", [
        one.id,
        { ms: 100 * n, n },
      ]);
    }
    const rows = [await one.next(), await one.next()];
    assert.deepEqual(
      rows.map(({ payload }) => payload),
      [1, 2].map((n) => ({ status: "ok", response: { n } })),
    );
    await until("no row of the inbox", async () => isEmpty("inbox"));
    const beat = await one.send("phoenix", "heartbeat");
    assert.equal((await one.next()).ref, beat);
  });

  it("gives up the reply of replyLater after laterReplyMs", async () => {
    await serving({ laterReplyMs: 1 });
    const one = await session("ann");
    await one.join("room:1");
    const later = await one.send("room:1", "later", { ms: 1_000, n: 7 });
    await until("no row of the inbox", async () => isEmpty("inbox"));
    assert.equal((await one.next()).ref, later);
  });

  it("completes rows without a ref, and of handlers that do not reply", async () => {
    await serving();
    const one = await session("ann");
    await one.join("room:1");
    await one.client.query("SELECT simurgh.send($1, 'room:1', 'quiet', '{\"n\": 1}')", [one.id]);
    await one.send("room:1", "quiet", { n: 2 });
    assert.deepEqual((await one.next()).payload, { n: 1 });
    assert.deepEqual((await one.next()).payload, { n: 2 });
    await until("no row of the inbox", async () => isEmpty("inbox"));
  });

  it("carries bytes both ways", async () => {
    await serving();
    const one = await session("ann");
    await one.join("room:1");
    await one.client.query(
      "INSERT INTO simurgh.inbox (session, join_ref, ref, topic, event, bytes) VALUES ($1, '1', 'b', 'room:1', 'echo', $2)",
      [one.id, Buffer.of(0, 255, 7)],
    );
    const row = await one.next();
    assert.deepEqual(
      [row.join_ref, row.ref, row.event, row.payload, row.bytes],
      ["1", "b", "phx_reply", { status: "ok" }, Buffer.of(0, 255, 7)],
    );
  });

  it("gets U+FFFD for what the database cannot hold", async () => {
    await serving();
    const one = await session("ann");
    await one.join("room:1");
    await one.send("room:1", "odd");
    const { payload } = await one.next();
    assert.deepEqual(payload, { text: "a\ufffdb \\u0000 \ufffd \ud83d\ude00" });
  });

  it("keeps large numbers as they are", async () => {
    await serving();
    const one = await session("ann");
    await one.join("room:1");
    const digits = "123456789012345678901234567890";
    await one.client.query(
      `SELECT simurgh.send($1, 'room:1', 'verbatim', '{"n": ${digits}}', 'n', '1')`,
      [one.id],
    );
    await until("a row", async () => !(await isEmpty("outbox")));
    const [row] = await postgres.query(
      "SELECT payload #>> '{response,n}' AS n FROM simurgh.outbox",
    );
    assert.deepEqual(row, { n: digits });
  });

  it("ends when its program closes it, after what it has sent before", async () => {
    await serving();
    const one = await session("ann");
    await one.join("room:1");
    await one.send("room:1", "slow", { ms: 20, n: 1 });
    await one.client.query("SELECT simurgh.close($1)", [one.id]);
    assert.equal((await one.next()).event, "phx_reply");
    const end = await one.next();
    assert.deepEqual([end.topic, end.event, end.payload], ["phoenix", "closed", { code: 1000 }]);
    await until("no socket", async () => (await server?.sockets())?.length === 0);
  });

  it("ends when its row is deleted", async () => {
    await serving();
    const one = await session("ann");
    await one.join("room:1");
    await postgres.query("DELETE FROM simurgh.sessions");
    await until("no socket", async () => (await server?.sockets())?.length === 0);
  });

  it("ends when the app disconnects its id", async () => {
    await serving();
    const one = await session("ann");
    await one.join("room:1");
    server?.disconnect("users:ann");
    const end = await one.next();
    assert.deepEqual([end.event, end.payload], ["closed", { code: 1001 }]);
  });

  it("ends with 1009 if a row is longer than a frame may be", async () => {
    await serving({}, { maxFrameBytes: 10_000 });
    const one = await session("ann");
    await one.join("room:1");
    await one.send("room:1", "echo", { text: "x".repeat(20_000) });
    assert.deepEqual((await one.next()).payload, { code: 1009 });
  });

  it("is on another shard after its shard was restarted, with its channels", async () => {
    await serving({}, { shards: 1 });
    const one = await session("ann");
    await one.join("room:1");
    await server?.restartShard(0);
    await one.send("room:1", "echo", { n: 1 });
    const resumed = await one.next();
    assert.deepEqual([resumed.topic, resumed.event], ["phoenix", "resumed"]);
    assert.deepEqual((await one.next()).payload, { status: "ok", response: { n: 1 } });
  });

  it("misses nothing of a history while it goes from shard to shard, and gets nothing twice", async () => {
    await serving();
    const one = await session("ann");
    await one.join("kept:1", { history: null });
    const over = { isSo: false };
    const restarts = (async () => {
      for (const shard of [0, 1]) await server?.restartShard(shard);
      over.isSo = true;
    })();
    for (let sent = 0; !over.isSo || sent < 200; sent += 50) {
      for (let n = sent; n < sent + 50; n += 1) await server?.publish("kept:1", "kept", { n });
      for (let n = sent; n < sent + 50; n += 1) {
        const { event, payload } = await one.next(({ topic }) => topic === "kept:1");
        assert.deepEqual([event, payload], ["kept", { n }]);
      }
    }
    await restarts;
    const [row] = await postgres.query("SELECT history ->> 'offset' AS offset FROM simurgh.joins");
    assert.match(String(row?.["offset"]), /^\d{13}$/);
  });

  it("is told by the event history if a part of it is not kept any more", async () => {
    await serving();
    const one = await session("ann");
    await one.join("kept:2", { history: null });
    await stop();
    await serving();
    const row = await one.next(({ topic }) => topic === "kept:2");
    assert.equal(row.event, "history");
    assert.equal((row.payload as { recovered: boolean }).recovered, false);
  });

  it("is left to another shard at once, however much it gets", async () => {
    await serving();
    const one = await session("ann");
    await one.join("room:1");
    const flood = setInterval(() => server?.broadcast("room:1", "flood", {}), 1);
    try {
      for (const shard of [0, 1]) await server?.restartShard(shard);
    } finally {
      clearInterval(flood);
    }
    assert.deepEqual(await one.call("room:1", "echo", { n: 1 }), { n: 1 });
    const [row] = await postgres.query<{ epoch: string }>("SELECT epoch FROM simurgh.sessions");
    assert.ok(Number(row?.epoch) >= 2, row?.epoch);
  });

  it("hears that a stored join is refused now, as the end of its channel", async () => {
    await serving();
    const one = await session("ann");
    await one.join("room:1");
    await one.join("room:2");
    await stop();
    await postgres.query(
      `UPDATE simurgh.joins SET payload = '{"refuse": "banned"}' WHERE topic = 'room:1'`,
    );
    await serving();
    const row = await one.next(({ topic }) => topic !== "phoenix");
    assert.deepEqual(
      [row.join_ref, row.topic, row.event, row.payload],
      ["1", "room:1", "phx_error", { reason: "banned" }],
    );
    assert.deepEqual(await one.call("room:2", "echo", { n: 1 }), { n: 1 });
    await until("one join", async () => {
      const rows = await postgres.query("SELECT topic FROM simurgh.joins");
      return rows.length === 1 && rows[0]?.["topic"] === "room:2";
    });
  });

  it("waits for room in its outbox, while its rows wait in the inbox", async () => {
    await serving({ outboxRows: 5 });
    const one = await session("ann");
    await one.join("room:1");
    for (let n = 0; n < 50; n += 1) await one.send("room:1", "echo", { n });
    await until("a full outbox", async () => {
      const [row] = await postgres.query<{ n: number }>(
        "SELECT count(*)::int AS n FROM simurgh.outbox",
      );
      return (row?.n ?? 0) >= 5;
    });
    for (let n = 0; n < 50; n += 1) {
      const row = await one.next();
      assert.deepEqual(row.payload, { status: "ok", response: { n } });
    }
  });

  it("is cut if it does not take its rows, as slow clients are, and costs others nothing", async () => {
    await serving({ outboxBytes: 20_000 }, { maxBackpressureBytes: 65_536, slowClientMs: 100 });
    const slow = await session("ann");
    const other = await session("bob");
    await slow.join("room:1");
    await other.join("room:2");
    await slow.send("room:1", "push", { count: 40, size: 10_000 });
    await until("the end of the session", async () => {
      const [row] = await postgres.query("SELECT state, code FROM simurgh.sessions WHERE id = $1", [
        slow.id,
      ]);
      return row?.["state"] === "closed" && row["code"] === 1006;
    });
    assert.deepEqual(await other.call("room:2", "echo", { n: 1 }), { n: 1 });
    const rows = await slow.take(1_000);
    assert.deepEqual(rows.at(-1)?.payload, { code: 1006 });
    assert.ok(rows.length < 40, `${rows.length} rows`);
  });

  it("has its rows handled while another gets broadcasts without a pause", async () => {
    await serving({}, { shards: 1 });
    const [listening, calling] = [await session("ann"), await session("bob")];
    await listening.join("room:1");
    await calling.join("room:2");
    const flood = setInterval(() => server?.broadcast("room:1", "flood", {}), 1);
    try {
      for (let n = 0; n < 20; n += 1) {
        assert.deepEqual(await calling.call("room:2", "echo", { n }), { n });
      }
    } finally {
      clearInterval(flood);
    }
    assert.equal((await listening.next()).event, "flood");
  });

  it("cannot be opened with more than 64 KiB, or send long names", async () => {
    const client = await postgres.connect("ann");
    opened.add(client, async (one) => one.end());
    const params = { text: "x".repeat(70_000) };
    const opening = client.query("SELECT simurgh.open('/socket', $1)", [params]);
    await assert.rejects(opening, /violates check constraint/);
    const { rows } = await client.query<{ id: string }>("SELECT simurgh.open('/socket') AS id");
    const sending = client.query("SELECT simurgh.send($1, $2, 'say')", [
      rows[0]?.id,
      "x".repeat(9_000),
    ]);
    await assert.rejects(sending, /violates check constraint/);
  });

  it("can read the table, and acknowledge what it has read", async () => {
    await serving();
    const one = await session("ann");
    await one.send("phoenix", "heartbeat");
    await until("a row", async () => !(await isEmpty("outbox")));
    const read = "SELECT id, ref FROM simurgh.outbox WHERE session = $1 ORDER BY id";
    const { rows } = await one.client.query<{ id: string; ref: string }>(read, [one.id]);
    assert.deepEqual(
      rows.map(({ ref }) => ref),
      ["1"],
    );
    const values = [one.id, rows[0]?.id];
    const acknowledged = await one.client.query("SELECT simurgh.acknowledge($1, $2)", values);
    assert.deepEqual(acknowledged.rows, [{ acknowledge: "1" }]);
    assert.ok(await isEmpty("outbox"));
  });

  it("ends if its program sends nothing for idleMs, but not if it does", async () => {
    await serving({ idleMs: 2_000 });
    const idle = await session("ann");
    const busy = await session("bob");
    await idle.join("room:1");
    const ended = idle.next();
    const end = { isThere: false };
    void ended.then(() => (end.isThere = true));
    while (!end.isThere) await busy.call("phoenix", "heartbeat");
    assert.deepEqual((await ended).payload, { code: 1000 });
    assert.deepEqual(await busy.call("phoenix", "heartbeat"), {});
  });

  it("ends if its program takes nothing for retentionMs, and is removed after another", async () => {
    await serving({ retentionMs: 2_000 });
    const away = await session("ann");
    const present = await session("bob");
    await away.send("phoenix", "heartbeat");
    await present.call("phoenix", "heartbeat");
    await until("the end", async () => {
      const [row] = await postgres.query("SELECT code FROM simurgh.sessions WHERE id = $1", [
        away.id,
      ]);
      return row?.["code"] === 1006;
    });
    await until("only one session", async () => {
      const rows = await postgres.query("SELECT id FROM simurgh.sessions");
      return rows.length === 1 && rows[0]?.["id"] === present.id;
    });
    assert.deepEqual(await present.call("phoenix", "heartbeat"), {});
  });

  async function isEmpty(table: string): Promise<boolean> {
    return (await postgres.query(`SELECT FROM simurgh.${table} LIMIT 1`)).length === 0;
  }
});
