import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect as connectTcp } from "node:net";
import type { Socket } from "node:net";
import { after, afterEach, describe, it } from "node:test";

import { WebSocket } from "ws";

import { defineChannel } from "../../../src/channel/definition.ts";
import { error, ok } from "../../../src/callbacks/results.ts";
import type { Options } from "../../../src/options/options.ts";
import type { MountDefinition } from "../../../src/endpoint/endpoint.ts";
import { defineSocket } from "../../../src/socket/definition.ts";
import type { ConnectRequest } from "../../../src/socket/connect-request.ts";
import type { SocketCallbacks } from "../../../src/socket/definition.ts";
import { noTurns } from "../../support/dealing.ts";
import { within } from "../../support/deadline.ts";
import { atOnce, startShard } from "../../support/shard.ts";
import type { TestShard } from "../../support/shard.ts";
import { Deferred, turn } from "../../support/world.ts";

const OK = { status: "ok", response: {} };
/** The close of a client whose message is so long that the native engine does not read it. */
const FAR_TOO_LONG = noTurns === false ? 1006 : 1009;
const HANDSHAKE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

const openShards: TestShard[] = [];
after(() => {
  for (const shard of openShards) shard.close();
});

/** Starts a shard with one socket at /socket, from parts of its definition. */
async function serving(
  parts: {
    connect?: (request: ConnectRequest) => unknown;
    mount?: Partial<MountDefinition>;
    terminate?: (topic: string, reason: unknown) => void | Promise<void>;
    path?: string;
    handleControl?: SocketCallbacks<object>["handleControl"];
  } = {},
  options: Options = {},
  numbers?: { shard: number },
): Promise<TestShard> {
  const socket = defineSocket<object>({
    connect: (parts.connect as never) ?? ((): ReturnType<typeof ok<object>> => ok({})),
    id: () => "users:1",
    ...(parts.handleControl && { handleControl: parts.handleControl }),
  });
  const room = defineChannel(socket, {
    join: () => ok(),
    handleIn: {
      echo: (_, payload) => ok(payload),
      shout: (each, payload) => each.broadcast("shout", payload),
      shout_from: (each, payload) => each.broadcastFrom("shout", payload),
      work: (_, ms) => {
        const end = performance.now() + (ms as number);
        while (performance.now() < end);
        return ok();
      },
      flood: (each, bytes) => each.push("flood", { fill: "x".repeat(bytes as number) }),
    },
    terminate: (each, reason) => {
      each.broadcastFrom("left", {});
      return parts.terminate?.(each.topic, reason);
    },
  });
  const mount = { socket, channels: { "room:*": room }, ...parts.mount };
  const shard = await startShard(
    { sockets: { [parts.path ?? "/socket"]: mount } },
    options,
    numbers,
  );
  openShards.push(shard);
  return shard;
}

/** A client whose frames are read in order. */
class Client {
  readonly ws: WebSocket;
  readonly #frames: unknown[] = [];
  #wake: () => void = () => {};

  constructor(
    port: number,
    query = "vsn=2.0.0",
    path = "/socket/websocket",
    perMessageDeflate = true,
  ) {
    this.ws = new WebSocket(`ws://127.0.0.1:${port}${path}?${query}`, { perMessageDeflate });
    this.ws.on("error", () => {});
    this.ws.on("message", (data: Buffer) => {
      this.#frames.push(JSON.parse(data.toString()));
      this.#wake();
    });
  }

  /** Bytes received over TCP so far. */
  get bytesRead(): number {
    // Private in `ws`.
    return (Reflect.get(this.ws, "_socket") as Socket).bytesRead;
  }

  async opened(): Promise<this> {
    await within(once(this.ws, "open"), "the open connection");
    return this;
  }

  /** Sends a frame, and returns the next one that is received. */
  async asked(frame: unknown): Promise<unknown> {
    this.ws.send(JSON.stringify(frame));
    return this.next();
  }

  async next(): Promise<unknown> {
    while (this.#frames.length === 0) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await within(woken, "a frame");
    }
    return this.#frames.shift();
  }

