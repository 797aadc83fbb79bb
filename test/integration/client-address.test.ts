/**
 * Who a server takes for its clients behind proxies: limits, origins, connect info and routes, with real bytes.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread.
 * Slow: several servers.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer, request, type IncomingMessage } from "node:http";
import { connect, createServer, type Server as TcpServer } from "node:net";
import { afterEach, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";

import { WebSocket } from "ws";

import { addressKey } from "../../src/limits/address-key.ts";
import { proxyHeader } from "../../src/server/attachment/proxy-header.ts";
import { within } from "../support/deadline.ts";
import { isPortable } from "../support/dealing.ts";
import { ask } from "../support/longpoll-client.ts";
import { requestOf } from "../support/raw-http.ts";
import { noNative } from "../support/engine.ts";
import { startServerWith, type Server } from "../support/server.ts";

const NO_NATIVE = await noNative();

type Options = Parameters<typeof startServerWith>[2];
type Headers = Readonly<Record<string, string>>;

const CLIENT = "192.0.2.1";
const FORGED = "6.6.6.6";
const WHO = requestOf("GET /who");
const LAST_WHO = requestOf("GET /who", ["Connection: close"]);

let server: Server | undefined;
const proxies: Pick<TcpServer, "close" | "address" | "listen">[] = [];

async function serving(options: object, more: Options = {}): Promise<number> {
  const environment = { BEHIND_PROXIES: JSON.stringify(options) };
  server = await startServerWith(environment, "behind-proxies", { shards: 1, ...more });
  return server.port;
}

afterEach(async () => {
  for (const proxy of proxies.splice(0)) proxy.close();
  await server?.close();
  server = undefined;
});

function from(address: string): Headers {
  return { "x-forwarded-for": address };
}

function by(address: string, text: string): Buffer {
  return Buffer.concat([proxyHeader(address), Buffer.from(text)]);
}

/** The answer to a request behind a PROXY header that has no effect: the portable engine takes it for a bad request. */
function ignored(): string {
  return server && isPortable(server) ? "400" : "127.0.0.1";
}

/** Starts a proxy. @returns its port */
async function proxied(proxy: TcpServer | ReturnType<typeof createHttpServer>): Promise<number> {
  proxies.push(proxy);
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return (proxy.address() as { readonly port: number }).port;
}

/** Returns what the route says of a client with these headers. */
async function who(port: number, headers: Headers = {}): Promise<string> {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const [address = ""] = await answersTo(port, [
    requestOf("GET /who", [...lines, "Connection: close"]),
  ]);
  return address;
}

/** Sends pieces one after the other, each when the one before is answered. @returns the addresses in the answers */
async function answersTo(port: number, pieces: readonly (string | Buffer)[]): Promise<string[]> {
  const socket = connect(port, "127.0.0.1");
  const waiting = [...pieces];
  let got = "";
  socket.on("error", () => undefined);
  const sendNext = (): void => {
    if (bodiesOf(got).length + waiting.length > pieces.length) return;
    const piece = waiting.shift();
    if (piece === undefined) socket.end();
    else socket.write(piece);
  };
  socket.on("data", (bytes: Buffer) => {
    got += bytes.toString();
    sendNext();
  });
  sendNext();
  await within(once(socket, "close"), "the answers");
  return bodiesOf(got);
}

/** What the route has answered: an address, or the status of a refusal. */
function bodiesOf(got: string): string[] {
  const answers = got.matchAll(/HTTP\/1\.1 (\d+)[\s\S]*?\r\n\r\n(?:(\S+) -)?/g);
  return [...answers].map(([, status, address]) => address ?? String(status));
}

/** Connects by WebSocket. @returns what the join says of the client, or the status of a refusal */
async function joinedBy(port: number, headers: Headers): Promise<unknown> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`, { headers });
  ws.on("error", () => undefined);
  const opened = once(ws, "open").then(() => undefined);
  const refused = once(ws, "unexpected-response").then(
    ([, response]) => (response as IncomingMessage).statusCode,
  );
  const status = await within(Promise.race([opened, refused]), "an answer to the upgrade");
  if (status !== undefined) return status;
  ws.send(JSON.stringify(["1", "1", "room:1", "phx_join", {}]));
  const [frame] = (await within(once(ws, "message"), "the reply")) as [Buffer];
  ws.terminate();
  return (
    JSON.parse(frame.toString()) as [string, string, string, string, { response: unknown }]
  )[4].response;
}

describe("Without trustProxy, the client is the peer", () => {
  it("whatever it sends", async () => {
    const port = await serving({});
    const headers = {
      "x-forwarded-for": FORGED,
      forwarded: `for=${FORGED};proto=https`,
      "x-forwarded-proto": "https",
      "x-forwarded-host": "example.com",
    };
    assert.equal(await who(port, headers), "127.0.0.1");
    const uri = `http://127.0.0.1:${port}`;
    assert.deepEqual(await joinedBy(port, headers), { address: "127.0.0.1", uri });
    assert.deepEqual(await answersTo(port, [by(FORGED, LAST_WHO)]), [ignored()]);
    assert.equal(await joinedBy(port, { ...headers, origin: "https://example.com" }), 403);
  });
});

