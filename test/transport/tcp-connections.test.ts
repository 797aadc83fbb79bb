/**
 * The counts and limits of TCP connections, over real sockets.
 *
 * Runs on: the test's thread, which is also the shard's.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, describe, it } from "node:test";

import { ok } from "../../src/callbacks/results.ts";
import type { ShardContext } from "../../src/channel/context.ts";
import type { Options } from "../../src/options/options.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import type { Route } from "../../src/transport/http/routes.ts";
import { NEW_PER_TURN } from "../../src/transport/turn.ts";
import { within } from "../support/deadline.ts";
import { startShard, type TestShard } from "../support/shard.ts";
import { Deferred } from "../support/world.ts";

const REQUEST = "GET /now HTTP/1.1\r\nhost: localhost\r\n\r\n";
const HALF_REQUEST = "GET /now HTTP/1.1\r\nhost: loc";

const shards: TestShard[] = [];
const clients: Socket[] = [];
after(() => {
  for (const client of clients) client.destroy();
  for (const shard of shards) shard.close();
});

/** Decides on the connects with the parameter `later`. */
let decided = new Deferred<void>();
/** Answers `GET /later`. */
let answered = new Deferred<{ readonly status: number }>();

async function serving(
  options: Options,
  routes: Readonly<Record<string, Route<ShardContext>>> = {},
): Promise<TestShard> {
  decided = new Deferred();
  answered = new Deferred();
  const socket = defineSocket({
    connect: ({ params }) => ("later" in params ? decided.promise.then(() => ok()) : ok()),
  });
  const shard = await startShard(
    {
      sockets: { "/socket": { socket, channels: {}, longpoll: { windowMs: 60_000 } } },
      routes: {
        "GET /now": () => ({ status: 200, body: "now" }),
        "GET /later": () => answered.promise,
        ...routes,
      },
    },
    options,
  );
  shards.push(shard);
  return shard;
}

/** A client that collects what it receives. */
class Client {
  readonly socket: Socket;
  text = "";
  readonly closed: Promise<unknown>;

  constructor({ port }: TestShard, first = "") {
    this.socket = connect(port, "127.0.0.1");
    clients.push(this.socket);
    this.closed = new Promise((resolve) => void this.socket.on("close", resolve));
    this.socket.on("error", () => {});
    this.socket.on("data", (data) => (this.text += data.toString("latin1")));
    if (first !== "") this.socket.write(first);
  }

  /** Sends a request. @returns what is received from then on, once it contains `part` */
  async ask(request: string, part: string): Promise<string> {
    this.text = "";
    this.socket.write(request);
    return this.receives(part);
  }

  async receives(part: string): Promise<string> {
    while (!this.text.includes(part)) await within(once(this.socket, "data"), `data with ${part}`);
    return this.text;
  }
}

function upgradeOf(query = ""): string {
  return [
    `GET /socket/websocket?vsn=2.0.0${query} HTTP/1.1`,
    "host: localhost",
    "connection: Upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    "\r\n",
  ].join("\r\n");
}

