/**
 * Tasks of channels on the task pool, as a client sees them.
 *
 * Runs on: the main thread of the tests; the server's shards are threads of the same process.
 *
 * The pool has one thread. So the answer to a second task proves that a busy first one has ended.
 *
 * Slow: each test starts a server and its pool.
 */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { Client, joined } from "../support/client.ts";
import { noSecondShard } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { startServer } from "../support/server.ts";
import type { Server } from "../support/server.ts";

type Options = Parameters<typeof startServer>[1];

let server: Server | undefined;
afterEach(async () => {
  await within(server?.close() ?? Promise.resolve(), "the end of the server");
  server = undefined;
});

async function start(options: Options = {}): Promise<Server> {
  server = await startServer("tasks", { shards: 1, taskThreads: 1, shutdownMs: 200, ...options });
  return server;
}

async function enter({ port }: Server): Promise<Client> {
  const client = await Client.connect(port);
  await joined(client, "room:1");
  await joined(client, "control");
  return client;
}

/** Runs a task and returns the channel's answer. */
async function run(client: Client, name: string, input?: unknown): Promise<Answer> {
  const { status, response } = await client.replyTo(client.push("room:1", "task", { name, input }));
  return { status, ...(response as object) };
}

interface Answer {
  readonly status: string;
  readonly result?: unknown;
  readonly shard?: number;
  readonly code?: string;
  readonly message?: string;
  readonly stack?: string;
}

async function control(client: Client, event: string): Promise<void> {
  assert.equal((await client.replyTo(client.push("control", event))).status, "ok");
}

/** Starts a busy task that may never end, while its channel continues. */
async function burnAside(client: Client): Promise<void> {
  const { status } = await client.replyTo(client.push("room:1", "burn_aside"));
  assert.equal(status, "ok");
  await control(client, "started");
}