  async closed(): Promise<number> {
    const [code] = (await within(once(this.ws, "close"), "the close")) as [number];
    return code;
  }

  /** HTTP status of a refusal. */
  async refused(): Promise<number> {
    const [, response] = (await within(once(this.ws, "unexpected-response"), "a refusal")) as [
      unknown,
      { statusCode: number; resume: () => void },
    ];
    response.resume();
    this.ws.terminate();
    return response.statusCode;
  }

  async joined(topic = "room:1"): Promise<this> {
    const reply = await this.asked(["1", "1", topic, "phx_join", {}]);
    assert.deepEqual(reply, ["1", "1", topic, "phx_reply", OK]);
    return this;
  }
}

const clients: Client[] = [];
afterEach(() => {
  for (const { ws } of clients.splice(0)) ws.terminate();
});

async function connected(
  port: number,
  query?: string,
  path?: string,
  perMessageDeflate?: boolean,
): Promise<Client> {
  const client = new Client(port, query, path, perMessageDeflate);
  clients.push(client);
  return client.opened();
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Sends a plain request. A switch of protocols counts as an answer. */
async function asked(
  port: number,
  headers: Record<string, string>,
  given: { method?: string; path?: string } = {},
): Promise<Answer> {
  const { method = "GET", path = "/socket/websocket?vsn=2.0.0" } = given;
  return within(
    new Promise<Answer>((resolve, reject) => {
      const made = request({ host: "127.0.0.1", port, path, method, headers, agent: false });
      made.on("upgrade", (response, socket) => {
        socket.destroy();
        resolve({ status: response.statusCode ?? 0, body: "" });
      });
      made.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
        });
      });
      made.on("error", reject);
      made.end();
    }),
    `an answer to ${method} ${path}`,
  );
}

/** Returns a frame of so many bytes. */
function echoOf(length: number): string {
  const empty = JSON.stringify(["1", "2", "room:1", "echo", ""]);
  return JSON.stringify(["1", "2", "room:1", "echo", "x".repeat(length - empty.length)]);
}

/** Waits, turn by turn, until a condition is true. */
async function until(isSo: () => boolean, what: string): Promise<void> {
  let isOver = false;
  const waiting = async (): Promise<void> => {
    while (!isSo() && !isOver) await turn();
  };
  await within(waiting(), what).finally(() => {
    isOver = true;
  });
}

