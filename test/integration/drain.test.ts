/**
 * The drain of a node: what each kind of client sees, what is reported to the host, and what continues.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread.
 * Slow: each test starts a server, and some wait for a deadline.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";

import type { Channel, Socket } from "phoenix";
import { LongPoll } from "phoenix";

import { RawSocket } from "../conformance/raw-socket.ts";
import type { Arrival } from "../conformance/scenario.ts";
import { Balancer } from "../support/balancer.ts";
import { Client, joined } from "../support/client.ts";
import { noSecondShard, openedInTurn } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { ask, LongPollClient } from "../support/longpoll-client.ts";
import { connectPhoenix, join, push } from "../support/phoenix-client.ts";
import { startServer } from "../support/server.ts";
import type { Server } from "../support/server.ts";

type Options = NonNullable<Parameters<typeof startServer>[1]>;
type Drain = Awaited<ReturnType<Server["drain"]>>;

const DRAINING = { shutdown: "draining" };
/** A pace at which the second batch waits until it is hurried. */
const ONE_BATCH = { drainIntervalMs: 600_000, drainLimitMs: 3_600_000, drainJitterPercent: 0 };

const servers: Server[] = [];
const balancers: Balancer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.disconnect();
  for (const balancer of balancers.splice(0)) balancer.close();
  await Promise.all(servers.splice(0).map((server) => server.closeNow()));
});

async function start(options: Options = {}): Promise<Server> {
  const server = await startServer("drain", { shards: 2, ...options });
  servers.push(server);
  return server;
}

/** Connects so many clients, on the shards in turn. */
async function connectMany(
  server: Server,
  count: number,
  topic = "room:1",
): Promise<{ readonly client: Client; readonly shard: number }[]> {
  // Only those that stay join: channels that end count.
  const clients = await openedInTurn(count, {
    server,
    open: async () => Client.connect(server.port),
    close: (client) => client.cut(),
  });
  return Promise.all(
    clients.map(async (client) => {
      const { shard } = (await joined(client, topic)) as { shard: number };
      return { client, shard };
    }),
  );
}

/** What the app broadcasts on the topic `log`. */
class Log {
  readonly entries: { readonly event: string; readonly payload: Record<string, unknown> }[] = [];
  #look: () => void = () => undefined;

  constructor(server: Server) {
    server.subscribe("log", ({ event, payload }) => {
      this.entries.push({ event, payload: payload as Record<string, unknown> });
      this.#look();
    });
  }

  of(event: string): Record<string, unknown>[] {
    return this.entries.filter((entry) => entry.event === event).map(({ payload }) => payload);
  }

  /** Waits until there are so many entries of a kind. */
  async until(event: string, count: number): Promise<void> {
    const all = new Promise<void>((resolve) => {
      this.#look = (): void => {
        if (this.of(event).length >= count) resolve();
      };
      this.#look();
    });
    await within(all, `${count} entries of ${event} in ${JSON.stringify(this.entries)}`);
  }
}

type Answer = Extract<Arrival, { readonly status: number }>;

/** A kept-alive HTTP connection, for one request after the other. */
class KeptConnection {
  readonly #socket: RawSocket;
  readonly #unread: Arrival[] = [];
  #wake: () => void = () => undefined;

  constructor(port: number, path: string) {
    this.#socket = new RawSocket(port, headOf(path), (arrival) => {
      this.#unread.push(arrival);
      this.#wake();
    });
  }

  /** Returns the status and the headers of the next answer. */
  async answer(): Promise<Answer> {
    const arrived = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    if (this.#unread.length === 0) await within(arrived, "an answer");
    const arrival = this.#unread.shift();
    assert.ok(arrival?.kind === "status", JSON.stringify(arrival));
    return arrival;
  }

  async asked(path: string, more?: readonly string[]): Promise<Answer> {
    this.#socket.tcp.write(headOf(path, more));
    return this.answer();
  }

  cut(): void {
    this.#socket.tcp.destroy();
  }
}

const UPGRADE = [
  "connection: Upgrade",
  "upgrade: websocket",
  "sec-websocket-version: 13",
  "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
];