describe("A task", () => {
  it("returns its result to the handler that awaits it", async () => {
    const client = await enter(await start());
    assert.deepEqual(await run(client, "double", { n: 21 }), {
      status: "ok",
      result: 42,
      shard: 0,
    });
  });

  it("throws its own error in the handler, with code and stack", async () => {
    const client = await enter(await start());
    const { status, code, message, stack } = await run(client, "fail");
    assert.deepEqual([status, code, message], ["error", "E_FAR", "too far"]);
    assert.match(stack ?? "", /^RangeError: too far\n +at fail \(.*tasks\.work/);
  });

  it("that fails ends its channel if the handler does not catch the error", async () => {
    const client = await enter(await start());
    client.push("room:1", "uncaught");
    assert.deepEqual((await client.next("phx_error")).payload, { reason: "channel_crash" });
  });

  it("can take bytes that are not copied", async () => {
    const client = await enter(await start());
    const { response } = await client.replyTo(client.push("room:1", "transfer"));
    assert.deepEqual(response, { result: 6, left: 0 });
  });

  it("can return a result that is not copied", async () => {
    const client = await enter(await start());
    const { response } = await client.replyTo(client.push("room:1", "gives_back"));
    assert.deepEqual(response, { sum: 3, left: 0 });
  });

  it("is ended, and rejected with the reason, when its signal is aborted", async () => {
    const client = await enter(await start());
    await client.replyTo(client.push("room:1", "burn_until_abort"));
    await control(client, "started");
    client.push("room:1", "abort");
    const { payload } = await client.next("result");
    assert.deepEqual(payload, { result: "Error: no patience" });
    // It runs on the only thread, so the busy one has ended.
    assert.equal((await run(client, "double", { n: 2 })).result, 4);
  });

  it("is counted by main", async () => {
    const running = await start();
    const client = await enter(running);
    const before = running.stats().main.tasksDone;
    await run(client, "double", { n: 2 });
    await run(client, "fail");
    await run(client, "double", { n: 2 });
    const { tasksDone, tasksFailed, tasksRunning } = running.stats().main;
    assert.deepEqual([tasksDone - before, tasksFailed, tasksRunning], [2, 1, 0]);
  });

  it("leaves its shard free: a heartbeat is answered while it runs", async () => {
    const client = await enter(await start());
    const burn = client.push("room:1", "burn");
    await control(client, "started");
    await client.nothingMore();
    await control(client, "release");
    const { response } = await client.replyTo(burn);
    assert.deepEqual(response, { result: "burnt", shard: 0 });
  });

  it("runs on the one pool that all shards share", { skip: noSecondShard }, async () => {
    const running = await start({ shards: 2 });
    const first = await run(await enter(running), "where");
    let other = first;
    while (other.shard === first.shard) other = await run(await enter(running), "where");
    assert.equal(first.result, other.result);
  });

  it("that runs too long is ended, and rejected", async () => {
    const client = await enter(await start({ taskTimeoutMs: 2_000 }));
    const { status, response } = await client.replyTo(client.push("room:1", "burn"));
    const { code } = response as Answer;
    assert.deepEqual([status, code], ["error", "SIM_ERR_TASK_TIMEOUT"]);
  });

  it("that finds the queue full is rejected at once", async () => {
    const client = await enter(await start({ maxTaskQueue: 0 }));
    await burnAside(client);
    const { status, code } = await run(client, "double", { n: 1 });
    assert.deepEqual([status, code], ["error", "SIM_ERR_TASK_QUEUE_FULL"]);
    await control(client, "release");
    assert.deepEqual((await client.next("result")).payload, { result: "burnt" });
  });
});

describe("A task without a channel", () => {
  it("returns its result to `start` and to routes", async () => {
    const { port } = await start();
    const response = await fetch(`http://127.0.0.1:${port}/double`);
    assert.deepEqual(await response.json(), { result: 8, started: 6 });
  });

  it("is ended with the request whose signal it got", async () => {
    const running = await start();
    const client = await enter(running);
    const page = new AbortController();
    const gone = fetch(`http://127.0.0.1:${running.port}/burn`, { signal: page.signal });
    await control(client, "started");
    page.abort();
    await assert.rejects(gone);
    assert.equal((await run(client, "double", { n: 2 })).result, 4);
  });

  it("is ended when its route times out", async () => {
    const running = await start({ handlerTimeoutMs: 200 });
    const response = await fetch(`http://127.0.0.1:${running.port}/burn`);
    assert.equal(response.status, 503);
    // The only thread is free again, or replaced, which may take longer than a route's timeout.
    const isAnswered = async (): Promise<boolean> =>
      (await fetch(`http://127.0.0.1:${running.port}/double`)).status === 200;
    const answered = async (): Promise<void> => {
      while (!(await isAnswered()));
    };
    await within(answered(), "the answer of a task");
  });
});

describe("A task of a channel that ends is ended", () => {
  const ends: Readonly<Record<string, (client: Client) => Promise<void>>> = {
    "by a leave": async (client) => {
      client.leave("room:1");
      await client.next("phx_reply");
      await client.next("phx_close");
    },
    "by a crash": async (client) => {
      client.push("room:1", "no such event");
      await client.next("phx_error");
    },
    "by another join of its topic": async (client) => {
      client.join("room:1");
      await client.next("phx_reply");
      await client.next("phx_close");
    },
    "by the end of its connection": async (client) => client.cut(),
    "by the end of its shard": async (client) => {
      await fetch(`http://127.0.0.1:${server?.port}/exit`).catch(() => undefined);
      await client.closed();
    },
  };
  for (const [how, end] of Object.entries(ends)) {
    it(how, async () => {
      const running = await start();
      const ended = await enter(running);
      await burnAside(ended);
      await end(ended);
      const other = await within(enterAtLast(running), "a connection");
      assert.equal((await run(other, "double", { n: 2 })).result, 4);
      assert.equal(running.stats().total.uncaught, 0);
    });
  }
});

describe("A task that a handler awaits", () => {
  it("is ended with its shard", async () => {
    const running = await start();
    const ended = await enter(running);
    ended.push("room:1", "burn");
    await control(ended, "started");
    await fetch(`http://127.0.0.1:${running.port}/exit`).catch(() => undefined);
    await ended.closed();
    const other = await within(enterAtLast(running), "a connection");
    assert.equal((await run(other, "double", { n: 2 })).result, 4);
  });
});

/** Retries until a connection is accepted: a shard that is being replaced is away for a moment. */
async function enterAtLast(running: Server): Promise<Client> {
  for (;;) {
    try {
      return await enter(running);
    } catch {
      // There is no shard yet, so main answers 503.
    }
  }
}

describe("A server with busy tasks", () => {
  it("closes, and ends the tasks of ended channels", async () => {
    const running = await start();
    const client = await enter(running);
    await burnAside(client);
    await within(running.close(), "the end of the server");
    assert.equal((await client.closed()).code, 1012);
  });

  it("closes, even if a handler awaits one", async () => {
    const running = await start({ drainMs: 0 });
    const client = await enter(running);
    client.push("room:1", "burn");
    await control(client, "started");
    await within(running.close(), "the end of the server");
    assert.equal((await client.closed()).code, 1012);
  });
});