describe("a request for a WebSocket", () => {
  it("becomes a connection with version 2 or version 1", async () => {
    const { port } = await serving();
    const [two, one] = [await connected(port), await connected(port, "")];
    await two.joined();
    const echoed = await two.asked([null, "2", "room:1", "echo", { n: 1 }]);
    assert.deepEqual(echoed, [
      "1",
      "2",
      "room:1",
      "phx_reply",
      { status: "ok", response: { n: 1 } },
    ]);
    const heartbeat = { topic: "phoenix", event: "heartbeat", payload: {}, ref: "1" };
    assert.deepEqual(await one.asked(heartbeat), { ...heartbeat, event: "phx_reply", payload: OK });
  });

  it("passes pings, which are answered, and pongs to handleControl", async () => {
    const seen: unknown[] = [];
    const { port } = await serving({
      connect: () => ok({ user: 1 }),
      handleControl: (socket, { opcode, data }) =>
        void seen.push([{ ...socket }, opcode, Buffer.from(data).toString()]),
    });
    const client = await (await connected(port)).joined();
    const pong = once(client.ws, "pong");
    client.ws.ping("one");
    client.ws.pong("two");
    assert.equal(String((await within(pong, "the pong"))[0]), "one");
    await client.asked(["1", "2", "room:1", "echo", {}]);
    const socket = { id: "users:1", assigns: { user: 1 }, transport: "websocket" };
    assert.deepEqual(seen, [
      [socket, "ping", "one"],
      [socket, "pong", "two"],
    ]);
  });

  it("is closed with 1011 if handleControl throws or rejects, and no other is", async () => {
    for (const handleControl of [
      () => {
        throw new Error("boom");
      },
      async (): Promise<void> => Promise.reject(new Error("boom")),
    ]) {
      const { port, log } = await serving({ handleControl });
      const other = await (await connected(port)).joined();
      const client = await connected(port);
      client.ws.ping();
      assert.equal(await client.closed(), 1011);
      const { text, fields } = log.at(-1) ?? assert.fail("nothing was logged");
      assert.equal(text, "handleControl threw: the connection was closed");
      assert.equal((fields["err"] as Error).message, "boom");
      await other.asked(["1", "2", "room:1", "echo", {}]);
    }
  });

  it("is passed to connect with its parameters, path variables first, and connect info", async () => {
    const requests: ConnectRequest[] = [];
    const { port } = await serving({
      connect: (given) => {
        requests.push(given);
        return ok({});
      },
      path: "/org/:org/:_secret/socket",
      mount: { connectInfo: ["peerData", "uri", "userAgent", "xHeaders"] },
    });
    const ws = new WebSocket(
      `ws://127.0.0.1:${port}/org/a%20b/hidden/socket/websocket?vsn=2.0.0&org=query&p[n]=1`,
      { headers: { "X-One": "1", "user-agent": "test", cookie: "secret=1" } },
    );
    await within(once(ws, "open"), "the open connection");
    ws.terminate();
    const [{ params, connectInfo } = assert.fail("connect was not called")] = requests;
    assert.deepEqual(JSON.parse(JSON.stringify(params)), {
      vsn: "2.0.0",
      org: "a b",
      p: { n: "1" },
    });
    assert.deepEqual(connectInfo, {
      peerData: { address: "127.0.0.1" },
      uri: {
        scheme: "http",
        host: "127.0.0.1",
        port,
        path: "/org/a%20b/hidden/socket/websocket",
        query: "vsn=2.0.0&org=query&p[n]=1",
      },
      userAgent: "test",
      xHeaders: [["x-one", "1"]],
    });
  });

  it("is answered with 403 if connect refuses it, and with 500 if connect fails", async () => {
    const results: Record<string, () => unknown> = {
      error: () => error({ reason: "who?" }),
      later: () => Promise.resolve(error()),
      garbage: () => 7,
      throw: () => {
        throw new Error("boom");
      },
      reject: () => Promise.reject(new Error("boom")),
    };
    const { port } = await serving({ connect: ({ params }) => results[params["do"] ?? ""]?.() });
    const statuses: number[] = [];
    for (const name of Object.keys(results)) {
      statuses.push(await new Client(port, `vsn=2.0.0&do=${name}`).refused());
    }
    assert.deepEqual(statuses, [403, 403, 403, 500, 500]);
    assert.equal(await new Client(port, "vsn=3.0.0").refused(), 403);
  });

  it("that is not an upgrade gets 400 with the reason, after connect", async () => {
    let calls = 0;
    const { port } = await serving({
      connect: ({ params }) => {
        calls += 1;
        return params["do"] === "refuse" ? error() : ok({});
      },
    });
    const without = (name: keyof typeof HANDSHAKE): Record<string, string> =>
      Object.fromEntries(Object.entries(HANDSHAKE).filter(([key]) => key !== name));
    assert.deepEqual(await asked(port, { ...HANDSHAKE, connection: "keep-alive" }), {
      status: 400,
      body: `'connection' header must contain 'upgrade', got ["keep-alive"]`,
    });
    assert.deepEqual(await asked(port, without("upgrade")), {
      status: 400,
      body: "'upgrade' header must contain 'websocket', got []",
    });
    for (const headers of [
      without("sec-websocket-key"),
      { ...HANDSHAKE, "sec-websocket-key": "short" },
    ]) {
      assert.deepEqual(await asked(port, headers), {
        status: 400,
        body: "'sec-websocket-key' header must be 16 bytes in base64",
      });
    }
    for (const [headers, got] of [
      [without("sec-websocket-version"), "[]"],
      [{ ...HANDSHAKE, "sec-websocket-version": "12" }, '["12"]'],
    ] as const) {
      assert.deepEqual(await asked(port, headers), {
        status: 400,
        body: `'sec-websocket-version' header must equal '13', got ${got}`,
      });
    }
    assert.equal(calls, 6);
    const refused = await asked(port, {}, { path: "/socket/websocket?vsn=2.0.0&do=refuse" });
    assert.deepEqual(refused, { status: 403, body: "" });
  });

  it("may have its headers in any case, and among others", async () => {
    const { port } = await serving();
    const headers = { ...HANDSHAKE, connection: "keep-alive, UPGRADE", upgrade: "WebSocket" };
    assert.equal((await asked(port, headers)).status, 101);
  });

  it("with another method or a malformed query gets 400 before connect", async () => {
    const { port } = await serving({ connect: () => assert.fail("connect was called") });
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const answer = await asked(port, method === "POST" ? HANDSHAKE : {}, { method });
      assert.deepEqual(answer, { status: 400, body: "" }, method);
    }
    const malformed = await asked(port, HANDSHAKE, { path: "/socket/websocket?a=%ff" });
    assert.deepEqual(malformed, { status: 400, body: "" });
  });

  it("may have a doubled slash anywhere, and slashes after the last part of its path", async () => {
    const { port } = await serving();
    for (const path of ["/socket//websocket", "//socket/websocket", "/socket/websocket//"]) {
      assert.equal((await asked(port, HANDSHAKE, { path })).status, 101, path);
      assert.equal((await asked(port, {}, { path })).status, 400, path);
    }
  });

  it("to another path gets 404", async () => {
    const { port } = await serving();
    for (const path of ["/", "/socket", "/socket/websocket/more", "/websocket"]) {
      assert.equal((await asked(port, HANDSHAKE, { path })).status, 404);
    }
  });

  it("whose client goes away while connect is awaited leaves nothing behind", async () => {
    const decision = new Deferred();
    let isAsked = false;
    const { port, counter } = await serving({
      connect: () => {
        isAsked = true;
        return decision.promise;
      },
    });
    const head = Object.entries(HANDSHAKE).map(([name, value]) => `${name}: ${value}\r\n`);
    const socket = connectTcp(port, "127.0.0.1");
    socket.write(`GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nhost: x\r\n${head.join("")}\r\n`);
    await until(() => isAsked, "connect");
    socket.destroy();
    // Another request is answered after the engine has seen the first client go away.
    assert.equal((await asked(port, {}, { path: "/nothing" })).status, 404);
    decision.resolve(ok({}));
    await turn();
    assert.equal(counter("connections"), 0);
    const client = await connected(port);
    await client.joined();
    assert.equal(counter("connections"), 1);
  });
});