function headOf(path: string, more: readonly string[] = []): string {
  return [`GET ${path} HTTP/1.1`, "host: localhost", ...more, "", ""].join("\r\n");
}

/** Waits, turn by turn, until a condition is true. */
async function seen(isSo: () => boolean, what: string): Promise<void> {
  let isOver = false;
  const waiting = async (): Promise<void> => {
    while (!isSo() && !isOver) await setImmediate();
  };
  await within(waiting(), what).finally(() => {
    isOver = true;
  });
}

/** Reports whether the port accepts connections. */
async function isTaken(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

describe("A node that drains", () => {
  it("tells every client to reconnect: joined or not, of either version, polling too", async () => {
    const server = await start();
    const log = new Log(server);
    const bare = await Client.connect(server.port);
    const old = await Client.connect(server.port, { vsn: "1.0.0" });
    await joined(old, "room:old");
    const both = await Client.connect(server.port);
    await joined(both, "room:1");
    await joined(both, "room:2");
    const polling = await LongPollClient.connect(server.port);
    await polling.send(["1", "1", "room:polled", "phx_join", {}]);
    await within(polling.poll().answer, "the join's reply");
    const waiting = polling.poll();
    // Each shard has answered a later request, so the poll has arrived.
    for (let n = 0; n < 4; n += 1) {
      await within(ask(server.port, "OPTIONS", "/socket/longpoll").answer, "an answer");
    }

    const drain = await within(server.drain(), "the drain");

    assert.deepEqual(
      await Promise.all([bare, old, both].map(async (client) => (await client.closed()).code)),
      [1012, 1012, 1012],
    );
    const { http, status } = await within(waiting.answer, "the end of the session");
    assert.deepEqual([http, status], [200, 410]);
    const { durationMs, ...counts } = drain;
    assert.deepEqual(counts, {
      connections: 4,
      sessions: 1,
      channels: 4,
      rounds: 1,
      closed: 4,
      cut: 0,
      gone: 0,
      unsettled: 0,
      lateShards: [],
    } satisfies Omit<Drain, "durationMs">);
    assert.ok(durationMs >= 100 && durationMs < 5_000, `${durationMs} ms`);
    const ends = log.of("terminated");
    assert.deepEqual(
      ends.map(({ topic }) => String(topic)).toSorted((a, b) => a.localeCompare(b)),
      ["room:1", "room:2", "room:old", "room:polled"],
    );
    assert.ok(ends.every(({ reason }) => JSON.stringify(reason) === JSON.stringify(DRAINING)));
    const [total] = [server.stats().total];
    assert.deepEqual([total.connections, total.channels, total.sessions], [0, 0, 0]);
  });

  it("is drained at once without clients", async () => {
    const server = await start();
    const { connections, rounds, lateShards } = await within(server.drain(), "the drain");
    assert.deepEqual([connections, rounds, lateShards], [0, 0, []]);
  });

  it("accepts no more connections, and says so on kept-alive ones", async () => {
    const server = await start();
    assert.equal(server.isReady, true);
    const kept = new KeptConnection(server.port, "/healthz");
    assert.equal((await kept.answer()).status, 200);
    const [upgrading, polling] = ["/healthz", "/healthz"].map(
      (path) => new KeptConnection(server.port, path),
    );
    assert.ok(upgrading && polling);
    await Promise.all([upgrading.answer(), polling.answer()]);

    const drained = server.drain();
    assert.equal(server.isReady, false, "from the first moment on");
    assert.equal((await kept.asked("/healthz")).status, 503);
    await within(drained, "the drain");
    assert.equal(await isTaken(server.port), false);
    const upgrade = await upgrading.asked("/socket/websocket?vsn=2.0.0", UPGRADE);
    assert.deepEqual([upgrade.status, upgrade.headers["retry-after"]], [503, "5"]);
    const poll = await polling.asked("/socket/longpoll?vsn=2.0.0");
    assert.deepEqual([poll.status, poll.headers["retry-after"]], [503, "5"]);
    assert.equal((await kept.asked("/healthz")).body, "health", "routes go on");
    for (const connection of [kept, upgrading, polling]) connection.cut();
  });

  it("may accept connections for a while after it is no longer ready", async () => {
    const server = await start();
    const kept = new KeptConnection(server.port, "/healthz");
    await kept.answer();
    const drained = server.drain({ drainDelayMs: 600_000 });
    assert.equal((await kept.asked("/healthz")).status, 503);
    const [late] = await connectMany(server, 1);
    assert.ok(late);
    const echoed = await late.client.replyTo(late.client.push("room:1", "echo", { n: 1 }));
    assert.deepEqual(echoed.response, { n: 1 });
    const closing = server.closeNow();
    assert.equal((await late.client.closed()).code, 1012);
    assert.equal((await within(drained, "the drain")).connections, 1);
    await closing;
    kept.cut();
  });

  it(
    "closes a batch of the whole node at a time, and serves the others meanwhile",
    { skip: noSecondShard },
    async () => {
      const server = await start();
      const all = await connectMany(server, 8);
      const log = new Log(server);
      const perShard = [0, 1].map((one) => all.filter(({ shard }) => shard === one).length);
      assert.deepEqual(perShard, [4, 4]);
      const closed = new Set<Client>();
      const codes = all.map(async ({ client }) => {
        const { code } = await client.closed();
        closed.add(client);
        return code;
      });
      const drained = server.drain({ ...ONE_BATCH, drainBatch: 4 });
      await log.until("terminated", 4);
      await log.until("batch", 2);
      const batches = log.of("batch").toSorted((a, b) => Number(a["shard"]) - Number(b["shard"]));
      assert.deepEqual(
        batches,
        [0, 1].map((shard) => {
          return { shard, transport: "websocket", count: 2, total: 4, index: 0, rounds: 2 };
        }),
      );
      assert.equal(server.stats().total.connections, 4);
      await seen(() => closed.size === 4, "the closes of the first batch");
      const left = all.filter(({ client }) => !closed.has(client));
      for (const { client } of left) {
        assert.equal((await client.replyTo(client.push("room:1", "echo"))).status, "ok");
      }
      assert.equal(closed.size, 4);
      const closing = server.closeNow();
      assert.deepEqual(
        await Promise.all(codes),
        all.map(() => 1012),
      );
      const drain = await within(drained, "the drain");
      assert.deepEqual([drain.connections, drain.rounds, drain.closed], [8, 2, 8]);
      await closing;
    },
  );

  it("closes all batches by itself", { skip: noSecondShard }, async () => {
    const server = await start();
    const log = new Log(server);
    const all = await connectMany(server, 8);
    const pace = { drainBatch: 2, drainIntervalMs: 20, drainJitterPercent: 50 };
    const { rounds, closed } = await within(server.drain(pace), "the drain");
    assert.deepEqual([rounds, closed], [4, 8]);
    await log.until("batch", 8);
    const batches = log.of("batch");
    const counts = batches.map(({ count }) => Number(count));
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      8,
    );
    assert.deepEqual(new Set(batches.map(({ index }) => index)), new Set([0, 1, 2, 3]));
    for (const { client } of all) assert.equal((await client.closed()).code, 1012);
  });

  it("counts clients that leave before their batch, and those that are cut because they do not read", async () => {
    const server = await start({ shards: 1, maxBackpressureBytes: 1_000_000_000 });
    const log = new Log(server);
    const [deaf, , leaver] = await connectMany(server, 3);
    assert.ok(deaf && leaver);
    // More than the kernel buffers for a client that reads nothing.
    const ref = deaf.client.push("room:1", "fill", { count: 30, bytes: 1_000_000 });
    await deaf.client.next("filled");
    deaf.client.pause();
    const pace = { ...ONE_BATCH, drainBatch: 2, drainMs: 0 };
    const drained = server.drain(pace);
    // Only one client of the first batch can be told.
    await log.until("terminated", 1);
    await leaver.client.close();
    await log.until("terminated", 2);
    const closing = server.closeNow();
    const { connections, closed, cut, gone } = await within(drained, "the drain");
    assert.deepEqual([connections, closed, cut, gone], [3, 1, 1, 1]);
    await closing;
    deaf.client.resume();
    assert.equal((await deaf.client.closed()).code, 1006);
    assert.ok(ref);
  });

  it("cuts a client that does not read, and no other", async () => {
    const server = await start({ shards: 1, maxBackpressureBytes: 1_000_000_000 });
    const [deaf, other] = await connectMany(server, 2);
    assert.ok(deaf && other);
    deaf.client.push("room:1", "fill", { count: 30, bytes: 1_000_000 });
    await deaf.client.next("filled");
    deaf.client.pause();
    const { closed, cut } = await within(server.drain({ drainMs: 50 }), "the drain");
    assert.deepEqual([closed, cut], [1, 1]);
    assert.equal((await other.client.closed()).code, 1012);
  });

  it(
    "waits up to shutdownMs for channels that end slowly, and reports how many did not end",
    { skip: noSecondShard },
    async () => {
      const server = await start({ shutdownMs: 100 });
      const all: Awaited<ReturnType<typeof connectMany>>[] = [];
      for (const topic of ["room:never ends", "room:throws", "room:1"]) {
        all.push(await connectMany(server, 2, topic));
      }
      const log = new Log(server);
      const { closed, channels, unsettled } = await within(server.drain(), "the drain");
      assert.deepEqual([closed, channels, unsettled], [6, 6, 2]);
      assert.equal(log.of("terminated").length, 6);
      for (const { client } of all.flat()) assert.equal((await client.closed()).code, 1012);
      await within(server.close(), "the end of the server");
      assert.equal(log.of("stopped").length, 2, "stop runs all the same");
    },
  );

  it(
    "stops waiting for a shard with a blocked loop, and reports which",
    { skip: noSecondShard },
    async () => {
      const server = await start({ shutdownMs: 100, drainMs: 0 });
      const all = await connectMany(server, 4);
      const stuck = all.find(({ shard }) => shard === 1);
      stuck?.client.push("room:1", "spin", { ms: 4_000 });
      const { connections, closed, lateShards } = await within(server.drain(), "the drain");
      assert.deepEqual([connections, closed, lateShards], [2, 2, [1]]);
      await within(server.close(), "the end of the server");
      for (const { client, shard } of all) {
        const { code } = await client.closed(8_000);
        assert.equal(code, 1012, `of shard ${shard}`);
      }
    },
  );

  it(
    "replaces no shard that ends meanwhile, and reports whose counts are missing",
    { skip: noSecondShard },
    async () => {
      const lines: string[] = [];
      const note = (_fields: object, text: string): void => void lines.push(text);
      const logger = { debug: note, info: note, warn: note, error: note };
      const server = await start({ logger, logLevel: "warn" });
      const log = new Log(server);
      const all = await connectMany(server, 8);
      const drained = server.drain({ ...ONE_BATCH, drainBatch: 4 });
      await log.until("terminated", 4);
      const ofOne = all.filter(({ shard }) => shard === 1);
      const codes = Promise.all(ofOne.map(async ({ client }) => (await client.closed()).code));
      for (const { client } of ofOne) client.push("room:1", "exit");
      assert.deepEqual(await codes, [1012, 1012, 1012, 1012]);
      const closing = server.closeNow();
      const { connections, closed, lateShards } = await within(drained, "the drain");
      assert.deepEqual([connections, closed, lateShards], [4, 4, [1]]);
      await closing;
      const about = lines.filter((line) => line.startsWith("shard"));
      assert.deepEqual(about, ["shard ended unexpectedly"]);
    },
  );

  it(
    "drains once: a second call and close join the same drain",
    { skip: noSecondShard },
    async () => {
      const server = await start();
      const log = new Log(server);
      const [client] = await connectMany(server, 1);
      const first = server.drain();
      assert.equal(server.drain({ drainDelayMs: 5_000 }), first);
      await within(first, "the drain");
      assert.equal(server.isClosed, false);
      assert.equal(server.drain(), first);
      assert.equal((await client?.client.closed())?.code, 1012);
      assert.deepEqual(log.of("stopped"), []);
      await within(server.close(), "the end of the server");
      assert.equal(log.of("stopped").length, 2);
      assert.equal(server.drain(), first);
    },
  );

  it("is awaited by a close that is called meanwhile", async () => {
    const server = await start();
    const log = new Log(server);
    const all = await connectMany(server, 4);
    const drained = server.drain({ drainBatch: 2, drainIntervalMs: 50, drainJitterPercent: 0 });
    await log.until("terminated", 1);
    const closing = server.close();
    assert.equal((await within(drained, "the drain")).rounds, 2);
    await within(closing, "the end of the server");
    for (const { client } of all) assert.equal((await client.closed()).code, 1012);
  });

  it("is drained by close too, in batches", async () => {
    const server = await start({ drainBatch: 2, drainIntervalMs: 20 });
    const all = await connectMany(server, 6);
    await within(server.close(), "the end of the server");
    for (const { client } of all) assert.equal((await client.closed()).code, 1012);
    assert.equal((await server.drain()).rounds, 3);
  });

  it("still broadcasts and answers its host", async () => {
    const server = await start();
    await connectMany(server, 2);
    await within(server.drain(), "the drain");
    const heard = new Promise((resolve) => {
      server.subscribe("news", ({ payload }) => resolve(payload));
    });
    server.broadcast("news", "said", { n: 1 });
    assert.deepEqual(await within(heard, "the broadcast"), { n: 1 });
    assert.deepEqual(await server.sockets(), []);
    assert.equal(await server.subscribers("room:1"), 0);
  });

  it("restarts no shard any more", async () => {
    const server = await start();
    await within(server.drain(), "the drain");
    await assert.rejects(server.restartShard(0), {
      code: "SIM_ERR_SERVER_CLOSED",
      message: "server must be open, got drained",
    });
  });

  it("does not start to drain if an option is invalid", async () => {
    const server = await start();
    await assert.rejects(server.drain({ drainBatch: 0 }), { code: "SIM_ERR_OPTION_INVALID" });
    await assert.rejects(server.drain({ batch: 5 } as object), { code: "SIM_ERR_OPTION_INVALID" });
    assert.equal(server.isReady, true);
    const [client] = await connectMany(server, 1);
    assert.ok(client);
  });
});