describe("With trustProxy, the client is whom the proxy names", () => {
  it("for routes, connect and the origin check, by every transport", async () => {
    const port = await serving({ trustProxy: ["127.0.0.0/8"] });
    const headers = {
      "x-forwarded-for": `${FORGED}, ${CLIENT}`,
      "x-forwarded-proto": "https",
      "x-forwarded-host": "example.com",
    };
    assert.equal(await who(port, headers), CLIENT);
    assert.equal(await who(port, { forwarded: `for=${FORGED}, for=${CLIENT}` }), CLIENT);
    const uri = "https://example.com:443";
    const page = { ...headers, origin: "https://example.com" };
    assert.deepEqual(await joinedBy(port, page), { address: CLIENT, uri });
    assert.equal(await joinedBy(port, { ...headers, origin: "http://example.com" }), 403);
    assert.equal(await joinedBy(port, { ...headers, origin: "https://example.com:8443" }), 403);
    const polled = await ask(port, "GET", "/socket/longpoll?vsn=2.0.0", "", page).answer;
    assert.equal(polled.status, 410);
    assert.equal((await ask(port, "GET", "/asked", "", page).answer).http, 200);
  });

  it("unless the request did not come from the proxy", async () => {
    const port = await serving({ trustProxy: ["127.0.0.2"] });
    assert.equal(await who(port, { "x-forwarded-for": FORGED }), "127.0.0.1");
  });

  it("for the limits of an address", async () => {
    const port = await serving({ trustProxy: 1 }, { maxConnectionsPerAddress: 1 });
    const url = `ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`;
    const first = new WebSocket(url, { headers: from(CLIENT) });
    await within(once(first, "open"), "the first connection");
    assert.equal(await joinedBy(port, from(CLIENT)), 429);
    assert.equal(await joinedBy(port, from(`${FORGED}, ${CLIENT}`)), 429);
    const other = await joinedBy(port, from("192.0.2.2"));
    assert.deepEqual(other, { address: "192.0.2.2", uri: `http://127.0.0.1:${port}` });
    first.terminate();
  });

  it("for the rates of an address", async () => {
    const port = await serving({ trustProxy: 1 });
    const asked = async (address: string): Promise<unknown> => {
      const headers = { "x-forwarded-for": address };
      return (await ask(port, "GET", "/socket/longpoll?vsn=2.0.0", "", headers).answer).http;
    };
    const statuses: unknown[] = [];
    for (let n = 0; n < 4; n += 1) statuses.push(await asked(CLIENT));
    assert.deepEqual(statuses, [200, 200, 200, 429]);
    assert.equal(await asked("192.0.2.2"), 200);
  });

  it("for the rates of an address, also if clients reset their connections, which then have none", async () => {
    const port = await serving({});
    const path = "/socket/longpoll?vsn=2.0.0";
    const gone = Array.from({ length: 100 }, async () => {
      const client = connect({ port, host: "127.0.0.1" });
      client.write(requestOf(`GET ${path}`));
      await within(once(client, "connect"), "a connection");
      await setImmediate();
      client.resetAndDestroy();
      await within(once(client, "close"), "its end");
    });
    await Promise.all(gone);
    await ask(port, "GET", path).answer;
    const sessions = server?.stats().total.sessions ?? 0;
    assert.ok(sessions <= 3, String(sessions));
  });
});

