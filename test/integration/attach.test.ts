/**
 * Servers that are attached to a server of Node.js: which requests they take, who their clients are, and how connections
 * end.
 *
 * Runs on: the main thread of the tests, which is also that of both servers.
 * Slow: several servers.
 */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { rmSync } from "node:fs";
import {
  createServer,
  request,
  type IncomingMessage,
  type RequestOptions,
  type Server as HttpServer,
  type ServerResponse,
} from "node:http";
import { createSecureServer, createServer as createHttp2Server } from "node:http2";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { afterEach, describe, it } from "node:test";
import { pathToFileURL } from "node:url";

import { WebSocket } from "ws";

import { serve } from "../../src/index.ts";
import { proxyHeader } from "../../src/server/attachment/proxy-header.ts";
import { AppFile, chatApp } from "../support/app-file.ts";
import { Client, joined } from "../support/client.ts";
import { within } from "../support/deadline.ts";
import { ask, LongPollClient, NDJSON } from "../support/longpoll-client.ts";
import { exchanged, requestOf, statusesOf } from "../support/raw-http.ts";
import { Deferred } from "../support/world.ts";
import { attachServer, startServerWith, type Server } from "../support/server.ts";
import { SseClient } from "../support/sse-client.ts";

const KEY = ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"];
const UPGRADE = ["Connection: Upgrade", "Upgrade: websocket", ...KEY];
const PATH = "/socket/websocket?vsn=2.0.0";
const LONGPOLL = "/socket/longpoll?vsn=2.0.0";
const LAST = "Connection: close";

let server: Server | undefined;
let outer: HttpServer;
/** What the listeners of the outer server have seen. */
let seen: string[] = [];

afterEach(async () => {
  await server?.closeNow();
  server = undefined;
  outer.closeAllConnections();
  outer.close();
  seen = [];
});

/** Answers as the application that has the port. */
function answerOuter(asked: IncomingMessage, response: ServerResponse): void {
  seen.push(`${asked.method} ${asked.url}`);
  let bytes = 0;
  asked.on("data", (piece: Buffer) => {
    bytes += piece.length;
  });
  asked.on("end", () => response.end(`outer ${bytes}`));
}

async function attached(
  app: string | URL = "behind-proxies",
  options: Parameters<typeof attachServer>[2] = {},
): Promise<number> {
  outer = createServer(answerOuter);
  server = await attachServer(app, outer, options);
  return server.port;
}

/** Makes a request of its own. @returns its status, body and headers */
async function got(
  port: number,
  options: RequestOptions,
  body = "",
): Promise<{ status: number; text: string; headers: IncomingMessage["headers"] }> {
  const asked = request({ host: "127.0.0.1", port, agent: false, ...options });
  asked.end(body);
  const [answer] = (await within(once(asked, "response"), "an answer")) as [IncomingMessage];
  const pieces: Buffer[] = [];
  answer.on("data", (piece: Buffer) => pieces.push(piece));
  await within(once(answer, "end"), "the whole answer");
  const text = Buffer.concat(pieces).toString();
  return { status: answer.statusCode ?? 0, text, headers: answer.headers };
}

/** Resolves when the counts of the shards' open and idle connections are as wanted. */
async function connections(isWanted: (open: number, idle: number) => boolean): Promise<void> {
  for (;;) {
    const { tcpConnections, idleConnections } = server?.stats().total ?? assert.fail("no server");
    if (isWanted(tcpConnections, idleConnections)) return;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** Returns the port to which the outer server passes requests on. */
async function loopbackPort(port: number): Promise<number> {
  const found = new Deferred<number>();
  const note = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket };
    socket.once("connect", () => {
      const { remotePort = port } = socket;
      if (remotePort !== port) found.resolve(remotePort);
    });
  };
  subscribe("net.client.socket", note);
  try {
    await ask(port, "GET", LONGPOLL).answer;
    return await within(found.promise, "the connection to the loopback port");
  } finally {
    unsubscribe("net.client.socket", note);
  }
}

