/**
 * The PostgreSQL transport and what ends: the process, a node, the database, connections to it. No row is lost, and no
 * reply is written twice.
 *
 * Runs on: the test's thread; nodes and PostgreSQL are processes of their own.
 * Slow: nodes are killed again and again, and a lease takes a second to end.
 */

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { after, afterEach, before, describe, it } from "node:test";

import { CuttingProxy } from "../support/cutting-proxy.ts";
import { within } from "../support/deadline.ts";
import { startChild, type Child } from "../support/child.ts";
import { Opened } from "../support/opened.ts";
import { noPostgres, TestPostgres } from "../support/postgres.ts";
import { SqlSession } from "../support/sql-session.ts";
import { until } from "../support/until.ts";

/** Rounds of kill -9. */
const ROUNDS = Number(process.env["POSTGRES_ROUNDS"] ?? 8);
const LEASE_MS = 1_000;
const HANDLED_MS = 15;

interface Reply {
  readonly ref: string;
  readonly n: number;
}

async function kill(node: Child): Promise<void> {
  node.process.kill("SIGCONT");
  node.process.kill("SIGKILL");
  await node.exited();
}

/** Ends a session's connection, which may be gone already. */
async function endOf(one: SqlSession): Promise<void> {
  await one.end().catch(() => {});
}

/** Sends rows, some of whose handlers reply later, and returns their refs. */
async function send(one: SqlSession, from: number, count: number): Promise<Reply[]> {
  const sent: Reply[] = [];
  for (let n = from; n < from + count; n += 1) {
    const event = n % 5 === 4 ? "later" : "slow";
    sent.push({ ref: await one.send("room:1", event, { n, ms: HANDLED_MS }), n });
  }
  return sent;
}

