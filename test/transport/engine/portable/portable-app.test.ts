/**
 * The app of the portable engine: the contract, and what is specific to it.
 *
 * Runs on: the test's thread.
 * Slow: a head may take 10 s.
 */

import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { connect, Socket } from "node:net";
import { after, describe, it, mock } from "node:test";

import { WebSocket } from "ws";

import type {
  EngineBehavior,
  EngineHandler,
  EngineResponse,
  EngineWebSocket,
} from "../../../../src/transport/engine/app-port.ts";
import { PortableApp } from "../../../../src/transport/engine/portable/portable-app.ts";
import { PortableEngine } from "../../../../src/transport/engine/portable/portable-engine.ts";
import { UNCOMPRESSED } from "../../../../src/transport/engine/portable/websocket-mount.ts";
import { within } from "../../../support/deadline.ts";
import { APP_OPTIONS, webSocketPath } from "../../../support/engine.ts";
import { exchanged, requestOf, statusesOf } from "../../../support/raw-http.ts";
import { describeApp } from "../app.contract.ts";

describeApp(async () => new PortableEngine(), {
  protocolError: 1002,
  invalidText: 1007,
  tooLarge: 1009,
});

const LAST = ["Connection: close"];
const UPGRADE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
];
const PATH = "/socket";
/** Connections that wait to be accepted; few, since an app accepts them only for a second. */
const WAITING = 8;

const apps: PortableApp[] = [];
const clients: WebSocket[] = [];
after(() => {
  for (const client of clients) client.terminate();
  for (const app of apps) app.close();
});

async function listening(prepare: (app: PortableApp) => void): Promise<number> {
  const app = new PortableApp(APP_OPTIONS);
  apps.push(app);
  prepare(app);
  return app.listen("127.0.0.1", 0);
}

async function answering(handler: EngineHandler): Promise<number> {
  return listening((app) => app.any("/*", handler));
}

async function opening(given: Partial<EngineBehavior>): Promise<number> {
  return listening((app) => {
    app.any("/*", (response, request) => void response.end(request.getUrl()));
    app.ws(
      PATH,
      webSocketPath({ uncompressed: UNCOMPRESSED }, { maxPayloadLength: 100_000, ...given }),
    );
  });
}