/**
 * Pushes until there is an answer. A polling client loses its new session if a request uses a kept-alive
 * connection to the first server; it then opens another.
 */
async function answeredAtLast(channel: Channel, payload: object): Promise<unknown> {
  const answered = async (): Promise<unknown> => {
    for (;;) {
      try {
        return await push(channel, "echo", payload);
      } catch (error) {
        if (!/was answered with error/.test(String(error))) throw error;
      }
    }
  };
  return within(answered(), "an answer of the other server");
}

describe("The official client of a node that drains", () => {
  for (const [name, transport] of [
    ["a WebSocket", undefined],
    ["long-poll", LongPoll],
  ] as const) {
    it(`reconnects to another server and joins again, over ${name}`, async () => {
      const [one, other] = [await start(), await start()];
      const balancer = await Balancer.start([one.port, other.port]);
      balancers.push(balancer);
      const codes: number[] = [];
      const options = transport === undefined ? {} : { transport };
      const socket: Socket = await connectPhoenix(balancer.port, {}, options);
      sockets.push(socket);
      socket.onClose((event) => {
        if (event) codes.push(event.code);
      });
      const channel = socket.channel("room:moving", {});
      await join(channel);
      assert.deepEqual(
        [await one.subscribers("room:moving"), await other.subscribers("room:moving")],
        [1, 0],
      );
      const again = new Promise<void>((resolve) => {
        socket.onOpen(resolve);
      });
      const { closed } = await within(one.drain(), "the drain");
      assert.equal(closed, 1);
      await within(again, "the client at the other server");
      assert.deepEqual(await answeredAtLast(channel, { n: 1 }), { n: 1 });
      assert.ok((await other.subscribers("room:moving")) >= 1);
      if (transport === undefined) assert.deepEqual(codes, [1012]);
    });
  }
});