describe("rows of sessions", { skip: noPostgres }, () => {
  let postgres: TestPostgres;
  const nodes: Child[] = [];
  const opened = new Opened();

  before(async () => {
    postgres = await TestPostgres.installed(["ann"]);
  });
  after(async () => {
    await postgres.remove();
  });
  afterEach(async () => {
    await opened.end();
    nodes.length = 0;
    await postgres.query("DELETE FROM simurgh.sessions; DELETE FROM simurgh.holders");
  });

  async function startNode(url = postgres.url()): Promise<Child> {
    const options = { url, leaseMs: LEASE_MS, pollMs: 200 };
    const node = await startChild("postgres.main", [], {
      POSTGRES_OPTIONS: JSON.stringify(options),
      POSTGRES_SAYS_HANDLED: "1",
    });
    nodes.push(node);
    return opened.add(node, kill);
  }

  async function joined(): Promise<SqlSession> {
    const one = await SqlSession.open(postgres, "ann");
    // The server ends connections in some tests.
    one.client.on("error", () => {});
    opened.add(one, endOf);
    await one.join("room:1");
    return one;
  }

  async function areHandled(): Promise<boolean> {
    return (await postgres.query("SELECT FROM simurgh.inbox LIMIT 1")).length === 0;
  }

  async function untilHandled(): Promise<void> {
    await until("an empty inbox", areHandled, 60_000);
  }

  /** The replies to a session's rows, in the order of its outbox. */
  async function repliesTo(one: SqlSession): Promise<Reply[]> {
    const rows = await postgres.query<Reply>(
      `SELECT ref, (payload #>> '{response,n}')::int AS n FROM simurgh.outbox
       WHERE session = $1 AND event = 'phx_reply' ORDER BY id`,
      [one.id],
    );
    return rows;
  }

  /** Asserts that each row has its reply, once, and that handlers which replied at once did so in order. */
  async function assertEachOnce(one: SqlSession, sent: readonly Reply[]): Promise<void> {
    const replies = await repliesTo(one);
    const byNumber = replies.toSorted((first, second) => first.n - second.n);
    assert.deepEqual(byNumber, sent);
    const slow = replies.filter(({ n }) => n % 5 !== 4).map(({ n }) => n);
    assert.deepEqual(
      slow,
      slow.toSorted((first, second) => first - second),
    );
  }

  function timesHandled(): string[] {
    return nodes.flatMap((node) => node.output().match(/handling \d+/g) ?? []);
  }

  it("survive kill -9 between claim and reply: each is handled, and each reply is there once", async () => {
    let node = await startNode();
    const one = await joined();
    const sent: Reply[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      sent.push(...(await send(one, sent.length, 20)));
      // A handler of this round, which has not replied yet.
      const victim = round * 20 + randomInt(4) * 5 + randomInt(4);
      await node.said(new RegExp(`handling ${victim}\\b`));
      await kill(node);
      node = await startNode();
    }
    await untilHandled();
    await assertEachOnce(one, sent);
    const handled = timesHandled();
    const distinct = new Set(handled).size;
    assert.ok(handled.length > distinct, `${handled.length} calls for ${distinct} rows`);
    const joins = await postgres.query("SELECT topic FROM simurgh.joins");
    assert.deepEqual(joins, [{ topic: "room:1" }]);
  });

  it("go to another node when theirs is killed", async () => {
    const killed = await startNode();
    await startNode();
    const sessions = [];
    for (let count = 0; count < 12; count += 1) sessions.push(await joined());
    const sent = await Promise.all(sessions.map(async (one) => send(one, 0, 20)));
    await kill(killed);
    const more = await Promise.all(sessions.map(async (one) => send(one, 20, 20)));
    await untilHandled();
    for (const [at, one] of sessions.entries()) {
      await assertEachOnce(one, [...(sent[at] ?? []), ...(more[at] ?? [])]);
    }
  });

  it("are written by one node only, when another wakes up after its lease has ended", async () => {
    const frozen = await startNode();
    const one = await joined();
    const sent = await send(one, 0, 20);
    await frozen.said(/handling 7\b/);
    frozen.process.kill("SIGSTOP");
    const other = await startNode();
    await other.said(/handling 11\b/);
    frozen.process.kill("SIGCONT");
    await frozen.said(/the lease was not renewed in time|handling 12\b/);
    await untilHandled();
    sent.push(...(await send(one, 20, 5)));
    await untilHandled();
    await assertEachOnce(one, sent);
  });

  it("survive a restart of the database, and its crash", async () => {
    const node = await startNode();
    const one = await joined();
    const sent = await send(one, 0, 20);
    await node.said(/handling 3\b/);
    await postgres.stop();
    await postgres.start();
    await node.said(/handling 12\b/);
    await postgres.crash();
    await postgres.start();
    await untilHandled();
    await assertEachOnce(one, sent);
  });

  it("survive connections that break", async () => {
    await startNode();
    const one = await joined();
    const sent = await send(one, 0, 60);
    while (!(await areHandled())) {
      await postgres.cutAll();
      const replies = (await repliesTo(one)).length;
      await until("a reply", async () => {
        return (await repliesTo(one)).length > replies || areHandled();
      });
    }
    await assertEachOnce(one, sent);
  });

  it("are handled if the database's answer to the claim of their session is lost", async () => {
    const proxy = await CuttingProxy.start(postgres.port);
    try {
      const one = await SqlSession.open(postgres, "ann");
      opened.add(one, endOf);
      const lost = proxy.loseAnswerTo("epoch = s.epoch + 1");
      await startNode(postgres.url().replace(String(postgres.port), String(proxy.port)));
      await within(lost, "a lost answer");
      await one.join("room:1");
      assert.deepEqual(await one.call("room:1", "echo", { n: 1 }), { n: 1 });
    } finally {
      await proxy.close();
    }
  });

  it("have one reply if the answer of the database is lost, after which it is written again", async () => {
    const proxy = await CuttingProxy.start(postgres.port);
    try {
      await startNode(postgres.url().replace(String(postgres.port), String(proxy.port)));
      const one = await joined();
      for (let n = 0; n < 5; n += 1) {
        const lost = proxy.loseAnswerTo("simurgh_write");
        await send(one, n, 1);
        await within(lost, "a lost answer");
      }
      await untilHandled();
      const replies = await repliesTo(one);
      assert.deepEqual(
        replies.map(({ n }) => n),
        [0, 1, 2, 3, 4],
      );
    } finally {
      await proxy.close();
    }
  });
});