function pollOf(query = ""): string {
  return `GET /socket/longpoll?vsn=2.0.0${query} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
}

/** A POST with a part of its body. */
function postOf(path: string): string {
  return `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf`;
}

function counts({ counter }: TestShard): { readonly tcp: number; readonly idle: number } {
  return { tcp: counter("tcpConnections"), idle: counter("idleConnections") };
}

/** Waits until the shard has counted what its clients did. */
async function counted(shard: TestShard, tcp: number, idle: number): Promise<void> {
  const work = async (): Promise<void> => {
    while (counts(shard).tcp !== tcp || counts(shard).idle !== idle) {
      await new Promise((resolve) => void setImmediate(resolve));
    }
  };
  await within(work(), `${tcp} connections, ${idle} of them idle`);
}

describe("the TCP connections of a shard", () => {
  it("are counted, whatever they are used for, until they are closed", async () => {
    const shard = await serving({});
    const silent = new Client(shard);
    const half = new Client(shard, HALF_REQUEST);
    const asking = new Client(shard);
    await asking.ask(REQUEST, "now");
    await counted(shard, 3, 3);
    const webSocket = new Client(shard);
    await webSocket.ask(upgradeOf(), "101");
    await counted(shard, 4, 3);
    for (const { socket } of [silent, half, asking, webSocket]) socket.destroy();
    await counted(shard, 0, 0);
  });

  it("are not idle while a request waits for its answer", async () => {
    const shard = await serving({
      maxBodyBytes: 1_000,
    });
    const route = new Client(shard, REQUEST.replace("now", "later"));
    await counted(shard, 1, 0);
    const connecting = new Client(shard, upgradeOf("&later=1"));
    await counted(shard, 2, 0);
    answered.resolve({ status: 200 });
    await route.receives("200 OK");
    await counted(shard, 2, 1);
    decided.resolve();
    await connecting.receives("101");
    await counted(shard, 2, 1);
    connecting.socket.destroy();
    route.socket.destroy();
    await counted(shard, 0, 0);
  });

  it("are counted once if the client goes away during a request", async () => {
    const shard = await serving({});
    const route = new Client(shard, REQUEST.replace("now", "later"));
    const connecting = new Client(shard, upgradeOf("&later=1"));
    await counted(shard, 2, 0);
    route.socket.destroy();
    connecting.socket.destroy();
    await counted(shard, 0, 0);
    answered.resolve({ status: 200 });
    decided.resolve();
    await new Client(shard).ask(REQUEST, "now");
    await counted(shard, 1, 1);
  });

  it("are not idle while a long-poll request waits, or a response is streamed", async () => {
    const ended = new Deferred<void>();
    const shard = await serving(
      {},
      {
        "GET /stream": () => ({
          status: 200,
          stream: (out) => {
            out.write("begun");
            void ended.promise.then(() => out.end("ended"));
          },
        }),
      },
    );
    const poll = new Client(shard);
    const opened = await poll.ask(pollOf(), '"messages"');
    const token = /"token":"([^"]+)"/.exec(opened)?.[1] ?? "";
    await counted(shard, 1, 1);
    poll.socket.write(pollOf(`&token=${token}`));
    await counted(shard, 1, 0);
    const stream = new Client(shard, REQUEST.replace("now", "stream"));
    await stream.receives("begun");
    await counted(shard, 2, 0);
    ended.resolve();
    await stream.receives("ended");
    await counted(shard, 2, 1);
    poll.socket.destroy();
    await counted(shard, 1, 1);
  });

  it("above maxConnections are closed as soon as they open, which is counted", async () => {
    const shard = await serving({ maxConnections: 3, maxIdleConnections: 3 });
    const webSockets = [new Client(shard), new Client(shard), new Client(shard)];
    for (const client of webSockets) await client.ask(upgradeOf(), "101");
    for (let count = 0; count < 50; count += 1) {
      const refused = new Client(shard, upgradeOf());
      await within(refused.closed, "the end of a connection above the limit");
      assert.equal(refused.text, "");
    }
    await counted(shard, 3, 0);
    assert.equal(shard.counter("connectionsRefused"), 50);
    webSockets[0]?.socket.destroy();
    await counted(shard, 2, 0);
    await new Client(shard).ask(upgradeOf(), "101");
  });

  it("without a complete request are bounded, which is counted and logged once", async () => {
    const shard = await serving({ maxConnections: 100, maxIdleConnections: 5 });
    const webSocket = new Client(shard);
    await webSocket.ask(upgradeOf(), "101");
    const halves = Array.from({ length: 5 }, () => new Client(shard, HALF_REQUEST));
    await counted(shard, 6, 5);
    for (let count = 0; count < 3; count += 1) {
      await within(new Client(shard, REQUEST).closed, "the end of a connection above the limit");
    }
    assert.equal(shard.counter("connectionsRefused"), 3);
    const lines = shard.log.filter(({ text }) => text.includes("too many idle connections"));
    assert.deepEqual(
      lines.map(({ fields }) => fields),
      [{ maxIdleConnections: 5 }],
    );
    const [first] = halves;
    assert.ok(first);
    // One that completes its handshake makes room for another.
    first.socket.destroy();
    await counted(shard, 5, 4);
    await new Client(shard).ask(upgradeOf(), "101");
    await new Client(shard).ask(REQUEST, "now");
    await counted(shard, 7, 5);
  });

  it("are read a few in each turn of the loop", async () => {
    const perTurn = [0];
    let counting = setImmediate(function count() {
      perTurn.push(0);
      counting = setImmediate(count);
    });
    const shard = await serving(
      { maxConnections: 1_000, maxIdleConnections: 1_000 },
      {
        "GET /count": () => {
          perTurn.push((perTurn.pop() ?? 0) + 1);
          return { status: 200 };
        },
      },
    );
    const many = Array.from(
      { length: 4 * NEW_PER_TURN },
      () => new Client(shard, REQUEST.replace("now", "count")),
    );
    await Promise.all(many.map(async (client) => client.receives("200 OK")));
    clearImmediate(counting);
    // A request may arrive a turn after its connection opened.
    assert.ok(Math.max(...perTurn) <= 2 * NEW_PER_TURN, `${perTurn.join()} in each turn`);
  });

  it("may be reset before they are read", async () => {
    const shard = await serving({ maxConnections: 1_000, maxIdleConnections: 1_000 });
    const many = Array.from({ length: 4 * NEW_PER_TURN }, () => new Client(shard));
    await Promise.all(many.map(async ({ socket }) => within(once(socket, "connect"), "a connect")));
    for (const { socket } of many) socket.resetAndDestroy();
    await counted(shard, 0, 0);
    await new Client(shard).ask(REQUEST, "now");
  });

  it("are all counted down again after thousands were opened and closed", async () => {
    const shard = await serving({});
    const requests = [
      REQUEST,
      HALF_REQUEST,
      upgradeOf(),
      upgradeOf("&later=1"),
      "nonsense\r\n\r\n",
    ];
    for (let round = 0; round < 40; round += 1) {
      const some = Array.from({ length: 50 }, (_, at) => new Client(shard, requests[at % 5]));
      await Promise.all(some.map(({ socket }) => within(once(socket, "connect"), "a connect")));
      for (const { socket } of some) socket.destroy();
    }
    await counted(shard, 0, 0);
  });
});

describe("the body of a request", () => {
  const reading = {
    "POST /body": async (request: { body(): Promise<Uint8Array> }) => ({
      status: 200,
      body: await request.body(),
    }),
  };

  it("that does not arrive in time is answered with 408, and the connection closed", async () => {
    const shard = await serving({ bodyTimeoutMs: 50 }, reading);
    const route = new Client(shard, postOf("/body"));
    await within(route.closed, "the end of the route's connection");
    assert.match(route.text, /^HTTP\/1\.1 408 /);
    const session = await new Client(shard).ask(pollOf(), '"messages"');
    const token = /"token":"([^"]+)"/.exec(session)?.[1] ?? "";
    const poll = new Client(shard, postOf(`/socket/longpoll?token=${token}`));
    await within(poll.closed, "the end of the long-poll connection");
    assert.match(poll.text, /^HTTP\/1\.1 408 /);
    assert.deepEqual(
      shard.log.filter(({ text }) => text.includes("route")),
      [],
    );
  });

  it("is late also if the client never stops sending", async () => {
    const shard = await serving({ bodyTimeoutMs: 100 }, reading);
    const client = new Client(shard, postOf("/body"));
    const dripping = setInterval(() => client.socket.write("x"), 10);
    await within(client.closed, "the end of the connection");
    clearInterval(dripping);
    assert.match(client.text, /^HTTP\/1\.1 408 /);
  });

  it("that arrives in time is handled, however long the route takes", async () => {
    const shard = await serving(
      { bodyTimeoutMs: 50 },
      {
        "POST /slow": async (request) => {
          const body = await request.body();
          await new Promise((resolve) => void setTimeout(resolve, 150));
          return { status: 200, body };
        },
      },
    );
    const client = new Client(shard, postOf("/slow").replace("100", "4"));
    assert.match(await client.receives("half"), /^HTTP\/1\.1 200 /);
  });
});