describe("a connection", () => {
  it("has a number that is its shard modulo the number of shards", async () => {
    const { port, log } = await serving({}, { shards: 3 }, { shard: 1 });
    for (let n = 0; n < 3; n += 1) {
      const client = await connected(port);
      client.ws.send("malformed");
      await client.closed();
    }
    const numbers = log.map(({ fields }) => fields["connection"]).filter((n) => n !== undefined);
    assert.deepEqual(numbers, [1, 4, 7]);
  });

  it("that sends a frame that cannot be decoded is closed with 1011", async () => {
    const { port } = await serving();
    for (const frame of ["nope", "[]", Buffer.from("nope"), Buffer.from([9, 1, 2, 3, 4])]) {
      const client = await connected(port);
      client.ws.send(frame);
      assert.equal(await client.closed(), 1011);
    }
  });

  it("of version 1 may send its JSON as bytes", async () => {
    const { port } = await serving();
    const client = await connected(port, "");
    client.ws.send(Buffer.from('{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"1"}'));
    assert.match(JSON.stringify(await client.next()), /phx_reply/);
  });

  it("that sends a frame over the limit, including its header, is closed with 1009", async () => {
    for (const [maxFrameBytes, header] of [
      [131, 6],
      [133, 8],
      [200, 8],
      [70_000, 14],
    ] as const) {
      const { port } = await serving({ mount: { websocket: { maxFrameBytes } } });
      const client = await connected(port);
      await client.joined();
      client.ws.send(echoOf(maxFrameBytes - header));
      assert.match(JSON.stringify(await client.next()), /phx_reply/);
      client.ws.send(Buffer.alloc(maxFrameBytes - header + 1));
      assert.equal(await client.closed(), 1009);
    }
  });

  it("that sends a message far over the limit is cut by the native engine, and closed with 1009 by the portable one", async () => {
    const { port } = await serving({ mount: { websocket: { maxFrameBytes: 200 } } });
    const slack = 65_536;
    for (const [length, code] of [
      [200 + slack, 1009],
      [200 + slack + 1, FAR_TOO_LONG],
    ] as const) {
      const client = await connected(port);
      client.ws.send(Buffer.alloc(length));
      assert.equal(await client.closed(), code);
    }
  });

  it("may send far less until it has joined a channel", async () => {
    const { port } = await serving({}, { maxUnjoinedFrameBytes: 1_000 });
    const member = await connected(port);
    await member.joined();
    member.ws.send(echoOf(5_000));
    assert.match(JSON.stringify(await member.next()), /phx_reply/);
    const stranger = await connected(port);
    stranger.ws.send(echoOf(1_000 - 8));
    assert.match(JSON.stringify(await stranger.next()), /unmatched topic/);
    stranger.ws.send(echoOf(1_000 - 8 + 1));
    assert.equal(await stranger.closed(), 1009);
  });

  it("that sends many messages at once gets all answers in order, and lets others in between", async () => {
    const { port } = await serving();
    const [busy, other] = [await connected(port), await connected(port)];
    for (const client of [busy, other]) await client.joined();
    const count = 300;
    for (let ref = 0; ref < count; ref += 1) {
      busy.ws.send(JSON.stringify(["1", String(ref), "room:1", "work", 0.5]));
    }
    await busy.next();
    const startedAtMs = performance.now();
    await other.asked(["1", "2", "room:1", "echo", {}]);
    const waitedMs = performance.now() - startedAtMs;
    for (let ref = 1; ref < count; ref += 1) {
      assert.deepEqual(((await busy.next()) as unknown[])[1], String(ref));
    }
    const allMs = performance.now() - startedAtMs;
    assert.ok(waitedMs < allMs / 2, `waited for ${waitedMs} ms of ${allMs} ms`);
  });

  it("that sends messages and closes at once has all of them handled before it ends", async () => {
    const topics: unknown[] = [];
    const { port } = await serving({ terminate: (topic) => void topics.push(topic) });
    const [busy, other] = [await connected(port), await connected(port)];
    for (const client of [busy, other]) await client.joined();
    for (let n = 0; n < 40; n += 1) {
      busy.ws.send(JSON.stringify(["1", null, "room:1", "work", 1]));
    }
    busy.ws.send(JSON.stringify(["1", null, "room:1", "shout_from", { is: "last" }]));
    busy.ws.close();
    assert.deepEqual(await other.next(), [null, null, "room:1", "shout", { is: "last" }]);
    assert.deepEqual(await other.next(), [null, null, "room:1", "left", {}]);
  });

  it("that sends more than may wait is cut", async () => {
    const { port } = await serving();
    const client = await connected(port);
    await client.joined();
    const closed = client.closed();
    const frame = JSON.stringify(["1", null, "room:1", "work", 1, "x".repeat(20_000)]);
    for (let n = 0; n < 200; n += 1) client.ws.send(frame);
    if (noTurns !== false) {
      // The portable engine does not read faster than messages are handled.
      client.ws.send(echoOf(100));
      assert.match(JSON.stringify(await client.next()), /phx_reply/);
      client.ws.terminate();
    }
    assert.equal(await closed, 1006);
  });

  it("that has answers sent and never reads them is cut before its messages are all handled", async () => {
    const ended = new Deferred();
    const { port, log, counter } = await serving(
      { terminate: () => ended.resolve(undefined) },
      { maxBackpressureBytes: 65_536 },
    );
    const client = await connected(port);
    await client.joined();
    client.ws.pause();
    for (let n = 0; n < 1_000; n += 1) {
      client.ws.send(JSON.stringify(["1", null, "room:1", "flood", 100_000]));
    }
    await within(ended.promise, "the end of the channel");
    const bytes = log.find(({ text }) => text.includes("reads too slowly"))?.fields[
      "bufferedBytes"
    ];
    assert.ok((bytes as number) < 10 * 65_536 + 100_000, `${String(bytes)} bytes unsent`);
    assert.equal(counter("slowCut"), 1);
    client.ws.terminate();
  });

  it("compresses frames only if the mount says so, sent or published", async () => {
    const payload = { text: "y".repeat(20_000) };
    for (const compress of [true, false]) {
      const { port } = await serving({ mount: { websocket: { compress } } });
      const offering = await connected(port);
      const other = await connected(port, "vsn=2.0.0", "/socket/websocket", false);
      for (const client of [offering, other]) await client.joined();
      assert.equal(offering.ws.extensions, compress ? "permessage-deflate" : "");
      assert.equal(other.ws.extensions, "");
      const before = [offering, other].map(({ bytesRead }) => bytesRead);
      const echo = await offering.asked(["1", "2", "room:1", "echo", payload]);
      assert.deepEqual(echo, [
        "1",
        "2",
        "room:1",
        "phx_reply",
        { status: "ok", response: payload },
      ]);
      other.ws.send(JSON.stringify(["1", null, "room:1", "shout_from", payload]));
      offering.ws.send(JSON.stringify(["1", null, "room:1", "shout", payload]));
      for (const [client, count] of [
        [offering, 2],
        [other, 1],
      ] as const) {
        for (let n = 0; n < count; n += 1) {
          assert.deepEqual(await client.next(), [null, null, "room:1", "shout", payload]);
        }
      }
      const [read = 0, plain = 0] = [offering, other].map(
        ({ bytesRead }, at) => bytesRead - (before[at] ?? 0),
      );
      assert.ok(compress ? read < 2_000 : read > 60_000, `${read} bytes, compress: ${compress}`);
      assert.ok(plain > 20_000, `${plain} bytes to a client that did not offer it`);
    }
  });

  it("that is compressed refuses messages that exceed the limit when decompressed", async () => {
    const mount = { websocket: { compress: true, maxFrameBytes: 1_000 } };
    const { port } = await serving({ mount });
    const client = await connected(port);
    client.ws.send(echoOf(60_000));
    assert.equal(await client.closed(), 1009);
    const bomb = await connected(port);
    bomb.ws.send(echoOf(20_000_000));
    assert.equal(await bomb.closed(), FAR_TOO_LONG);
  });

  it("gets pongs with the data of its pings", async () => {
    const { port } = await serving();
    const client = await connected(port);
    const pong = once(client.ws, "pong");
    client.ws.ping("abc");
    const [data] = (await within(pong, "a pong")) as [Buffer];
    assert.equal(data.toString(), "abc");
  });

  it("that sends neither frames nor pings nor pongs is closed with 1002", async () => {
    const { port } = await serving({ mount: { websocket: { timeoutMs: 250 } } });
    const [silent, frames, pings, pongs] = await Promise.all(
      [1, 2, 3, 4].map(() => connected(port)),
    );
    assert.ok(silent && frames && pings && pongs);
    const beat = setInterval(() => {
      frames.ws.send(JSON.stringify([null, "1", "phoenix", "heartbeat", {}]));
      pings.ws.ping();
      pongs.ws.pong();
    }, 60);
    try {
      assert.equal(await silent.closed(), 1002);
      // After as long again, those that send something are still connected.
      const next = await connected(port);
      assert.equal(await next.closed(), 1002);
      for (const { ws } of [frames, pings, pongs]) assert.equal(ws.readyState, WebSocket.OPEN);
    } finally {
      clearInterval(beat);
    }
  });

  it("that sends parts of a message without an end is closed with 1002", async () => {
    const { port } = await serving({ mount: { websocket: { timeoutMs: 250 } } });
    const client = await connected(port);
    const part = setInterval(() => client.ws.send("x", { fin: false }), 20);
    try {
      assert.equal(await client.closed(), 1002);
    } finally {
      clearInterval(part);
    }
  });

  it("that only receives is closed with 1002 too", async () => {
    const { port } = await serving({ mount: { websocket: { timeoutMs: 250 } } });
    const [listener, speaker] = [await connected(port), await connected(port)];
    await listener.joined();
    await speaker.joined();
    const beat = setInterval(() => {
      speaker.ws.send(JSON.stringify([null, null, "room:1", "shout", {}]));
    }, 40);
    try {
      assert.equal(await listener.closed(), 1002);
    } finally {
      clearInterval(beat);
    }
  });

  it("that reads too slowly is cut, and the others continue", async () => {
    const { port, log } = await serving({}, { maxBackpressureBytes: 16_384 });
    const [slow, quick] = [await connected(port), await connected(port)];
    await slow.joined();
    await quick.joined("room:2");
    slow.ws.pause();
    const closed = once(slow.ws, "close");
    const isCut = (): boolean =>
      log.some(({ text }) => text.startsWith("a client reads too slowly"));
    for (let n = 0; n < 64 && !isCut(); n += 1) {
      slow.ws.send(JSON.stringify(["1", null, "room:1", "flood", 1_000_000]));
      await turn();
    }
    await until(isCut, "the cut");
    slow.ws.resume();
    const [code] = (await within(closed, "the close of the slow client")) as [number];
    assert.equal(code, 1006);
    const reply = await quick.asked(["1", "2", "room:2", "echo", {}]);
    assert.deepEqual(reply, ["1", "2", "room:2", "phx_reply", OK]);
  });

  it("that goes away ends its channels, whose last broadcasts reach the others", async () => {
    const ends: unknown[] = [];
    const { port, counter } = await serving({
      terminate: (topic, reason) => void ends.push([topic, reason]),
    });
    const [leaver, stays] = [await connected(port), await connected(port)];
    await leaver.joined();
    await stays.joined();
    leaver.ws.terminate();
    assert.deepEqual(await stays.next(), [null, null, "room:1", "left", {}]);
    assert.deepEqual(ends, [["room:1", { shutdown: "closed" }]]);
    assert.equal(counter("connections"), 1);
    assert.equal(counter("channels"), 1);
  });

  it("gets broadcasts natively, except its own broadcastFrom", async () => {
    const { port } = await serving();
    const [sender, other] = [await connected(port), await connected(port)];
    await sender.joined();
    await other.joined();
    sender.ws.send(JSON.stringify(["1", null, "room:1", "shout_from", { n: 1 }]));
    sender.ws.send(JSON.stringify(["1", null, "room:1", "shout", { n: 2 }]));
    assert.deepEqual(await sender.next(), [null, null, "room:1", "shout", { n: 2 }]);
    assert.deepEqual(await other.next(), [null, null, "room:1", "shout", { n: 1 }]);
    assert.deepEqual(await other.next(), [null, null, "room:1", "shout", { n: 2 }]);
  });

  it("is counted, with its frames in both directions", async () => {
    const { port, counter } = await serving();
    const client = await connected(port);
    await client.joined();
    await client.asked(["1", "2", "room:1", "shout", { n: 1 }]);
    assert.equal(counter("connections"), 1);
    assert.equal(counter("framesIn"), 2);
    assert.equal(counter("framesOut"), 2);
    assert.equal(counter("channels"), 1);
    client.ws.terminate();
    await until(() => counter("connections") === 0, "the end of the connection");
    assert.equal(counter("channels"), 0);
  });
});