describe("An attached server", () => {
  it("serves the paths of its sockets, and leaves everything else to the other server", async () => {
    const port = await attached();
    const client = await Client.connect(port);
    const response = { address: "127.0.0.1", uri: `http://127.0.0.1:${port}` };
    assert.deepEqual(await joined(client, "room:1"), response);
    await client.close();
    const longpoll = await LongPollClient.connect(port);
    assert.ok(longpoll.token.length > 0);
    assert.deepEqual(seen, []);
    for (const path of ["/", "/who", "/socket", "/socket/websockets", "/socket/longpoll/x"]) {
      assert.equal((await got(port, { path })).text, "outer 0", path);
    }
    assert.equal(seen.length, 5);
    assert.equal((await got(port, { path: "/socket//websocket/?x" })).status, 400);
    assert.equal((await got(port, { path: "/socket/longpoll", method: "PUT" })).status, 400);
    assert.equal(seen.length, 5);
  });

  it("passes on streams of server-sent events, and what their clients post", async () => {
    const port = await attached("streams");
    const client = await SseClient.connect(port);
    await client.join("room:1");
    await client.push("room:1", "shout", { n: 1 });
    assert.deepEqual(await client.message(), [null, null, "room:1", "shout", { n: 1 }]);
    client.cut();
    await client.push("room:1", "shout", { n: 2 });
    await client.resume();
    assert.deepEqual(await client.message(), [null, null, "room:1", "shout", { n: 2 }]);
    assert.equal(await client.leave(), 204);
    assert.deepEqual(seen, []);
  });

  it("takes its requests before any listener, added before or after it", async () => {
    outer = createServer();
    const upgrades: string[] = [];
    const onUpgrade = ({ url }: IncomingMessage, socket: Socket): void => {
      upgrades.push(String(url));
      socket.end("HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n");
    };
    outer.on("upgrade", onUpgrade);
    server = await attachServer("behind-proxies", outer);
    const { port } = server;
    outer.on("request", answerOuter);
    outer.prependListener("request", ({ url }) => seen.push(`first ${url}`));
    outer.on("checkContinue", ({ url }, response: ServerResponse) => {
      seen.push(`continue ${url}`);
      response.writeHead(204).end();
    });
    const client = await Client.connect(port);
    await client.close();
    const expecting = { expect: "100-continue" };
    const posted = { method: "POST", path: LONGPOLL, headers: expecting };
    assert.equal((await got(port, posted)).status, 200);
    assert.deepEqual([seen, upgrades], [[], []]);
    const text = await exchanged(port, requestOf("GET /hmr", UPGRADE));
    assert.deepEqual(statusesOf(text), [418]);
    assert.deepEqual(upgrades, ["/hmr"]);
    assert.equal((await got(port, { path: "/a" })).text, "outer 0");
    assert.equal((await got(port, { ...posted, path: "/b" })).status, 204);
    assert.deepEqual(seen, ["first /a", "GET /a", "continue /b"]);
  });

  it("leaves upgrades of other paths as plain requests if nobody else listens for them", async () => {
    const port = await attached();
    const h2c = [
      "Connection: close, Upgrade, HTTP2-Settings",
      "Upgrade: h2c",
      "HTTP2-Settings: AAMAAABk",
    ];
    let connectionsSeen = 0;
    outer.on("connection", () => {
      connectionsSeen += 1;
    });
    const body = "x".repeat(100_000);
    const posted = requestOf("POST /a", [...h2c, `Content-Length: ${body.length}`], body);
    assert.match(await exchanged(port, posted), /^HTTP\/1\.1 200 OK\r\n[^]*outer 100000/);
    const websocket = requestOf("GET /c", [
      "Connection: close, Upgrade",
      "Upgrade: websocket",
      ...KEY,
    ]);
    assert.match(await exchanged(port, websocket), /outer 0/);
    assert.deepEqual(seen, ["POST /a", "GET /c"]);
    const ours = requestOf("GET /socket/longpoll?vsn=2.0.0", [
      "Connection: close, Upgrade",
      "Upgrade: h2c",
    ]);
    assert.deepEqual(statusesOf(await exchanged(port, ours)), [200]);
    assert.equal(connectionsSeen, 3);
  });

  it("demands a secret on the loopback port, which no client gets past the other server", async () => {
    const port = await attached();
    const loopback = await loopbackPort(port);
    assert.notEqual(loopback, port);
    for (const headers of [[], ["Simurgh-Attached: x http"], ["Simurgh-Attached: "]]) {
      for (const [line, more] of [
        ["GET /who", []],
        ["GET /unknown", []],
        [`GET ${LONGPOLL}`, []],
        [`GET ${PATH}`, UPGRADE],
      ] as const) {
        const text = await exchanged(loopback, requestOf(line, [...more, ...headers]));
        assert.deepEqual(statusesOf(text), [403], `${line} ${headers.join()}`);
      }
    }
    const forged = { "simurgh-attached": "x https", "x-forwarded-for": "6.6.6.6" };
    const ws = new WebSocket(`ws://127.0.0.1:${port}${PATH}`, { headers: forged });
    await within(once(ws, "open"), "the connection");
    ws.terminate();
    assert.equal((await got(port, { path: LONGPOLL, headers: forged })).status, 200);
  });

  it("knows the addresses of its clients", async () => {
    const port = await attached();
    const address = async (options: object): Promise<unknown> => {
      const ws = new WebSocket(`ws://127.0.0.1:${port}${PATH}`, options);
      await within(once(ws, "open"), "the connection");
      ws.send(JSON.stringify(["1", "1", "room:1", "phx_join", {}]));
      const [frame] = (await within(once(ws, "message"), "the reply")) as [Buffer];
      ws.terminate();
      const [, , , , { response }] = JSON.parse(frame.toString()) as [
        string,
        string,
        string,
        string,
        { readonly response: { readonly address: string } },
      ];
      return response.address;
    };
    assert.equal(await address({ localAddress: "127.0.0.7" }), "127.0.0.7");
    // A client's own PROXY header is no HTTP for the other server.
    const bytes = Buffer.concat([
      proxyHeader("6.6.6.6"),
      Buffer.from(requestOf(`GET ${LONGPOLL}`)),
    ]);
    assert.deepEqual(statusesOf(await exchanged(port, bytes.toString("latin1"))), [400]);
  });

  it("believes the proxies in front of the other server that it trusts", async () => {
    outer = createServer(answerOuter);
    const environment = { BEHIND_PROXIES: JSON.stringify({ trustProxy: ["127.0.0.1"] }) };
    server = await startServerWith(environment, "behind-proxies", {
      shards: 1,
      host: undefined,
      port: undefined,
      attachTo: outer,
    });
    await once(outer.listen(0, "127.0.0.1"), "listening");
    const headers = {
      "x-forwarded-for": "192.0.2.1",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "example.com",
    };
    const connects = async (origin: string, localAddress = "127.0.0.1"): Promise<unknown> => {
      const options = { path: LONGPOLL, headers: { ...headers, origin }, localAddress };
      return (JSON.parse((await got(server?.port ?? 0, options)).text) as { status: number })
        .status;
    };
    assert.equal(await connects("https://example.com"), 410);
    assert.equal(await connects("http://example.com"), 403);
    assert.equal(await connects("https://example.com", "127.0.0.7"), 403);
  });

  it("works over a Unix domain socket", async () => {
    const path = joinPath(tmpdir(), `simurgh-attach-${process.pid}.sock`);
    outer = createServer(answerOuter);
    server = await attachServer("behind-proxies", outer.listen(path));
    try {
      assert.deepEqual([server.port, server.host], [0, path]);
      const { text } = await got(0, { socketPath: path, path: LONGPOLL });
      assert.equal((JSON.parse(text) as { status: number }).status, 410);
    } finally {
      rmSync(path, { force: true });
    }
  });

  it("shares the other server with another one that is attached to it, and is closed before or after it", async () => {
    const port = await attached("channels");
    const app = new AppFile(chatApp(1).replace('"/socket"', '"/another"'));
    const another = await attachServer(pathToFileURL(app.path), outer);
    try {
      for (const path of ["/socket", "/another"]) {
        const client = await Client.connect(port, { path });
        await client.close();
      }
      assert.equal((await got(port, { path: LONGPOLL })).status, 200);
      const refused = requestOf("GET /another-one", [...UPGRADE, LAST]);
      assert.match(await exchanged(port, refused), /outer 0/);
      await server?.closeNow();
      assert.match(await exchanged(port, requestOf(`GET ${PATH}`, [...UPGRADE, LAST])), /outer 0/);
      const client = await Client.connect(port, { path: "/another" });
      await client.close();
    } finally {
      await another.closeNow();
      app.remove();
    }
    assert.equal(outer.listenerCount("upgrade"), 0);
    assert.equal(Object.hasOwn(outer, "emit"), false);
  });

  it("refuses servers that it cannot be attached to, and a port of its own", async () => {
    outer = createServer();
    const app = new URL("../apps/channels.js", import.meta.url);
    const code = "SIM_ERR_OPTION_INVALID";
    const message = /^attachTo must be an http\.Server or https\.Server .*HTTP\/2 .*, got /;
    for (const attachTo of [createHttp2Server(), createSecureServer(), {}, null, 4_000]) {
      await assert.rejects(serve({ app, attachTo: attachTo as never }), { code, message });
    }
    const combined = { code, message: /^attachTo must not be combined with host or port/ };
    await assert.rejects(serve({ app, attachTo: outer, port: 4_000 }), combined);
    await assert.rejects(serve({ app, attachTo: outer, host: "::" }), combined);
  });
});