async function opened(port: number): Promise<WebSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${port}${PATH}`);
  clients.push(client);
  client.on("error", () => {});
  await within(once(client, "open"), "an open WebSocket");
  return client;
}

async function turn(): Promise<void> {
  await new Promise((resolve) => void setImmediate(resolve));
}

async function eventually(isTrue: () => boolean): Promise<void> {
  const reached = async (): Promise<void> => {
    while (!isTrue()) await turn();
  };
  await within(reached(), String(isTrue));
}

/** Returns a request whose body has more in a chunk than the chunk says. */
function badChunk(path: string): string {
  return requestOf(`POST ${path}`, ["Transfer-Encoding: chunked"], "3\r\nabcde\r\n0\r\n\r\n");
}

describe("an app that stops listening", () => {
  it("first accepts the connections that wait for that", async () => {
    const port = await answering((response) => void response.end("late"));
    const answers = Array.from({ length: WAITING }, async () =>
      exchanged(port, requestOf("GET /", LAST)),
    );
    // By then all have connected, and the app has accepted one of them at most.
    await turn();
    await (apps.at(-1) as PortableApp).stopListening();
    for (const answer of await Promise.all(answers)) assert.deepEqual(statusesOf(answer), [200]);
    await assert.rejects(exchanged(port, requestOf("GET /", LAST)), { code: "ECONNREFUSED" });
  });

  it("does not if there is no room for them", async () => {
    const port = await answering((response) => void response.end("early"));
    const answers = Array.from({ length: WAITING }, async () =>
      exchanged(port, requestOf("GET /", LAST)),
    );
    const ended = Promise.allSettled(answers);
    await turn();
    await (apps.at(-1) as PortableApp).stopListening(true);
    const ends = await ended;
    // It may have accepted one before.
    assert.ok(ends.filter(({ status }) => status === "rejected").length >= WAITING - 1);
  });

  it("does so only for a while if more and more wait", async () => {
    const port = await answering((response) => void response.end("late"));
    let isOver = false;
    const reconnect = async (): Promise<void> => {
      while (!isOver) await exchanged(port, requestOf("GET /", LAST)).catch(() => {});
    };
    const reconnecting = Array.from({ length: 5 }, reconnect);
    await turn();
    await within((apps.at(-1) as PortableApp).stopListening(), "the end");
    isOver = true;
    await Promise.all(reconnecting);
    await assert.rejects(exchanged(port, requestOf("GET /", LAST)), { code: "ECONNREFUSED" });
  });
});

describe("requests that follow one that is being answered", () => {
  it("are answered after it, one at a time and in order", async () => {
    const waiting: [string, EngineResponse][] = [];
    const port = await answering((response, request) => {
      response.onAborted(() => {});
      waiting.push([request.getUrl(), response]);
    });
    const requests = ["/a", "/b", "/c"].map((path) => requestOf(`GET ${path}`));
    const answers = exchanged(port, `${requests.join("")}${requestOf("GET /d", LAST)}`);
    for (const path of ["/a", "/b", "/c", "/d"]) {
      await eventually(() => waiting.length > 0);
      await turn();
      const [[url, response] = []] = waiting.splice(0);
      assert.equal(url, path);
      assert.equal(waiting.length, 0);
      response?.end(path);
    }
    assert.deepEqual((await answers).match(/\/[a-d]/g), ["/a", "/b", "/c", "/d"]);
  });

  it("end the connection if they are too many", async () => {
    let aborts = 0;
    let begun = 0;
    const port = await answering((response) => {
      begun += 1;
      response.onAborted(() => (aborts += 1));
    });
    assert.equal(await exchanged(port, requestOf("GET /").repeat(200)), "");
    assert.deepEqual([begun, aborts], [1, 1]);
  });

  it("are answered if they are followed by something that is no request", async () => {
    const port = await answering((response, request) => {
      response.onAborted(() => {});
      setImmediate(() => response.end(request.getUrl()));
    });
    const got = await exchanged(
      port,
      `${requestOf("GET /a")}${requestOf("GET /b")}NO REQUEST\r\n\r\n`,
    );
    assert.deepEqual(got.match(/\/[ab]/g), ["/a", "/b"]);
  });
});

describe("a request that is refused by Node's parser", () => {
  it("is answered with 400, and its connection closed", async () => {
    const port = await answering((response) => response.end());
    for (const text of [
      "NO REQUEST\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
      requestOf("POST /", ["Content-Length: 3", "Transfer-Encoding: chunked"], "0\r\n\r\n"),
      requestOf("POST /", ["Content-Length: 3", "Content-Length: 4"], "abc"),
      requestOf("GET /", ["X-Bad : 1"]),
      requestOf("GET /", UPGRADE).replace("Host: localhost\r\n", ""),
    ]) {
      assert.deepEqual(statusesOf(await exchanged(port, text)), [400], text);
    }
  });

  it("is answered with 400 if its body is, unless the answer has begun", async () => {
    let aborts = 0;
    const port = await answering((response, request) => {
      response.onAborted(() => (aborts += 1));
      if (request.getUrl() === "/begun") response.write("begun");
    });
    assert.deepEqual(statusesOf(await exchanged(port, badChunk("/waiting"))), [400]);
    assert.doesNotMatch(await exchanged(port, badChunk("/begun")), / 400 /);
    assert.equal(aborts, 2);
  });

  it("is answered with 505 if it is not HTTP/1.1 for a path", async () => {
    const port = await answering((response) => response.end());
    for (const line of [
      "GET / HTTP/1.0",
      "GET http://x/ HTTP/1.1",
      "OPTIONS * HTTP/1.1",
      "CONNECT x:80 HTTP/1.1",
    ]) {
      const got = await exchanged(port, `${line}\r\nHost: x\r\n\r\n`);
      assert.deepEqual(statusesOf(got), [505], line);
    }
  });

  it("is answered with 408 if its head is late, and closed in silence if it has not begun", async () => {
    const port = await answering((response) => response.end());
    const silent = exchanged(port, "");
    assert.deepEqual(statusesOf(await exchanged(port, "GET / HTTP/1.1\r\nHost:")), [408]);
    assert.equal(await silent, "");
  });
});

describe("a request for an upgrade", () => {
  it("that is none to a WebSocket is served as if it asked for nothing, with its body", async () => {
    const bodies: string[] = [];
    const port = await listening((app) => {
      app.any("/*", (response, request) => {
        const headers: string[] = [];
        request.forEach((name) => headers.push(name));
        response.onAborted(() => {});
        response.onData((chunk, isLast) => {
          bodies.push(Buffer.from(chunk).toString());
          if (isLast) response.end(headers.join());
        });
      });
    });
    const h2c = ["Connection: Upgrade", "Upgrade: h2c", "Content-Length: 3"];
    const got = await exchanged(port, requestOf("POST /", h2c, "abc") + requestOf("GET /", LAST));
    // Since 25, Node.js loses what is behind the body, so the answer says that the connection is closed.
    const isClosed = Number.parseInt(process.versions.node, 10) >= 25;
    assert.deepEqual(statusesOf(got), isClosed ? [200] : [200, 200]);
    assert.equal(/\r\nConnection: close\r\n[^]*host,connection,upgrade/.test(got), isClosed);
    assert.match(got, /host,connection,upgrade,content-length/);
    assert.equal(bodies.join(""), "abc");
  });

  it("that has a body gets no WebSocket", async () => {
    const port = await opening({});
    const got = await exchanged(
      port,
      requestOf(`GET ${PATH}`, [...UPGRADE, "Content-Length: 3", ...LAST], "abc"),
    );
    assert.deepEqual(statusesOf(got), [200]);
  });

  it("that says that its body is empty gets one", async () => {
    const port = await opening({ open: (ws) => ws.end(1000) });
    const got = await exchanged(port, requestOf(`GET ${PATH}`, [...UPGRADE, "Content-Length: 0"]));
    assert.deepEqual(statusesOf(got), [101]);
  });

  it("that is refused may be followed by other requests", async () => {
    const port = await opening({
      upgrade: (response) => void response.writeStatus("403 Forbidden").end(),
    });
    const manners = { afterAnswer: requestOf("GET /next", LAST) };
    const got = await exchanged(port, requestOf(`GET ${PATH}`, UPGRADE), manners);
    assert.deepEqual(statusesOf(got), [403, 200]);
  });

  it("that is refused closes its connection if the answer says so, or more has arrived", async () => {
    const port = await opening({
      upgrade: (response, request) =>
        void response.writeStatus("403 Forbidden").end("", request.getQuery() === "last"),
    });
    const last = requestOf(`GET ${PATH}?last`, UPGRADE);
    assert.deepEqual(statusesOf(await exchanged(port, last)), [403]);
    const more = requestOf(`GET ${PATH}`, UPGRADE) + requestOf("GET /next");
    assert.deepEqual(statusesOf(await exchanged(port, more)), [403]);
  });

  it("ends the connection if an earlier request is being answered", async () => {
    const port = await opening({});
    const before = requestOf("GET /before");
    assert.doesNotMatch(await exchanged(port, before + requestOf(`GET ${PATH}`, UPGRADE)), / 101 /);
  });
});

describe("a WebSocket of the portable engine", () => {
  it("answers a client's close as Phoenix does", async () => {
    const port = await opening({});
    for (const [given, answer] of [
      [1000, 1000],
      [1001, 1000],
      [4_999, 1000],
      [undefined, 1000],
      [1012, 1002],
    ] as const) {
      const client = connect(port, "127.0.0.1");
      client.write(requestOf(`GET ${PATH}`, UPGRADE));
      await within(once(client, "data"), "the 101");
      const code =
        given === undefined
          ? "\x80"
          : `\x82${String.fromCharCode(0, 0, 0, 0, given >> 8, given & 255)}`;
      client.write(`\x88${given === undefined ? "\x80\0\0\0\0" : code}`, "latin1");
      const [frame] = (await within(once(client, "data"), "a close frame")) as [Buffer];
      assert.deepEqual([...frame], [0x88, 2, answer >> 8, answer & 255]);
      client.destroy();
    }
  });

  it("is written once for all that it gets in a turn", async () => {
    let ws: EngineWebSocket | undefined;
    const port = await opening({
      open: (socket) => {
        ws = socket;
        socket.subscribe("a");
      },
    });
    const client = await opened(port);
    await turn();
    const got: string[] = [];
    client.on("message", (data: Buffer) => got.push(data.toString()));
    const writes = mock.method(Socket.prototype, "write");
    for (let n = 0; n < 10; n += 1) {
      ws?.send(`send ${n}`);
      apps.at(-1)?.publish("a", `publish ${n}`);
    }
    assert.equal(writes.mock.callCount(), 0);
    await turn();
    assert.equal(writes.mock.callCount(), 1);
    writes.mock.restore();
    await eventually(() => got.length === 20);
    assert.deepEqual(got.slice(0, 3), ["send 0", "publish 0", "send 1"]);
  });

  it("lets others come first when it has sent much", async () => {
    const seen: string[] = [];
    const port = await opening({
      message: (_, message) => seen.push(String.fromCharCode(new Uint8Array(message)[0] ?? 0)),
    });
    const [busy, other] = [await opened(port), await opened(port)];
    for (let n = 0; n < 2_000; n += 1) busy.send("b".repeat(1_000));
    other.send("other");
    await eventually(() => seen.includes("o"));
    assert.ok(seen.indexOf("o") < 1_000, `${seen.indexOf("o")} messages came first`);
    await eventually(() => seen.length === 2_001);
  });

  it("is closed if its connection has ended just before it is opened", async () => {
    const codes: number[] = [];
    let opens = 0;
    let serverSide: Socket | undefined;
    const note = (message: unknown): void => {
      serverSide = (message as { readonly socket: Socket }).socket;
    };
    subscribe("net.server.socket", note);
    const port = await opening({
      upgrade: (response, request, context) => {
        const key = request.getHeader("sec-websocket-key");
        response.onAborted(() => {});
        // Its end is not reported before the next tick.
        serverSide?.destroy();
        response.upgrade({}, key, "", "", context);
      },
      open: (ws) => {
        opens += 1;
        assert.equal(ws.send("nobody gets this"), 1);
      },
      close: (_, code) => codes.push(code),
    });
    assert.equal(await exchanged(port, requestOf(`GET ${PATH}`, UPGRADE)), "");
    unsubscribe("net.server.socket", note);
    await eventually(() => codes.length === 1);
    assert.deepEqual([opens, codes], [1, [1006]]);
  });
});