describe("A PROXY header of version 2", () => {
  const options = { trustProxy: ["127.0.0.1"], proxyProtocol: "v2" };
  it("names the client of a trusted proxy, for all requests", async () => {
    const port = await serving(options);
    assert.deepEqual(await answersTo(port, [by(CLIENT, WHO), WHO, LAST_WHO]), [
      CLIENT,
      CLIENT,
      CLIENT,
    ]);
    const [address = ""] = await answersTo(port, [by("2001:db8::1", LAST_WHO)]);
    assert.equal(addressKey(address), addressKey("2001:db8::1"));
    assert.deepEqual(await answersTo(port, [LAST_WHO]), ["127.0.0.1"]);
  });

  it("before a later request names another one, or with the portable engine is refused", async () => {
    const port = await serving(options);
    const [first, second] = await answersTo(port, [by(CLIENT, WHO), by(FORGED, LAST_WHO)]);
    assert.equal(first, CLIENT);
    assert.equal(second, server && isPortable(server) ? "400" : FORGED);
  });

  it("that comes in pieces names the client as well", async () => {
    const port = await serving(options);
    const bytes = by(CLIENT, LAST_WHO);
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let got = "";
    socket.on("data", (piece: Buffer) => {
      got += piece.toString();
    });
    // Each in a packet of its own, which the native engine does not wait for.
    const pieces = server && isPortable(server) ? [...bytes].map((byte) => [byte]) : [[...bytes]];
    for (const piece of pieces) {
      socket.write(Buffer.from(piece));
      await setImmediate();
    }
    await within(once(socket, "close"), "the answer");
    assert.deepEqual(bodiesOf(got), [CLIENT]);
  });

  it("is ignored without the option, and from anybody else", async () => {
    const port = await serving({ trustProxy: ["127.0.0.1"] });
    assert.deepEqual(await answersTo(port, [by(FORGED, LAST_WHO)]), [ignored()]);
    assert.deepEqual(await answersTo(port, [WHO, by(FORGED, LAST_WHO)]), ["127.0.0.1", ignored()]);
    await server?.close();
    const another = await serving({ trustProxy: ["127.0.0.2"], proxyProtocol: "v2" });
    assert.deepEqual(await answersTo(another, [by(FORGED, LAST_WHO)]), [ignored()]);
    assert.deepEqual(await answersTo(another, [WHO]), ["127.0.0.1"]);
  });

  it("of a client does not pass a proxy that parses HTTP", async () => {
    const port = await serving(options);
    const proxy = createHttpServer(({ method, url, headers }, response) => {
      const upstream = connect(port, "127.0.0.1");
      upstream.write(proxyHeader(CLIENT));
      const forwarded = { method, path: url, headers, createConnection: () => upstream };
      request(forwarded, (answer) => {
        let body = "";
        answer.on("data", (piece: Buffer) => {
          body += piece.toString();
        });
        answer.on("end", () => response.end(body));
      }).end();
    });
    const nearest = await proxied(proxy);
    assert.deepEqual(await answersTo(nearest, [by(FORGED, LAST_WHO)]), ["400"]);
    assert.deepEqual(await answersTo(nearest, [WHO, by(FORGED, LAST_WHO)]), [CLIENT, "400"]);
  });

  // Why the documentation asks for a proxy that parses HTTP: the native engine reports the last header of a connection.
  it("of a client passes a proxy that does not parse HTTP, before its second request, but not the portable engine", async () => {
    const port = await serving(options);
    const proxy = createServer((client) => {
      const upstream = connect(port, "127.0.0.1");
      upstream.write(proxyHeader(CLIENT));
      client.pipe(upstream).pipe(client);
      for (const side of [client, upstream]) side.on("error", () => undefined);
    });
    const nearest = await proxied(proxy);
    const answers = await answersTo(nearest, [WHO, by(FORGED, LAST_WHO)]);
    assert.deepEqual(answers, [CLIENT, server && isPortable(server) ? "400" : FORGED]);
  });
});

describe("A PROXY header of version 1", () => {
  const options = { trustProxy: ["127.0.0.1"], proxyProtocol: "v1" };
  const line = `PROXY TCP4 ${CLIENT} 198.51.100.1 56324 443\r\n`;

  it("names the client with the portable engine", async () => {
    const port = await serving(options, { engine: "portable" });
    assert.deepEqual(await answersTo(port, [`${line}${WHO}`, LAST_WHO]), [CLIENT, CLIENT]);
    assert.deepEqual(await answersTo(port, [`${line}${WHO}`, `${line}${LAST_WHO}`]), [
      CLIENT,
      "400",
    ]);
    assert.deepEqual(await answersTo(port, [by(FORGED, LAST_WHO)]), ["400"], "version 2");
    assert.deepEqual(await answersTo(port, [LAST_WHO]), ["127.0.0.1"]);
  });

  it("is refused by the native engine when the server starts", { skip: NO_NATIVE }, async () => {
    await assert.rejects(serving(options, { engine: "native" }), {
      code: "SIM_ERR_DEFINITION_INVALID",
      message: /^proxyProtocol must be "v2" with the native engine, got "v1"/,
    });
  });
});