describe("Requests to an attached server", () => {
  it("keep the client's connection alive, whatever their bodies", async () => {
    const port = await attached("channels");
    const { token } = await LongPollClient.connect(port);
    const path = `${LONGPOLL}&token=${encodeURIComponent(token)}`;
    const frame = JSON.stringify(["1", "1", "room:1", "phx_join", {}]);
    const type = ["Content-Type: application/x-ndjson"];
    const length = `Content-Length: ${frame.length}`;
    const text = await exchanged(
      port,
      [
        requestOf(`POST ${path}`, [...type, length], frame),
        requestOf(
          `POST ${path}`,
          [...type, "Transfer-Encoding: chunked"],
          `${frame.length.toString(16)}\r\n${frame}\r\n0\r\n\r\n`,
        ),
        requestOf(`POST ${path}`, [...type, length, "Expect: 100-continue"], frame),
        requestOf("GET /of-the-other-server"),
        requestOf(`GET ${path}`, [LAST]),
      ].join(""),
    );
    assert.deepEqual(statusesOf(text), [200, 200, 100, 200, 200, 200]);
    assert.match(text, /phx_reply/);
    assert.deepEqual(seen, ["GET /of-the-other-server"]);
  });

  it("are refused as usual if their bodies are too large, and end the connection", async () => {
    const port = await attached("channels", { maxBodyBytes: 1_000 });
    const { token } = await LongPollClient.connect(port);
    const path = `${LONGPOLL}&token=${encodeURIComponent(token)}`;
    const small = await ask(port, "POST", path, "x".repeat(1_001), NDJSON).answer;
    assert.equal(small.http, 400);
    const head = requestOf(`POST ${path}`, ["Content-Length: 100000000"]);
    const text = await exchanged(port, head + "x".repeat(10_000));
    assert.deepEqual(statusesOf(text), [400]);
  });

  it("are aborted with their clients", async () => {
    const port = await attached("channels");
    const { token } = await LongPollClient.connect(port);
    const path = `${LONGPOLL}&token=${encodeURIComponent(token)}`;
    const asked = ask(port, "GET", path);
    await within(
      connections((open, idle) => open > idle),
      "the poll",
    );
    asked.abort();
    await within(
      connections((open) => open === 0),
      "the end of the poll",
    );
  });

  it("are not cut by the other server's time limit while they wait", async () => {
    const port = await attached("channels", { longpollWindowMs: 1_000 });
    outer.timeout = 100;
    const client = await Client.connect(port);
    const { token } = await LongPollClient.connect(port);
    const path = `${LONGPOLL}&token=${encodeURIComponent(token)}`;
    const polled = await within(ask(port, "GET", path).answer, "the end of the window");
    assert.equal(polled.http, 200);
    assert.deepEqual(await joined(client, "room:1"), {});
    await client.close();
  });

  it("are answered with 503 while the node drains, and left to the others once it is closed", async () => {
    const port = await attached("channels");
    const client = await Client.connect(port);
    await joined(client, "room:1");
    await server?.drain();
    assert.deepEqual((await client.closed()).code, 1012);
    const polled = await got(port, { path: LONGPOLL });
    assert.deepEqual([polled.status, polled.headers["retry-after"]], [503, "5"]);
    const upgraded = await exchanged(port, requestOf(`GET ${PATH}`, UPGRADE));
    assert.match(upgraded, /^HTTP\/1\.1 503 Service Unavailable\r\nRetry-After: 5\r\n/);
    assert.deepEqual(seen, []);
    await server?.close();
    assert.equal((await got(port, { path: LONGPOLL })).text, "outer 0");
    assert.match(await exchanged(port, requestOf(`GET ${PATH}`, [...UPGRADE, LAST])), /outer 0/);
    assert.equal(outer.listenerCount("upgrade"), 0);
    assert.equal(Object.hasOwn(outer, "emit"), false);
    server = await attachServer("channels", outer);
    const again = await Client.connect(server.port);
    assert.deepEqual(await joined(again, "room:1"), {});
    await again.close();
  });

  it("are left to the others after a close even if somebody has replaced `emit` meanwhile", async () => {
    const port = await attached("channels");
    const ours = outer.emit.bind(outer);
    outer.emit = (event: string, ...values: unknown[]) => ours(event, ...values);
    assert.equal((await got(port, { path: LONGPOLL })).status, 200);
    await server?.closeNow();
    assert.equal((await got(port, { path: LONGPOLL })).text, "outer 0");
  });

  it("reach a restarted shard, at the paths of its app", async () => {
    const app = new AppFile(chatApp(1));
    try {
      const port = await attached(pathToFileURL(app.path));
      const client = await Client.connect(port);
      assert.deepEqual(await joined(client, "room:1"), { version: 1, shard: 0 });
      app.write(chatApp(2).replace('"/socket"', '"/another"'));
      await server?.restartShard(0);
      assert.equal((await client.closed()).code, 1012);
      const again = await Client.connect(port, { path: "/another" });
      assert.deepEqual(await joined(again, "room:1"), { version: 2, shard: 0 });
      await again.close();
      assert.match(await exchanged(port, requestOf(`GET ${PATH}`, [...UPGRADE, LAST])), /outer 0/);
    } finally {
      app.remove();
    }
  });
});