describe("a drain", () => {
  it("closes all connections with 1012, and runs terminate", async () => {
    const ends: unknown[] = [];
    const { port, shard } = await serving({ terminate: (_, reason) => void ends.push(reason) });
    const all = await Promise.all([1, 2, 3].map(() => connected(port)));
    for (const client of all) await client.joined();
    const codes = all.map((client) => client.closed());
    assert.deepEqual(await within(shard.drain(atOnce(5_000)), "the end of the drain"), {
      connections: 3,
      sessions: 0,
      channels: 3,
      closed: 3,
      cut: 0,
      unsettled: 0,
    });
    assert.deepEqual(await Promise.all(codes), [1012, 1012, 1012]);
    assert.deepEqual(
      ends,
      [1, 2, 3].map(() => ({ shutdown: "draining" })),
    );
  });

  it("of a shard without connections is done at once", async () => {
    const { shard } = await serving();
    const { connections } = await within(shard.drain(atOnce(5_000)), "the end of the drain");
    assert.equal(connections, 0);
  });

  it("answers a later upgrade with 503, and closes its connection", async () => {
    const { port, shard } = await serving();
    await shard.drain(atOnce(5_000));
    assert.deepEqual(await asked(port, HANDSHAKE), { status: 503, body: "" });
    const { status, headers } = await fetch(`http://127.0.0.1:${port}/socket/websocket`);
    assert.equal(status, 503);
    assert.equal(headers.get("retry-after"), "5");
    assert.equal(headers.get("connection"), "close");
  });

  it("of the whole node refuses clients even before this shard is told", async () => {
    const { port, life } = await serving();
    const client = await connected(port);
    life.drain();
    assert.equal((await asked(port, HANDSHAKE)).status, 503);
    await client.joined();
  });

  it("answers an upgrade with 503 if its connect is still running", async () => {
    const connect = new Deferred();
    const { port, shard } = await serving({ connect: () => connect.promise });
    const answer = asked(port, HANDSHAKE);
    await asked(port, {}, { path: "/nothing" });
    const { connections } = await shard.drain(atOnce(5_000));
    assert.equal(connections, 0);
    connect.resolve(ok({}));
    assert.equal((await answer).status, 503);
  });

  it("waits up to its limit for a terminate that never settles, which delays no other", async () => {
    const ends: string[] = [];
    const never = new Deferred();
    const terminate = (topic: string): Promise<void> | undefined => {
      ends.push(topic);
      if (topic === "room:throws") throw new Error("terminate");
      return topic === "room:never" ? (never.promise as Promise<never>) : undefined;
    };
    const { port, shard } = await serving({ terminate }, { shutdownMs: 50 });
    const topics = ["room:never", "room:throws", "room:last"];
    const all = await Promise.all(topics.map(() => connected(port)));
    for (const [at, client] of all.entries()) await client.joined(topics[at]);
    const codes = all.map((client) => client.closed());
    const drain = await within(shard.drain(atOnce(5_000)), "the end of the drain");
    assert.deepEqual(ends, topics);
    assert.deepEqual([drain.closed, drain.unsettled], [3, 1]);
    assert.deepEqual(await Promise.all(codes), [1012, 1012, 1012]);
  });

  it("waits for a client that still reads, up to the deadline", async () => {
    const { port, shard } = await serving({}, { maxBackpressureBytes: 67_108_864 });
    const slow = await connected(port);
    await slow.joined();
    slow.ws.pause();
    slow.ws.send(JSON.stringify(["1", null, "room:1", "flood", 12_000_000]));
    await turn();
    await asked(port, {}, { path: "/nothing" });
    const closed = once(slow.ws, "close");
    const drained = shard.drain(atOnce(10_000));
    slow.ws.resume();
    await within(drained, "the end of the drain");
    const [code] = (await within(closed, "the close")) as [number];
    assert.equal(code, 1012);
  });

  it("cuts a client that does not read, at the deadline", async () => {
    const { port, shard } = await serving({}, { maxBackpressureBytes: 67_108_864 });
    const slow = await connected(port);
    await slow.joined();
    slow.ws.pause();
    slow.ws.send(JSON.stringify(["1", null, "room:1", "flood", 12_000_000]));
    await turn();
    await asked(port, {}, { path: "/nothing" });
    const closed = once(slow.ws, "close");
    const { closed: told, cut } = await within(shard.drain(atOnce(50)), "the end of the drain");
    assert.deepEqual([told, cut], [0, 1]);
    slow.ws.resume();
    const [code] = (await within(closed, "the close")) as [number];
    assert.equal(code, 1006);
  });
});
