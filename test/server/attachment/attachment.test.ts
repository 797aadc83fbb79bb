/**
 * What an attachment passes on, byte by byte: the test is the shard at the loopback port, and the client of a real
 * server.
 *
 * Runs on: the test's thread.
 * Slow: it fills the buffers of connections.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { connect as connectTls } from "node:tls";

import { Attachment } from "../../../src/server/attachment/attachment.ts";
import type { OuterServer } from "../../../src/server/attachment/outer-server.ts";
import { proxyHeader } from "../../../src/server/attachment/proxy-header.ts";
import { within } from "../../support/deadline.ts";
import { requestOf } from "../../support/raw-http.ts";

const UPGRADE = requestOf("GET /socket/websocket?x=%2F", [
  "Connection: keep-alive, Upgrade",
  "Upgrade: websocket",
  "Cookie: a=b",
  "Cookie: c=d",
  "Simurgh-Attached: forged https",
  "Content-Length: 0",
  "X-Latin: \u00e9",
]);
const SWITCHED =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const REFUSED = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
const BLOCK = Buffer.alloc(65_536, "x");
const noOpenssl = spawnSync("openssl", ["version"]).status === 0 ? false : "openssl is missing";

/** One side of a connection, as the test holds it. */
class Side {
  readonly socket: Socket;
  text = "";
  hasEnded = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.on("data", (bytes: Buffer) => {
      this.text += bytes.toString("latin1");
    });
    socket.once("end", () => {
      this.hasEnded = true;
    });
  }

  /** Waits until all that has arrived matches. */
  async has(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) {
      const more = once(this.socket, "data");
      await within(more, `${pattern.source}, got ${this.text}`);
    }
  }

  async ended(): Promise<void> {
    if (!this.hasEnded) await within(once(this.socket, "end"), "the end of a side");
  }

  /** Waits for less than the time after which a client that does not end is cut. */
  async closed(): Promise<void> {
    if (!this.socket.closed)
      await within(once(this.socket, "close"), "the close of a side", 20_000);
  }
}

/** The server, its attachment, and the shard behind it. */
interface Stand {
  readonly attachment: Attachment;
  readonly port: number;
  /** Resolves with the next connection to the loopback port. */
  shard(): Promise<Side>;
  /** How many there have been. */
  readonly count: number;
}

const open: (Server | OuterServer)[] = [];
const sides: Side[] = [];
afterEach(() => {
  for (const { socket } of sides.splice(0)) socket.destroy();
  for (const server of open.splice(0)) server.close();
});

async function stand(outer: OuterServer = createHttpServer(), isListening = true): Promise<Stand> {
  const arrived: Side[] = [];
  let count = 0;
  let wake: (() => void) | undefined;
  const loopback = createServer({ allowHalfOpen: true }, (socket) => {
    const side = new Side(socket);
    sides.push(side);
    arrived.push(side);
    count += 1;
    wake?.();
  });
  open.push(loopback, outer);
  await once(loopback.listen(0, "127.0.0.1"), "listening");
  await once(outer.listen(0, "127.0.0.1"), "listening");
  const attachment = new Attachment(outer);
  attachment.serve(["/socket/websocket", "/socket/longpoll"]);
  attachment.begin((loopback.address() as AddressInfo).port, { isListening });
  return {
    attachment,
    port: (outer.address() as AddressInfo).port,
    shard: async () => {
      while (arrived.length === 0) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await within(woken, "a connection to the loopback port");
      }
      return arrived.shift() as Side;
    },
    get count() {
      return count;
    },
  };
}

function client(port: number, text = ""): Side {
  const side = new Side(connect({ port, host: "127.0.0.1", allowHalfOpen: true }));
  sides.push(side);
  if (text !== "") side.socket.write(text, "latin1");
  return side;
}

/** Waits until what clients have sent has arrived: then the server answers on another connection. */
async function allArrived(on: Stand): Promise<void> {
  const other = client(on.port, requestOf("GET /socket/longpoll", ["Connection: close"]));
  const polled = await on.shard();
  await polled.has(/\r\n\r\n$/);
  polled.socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  await other.ended();
}

/** Returns a request as the shard must get it. */
function rewritten({ attachment }: Stand, lines: readonly string[], scheme = "http"): string {
  const mark = `Simurgh-Attached: ${attachment.secret} ${scheme}`;
  const head = [...lines, mark].join("\r\n");
  return `${proxyHeader("127.0.0.1").toString("latin1")}${head}`;
}

describe("An upgrade", () => {
  it("is written anew from the raw headers, behind a PROXY header and with the secret", async () => {
    const on = await stand();
    client(on.port, UPGRADE);
    const shard = await on.shard();
    await shard.has(/\r\n\r\n$/);
    const expected = rewritten(on, [
      "GET /socket/websocket?x=%2F HTTP/1.1",
      "Host: localhost",
      "Connection: keep-alive, Upgrade",
      "Upgrade: websocket",
      "Cookie: a=b",
      "Cookie: c=d",
      "X-Latin: \u00e9",
    ]);
    assert.equal(shard.text.toLowerCase(), `${expected}\r\n\r\n`.toLowerCase());
  });

  it("passes nothing that the client sends before the 101, and everything after it", async () => {
    const on = await stand();
    const side = client(on.port, `${UPGRADE}one`);
    const shard = await on.shard();
    await shard.has(/\r\n\r\n$/);
    side.socket.write("two");
    await allArrived(on);
    assert.match(shard.text, /\r\n\r\n$/);
    shard.socket.write(`${SWITCHED}first`);
    await side.has(/first$/);
    assert.equal(side.text, `${SWITCHED}first`);
    await shard.has(/\r\n\r\nonetwo$/);
    side.socket.write("three");
    await shard.has(/onetwothree$/);
  });

  it("ends after any other answer, without what else the client has sent", async () => {
    const on = await stand();
    const forged = `${proxyHeader("6.6.6.6").toString("latin1")}${UPGRADE}`;
    const side = client(on.port, UPGRADE + forged);
    const shard = await on.shard();
    await shard.has(/\r\n\r\n$/);
    shard.socket.write(REFUSED);
    side.socket.write(forged, "latin1");
    await side.ended();
    const head = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\n";
    assert.equal(side.text, `${head}no`);
    // More than is held, and the end of the client is noticed all the same.
    side.socket.write(BLOCK);
    side.socket.end(BLOCK);
    await side.closed();
    await shard.ended();
    assert.equal(shard.text.match(/GET \/socket/g)?.length, 1);
    assert.equal(on.count, 1);
  });

  it("gets 400 with a body, without a Host, or as HTTP/1.0, and reaches no shard", async () => {
    const on = await stand();
    const lines = ["Connection: Upgrade", "Upgrade: websocket"];
    for (const text of [
      requestOf("GET /socket/websocket", [...lines, "Content-Length: 3"], "abc"),
      requestOf("GET /socket/websocket", [...lines, "Transfer-Encoding: chunked"]),
      requestOf("GET /socket/websocket", lines).replace("Host: localhost\r\n", ""),
      requestOf("GET /socket/websocket", lines).replace("HTTP/1.1", "HTTP/1.0"),
    ]) {
      const side = client(on.port, text);
      await side.ended();
      assert.match(side.text, /^HTTP\/1\.1 400 Bad Request\r\n[^]*Connection: close\r\n/);
    }
    assert.equal(on.count, 0);
  });

  it("gets 503 while the acceptor does not listen, since another program could have its port", async () => {
    const on = await stand(createHttpServer(), false);
    const side = client(on.port, UPGRADE);
    await side.ended();
    assert.match(side.text, /^HTTP\/1\.1 503 Service Unavailable\r\nRetry-After: 5\r\n/);
    const polled = client(on.port, requestOf("GET /socket/longpoll", ["Connection: close"]));
    await polled.ended();
    assert.match(polled.text, /^HTTP\/1\.1 503 Service Unavailable\r\nRetry-After: 5\r\n/);
    assert.equal(on.count, 0);
  });

  it("gets 503 if there is no connection to the acceptor", async () => {
    const on = await stand();
    open.shift()?.close();
    for (const text of [UPGRADE, requestOf("GET /socket/longpoll", ["Connection: close"])]) {
      const side = client(on.port, text);
      await side.ended();
      assert.match(side.text, /^HTTP\/1\.1 503 Service Unavailable\r\nRetry-After: 5\r\n/);
    }
  });

  it("is abandoned by its client, or by its shard", async () => {
    const on = await stand();
    const side = client(on.port, UPGRADE);
    const shard = await on.shard();
    await shard.has(/\r\n\r\n$/);
    side.socket.end("early");
    await shard.ended();
    const other = client(on.port, UPGRADE);
    const second = await on.shard();
    await second.has(/\r\n\r\n$/);
    second.socket.destroy();
    await other.ended();
    assert.equal(other.text, "");
  });

  it("carries the scheme of an https server", { skip: noOpenssl }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "simurgh-attach-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const made =
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost";
    execFileSync("openssl", [...made.split(" "), "-keyout", key, "-out", cert], {
      stdio: "ignore",
    });
    const tls = { key: readFileSync(key), cert: readFileSync(cert) };
    rmSync(folder, { recursive: true });
    const on = await stand(createHttpsServer(tls, (_request, response) => response.end("outer")));
    const to = { port: on.port, host: "127.0.0.1", rejectUnauthorized: false };
    const side = new Side(connectTls(to));
    sides.push(side);
    side.socket.write(UPGRADE, "latin1");
    const shard = await on.shard();
    await shard.has(/simurgh-attached: \S+ https\r\n/i);
    shard.socket.write(`${SWITCHED}first`);
    await side.has(/first$/);
    const h2c = ["Connection: close, Upgrade", "Upgrade: h2c"];
    const plain = new Side(connectTls(to));
    sides.push(plain);
    plain.socket.write(requestOf("GET /other", h2c));
    await plain.has(/outer/);
  });
});

async function upgraded(on: Stand): Promise<readonly [Side, Side]> {
  const side = client(on.port, UPGRADE);
  const shard = await on.shard();
  await shard.has(/\r\n\r\n$/);
  shard.socket.write(SWITCHED);
  await side.has(/\r\n\r\n$/);
  return [side, shard];
}

/** Writes until the other side takes no more. @returns the bytes written */
async function fill(socket: Socket): Promise<number> {
  let written = 0;
  for (;;) {
    while (socket.write(BLOCK)) written += BLOCK.length;
    written += BLOCK.length;
    const drained = once(socket, "drain").then(() => true);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), 300);
    });
    const isTaken = await Promise.race([drained, late]);
    clearTimeout(timer);
    if (!isTaken) return written;
  }
}

describe("A connection after its upgrade", () => {
  for (const who of ["client", "shard"] as const) {
    it(`is not read further while the ${who} does not read, and loses nothing`, async () => {
      const on = await stand();
      const [side, shard] = await upgraded(on);
      const [reader, writer] = who === "client" ? [side, shard] : [shard, side];
      reader.socket.pause();
      const before = reader.text.length;
      const written = await fill(writer.socket);
      // The system keeps some for two connections; this process must not keep the rest.
      assert.ok(written < 64 * 1_048_576, `${written} bytes`);
      reader.socket.resume();
      writer.socket.end("the end");
      await reader.ended();
      assert.equal(reader.text.length - before, written + "the end".length);
      assert.match(reader.text, /the end$/);
    });
  }

  it("ends for the shard when the client ends, and can still be written to", async () => {
    const on = await stand();
    const [side, shard] = await upgraded(on);
    side.socket.end("bye");
    await shard.ended();
    assert.match(shard.text, /bye$/);
    shard.socket.end("and bye");
    await side.ended();
    assert.match(side.text, /and bye$/);
    await Promise.all([side.closed(), shard.closed()]);
  });

  it("is cut for the shard when the client cuts it, and the other way round", async () => {
    const on = await stand();
    const [side, shard] = await upgraded(on);
    side.socket.resetAndDestroy();
    await shard.ended();
    const [other, second] = await upgraded(on);
    second.socket.resetAndDestroy();
    await other.ended();
  });

  it("is closed as soon as its client ends, if the shard has closed its own before", async () => {
    const outer = createHttpServer();
    const on = await stand(outer);
    const accepted = once(outer, "connection") as Promise<[Socket]>;
    const [side, shard] = await upgraded(on);
    const [connection] = await accepted;
    shard.socket.end();
    await side.ended();
    await shard.closed();
    side.socket.write("its close frame");
    await allArrived(on);
    const closed = once(connection, "close");
    side.socket.end();
    await within(closed, "the close of the client's connection", 20_000);
  });

  it("outlives the time limits of the server", async () => {
    const outer = createHttpServer();
    Object.assign(outer, {
      timeout: 50,
      headersTimeout: 60,
      requestTimeout: 70,
      keepAliveTimeout: 50,
    });
    outer.on("connection", (socket) => socket.setTimeout(50, () => socket.destroy()));
    const on = await stand(outer);
    const [side, shard] = await upgraded(on);
    // The server ends connections that are not ours, and that opened later, by its limit.
    await client(on.port).ended();
    shard.socket.write("still");
    await side.has(/still$/);
  });
});

describe("A plain request", () => {
  it("is written anew, with its body, and answered on the client's kept connection", async () => {
    const on = await stand();
    const lines = [
      "Connection: keep-alive, X-Own",
      "X-Own: 1",
      "TE: trailers",
      "Keep-Alive: timeout=5",
      "simurgh-attached: forged https",
    ];
    const text = requestOf("POST /socket/longpoll?a", [...lines, "Content-Length: 3"], "abc");
    const side = client(on.port, text);
    for (let n = 1; n <= 2; n += 1) {
      const shard = await on.shard();
      await shard.has(/abc$/);
      const expected = rewritten(on, [
        "POST /socket/longpoll?a HTTP/1.1",
        "Host: localhost",
        "X-Own: 1",
        "Content-Length: 3",
        "Connection: close",
      ]);
      assert.equal(shard.text.toLowerCase(), `${expected}\r\n\r\nabc`.toLowerCase());
      shard.socket.end(
        "HTTP/1.1 200 OK\r\nX-Answer: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
      );
      await side.has(n === 1 ? /ok$/ : /ok[^]*ok$/);
      assert.match(side.text, /X-Answer: 1\r\n[^]*Connection: keep-alive\r\n/);
      if (n === 1) side.socket.write(text);
    }
  });

  it("has the shard's answer if that breaks off its body, and ends", async () => {
    const on = await stand();
    const side = client(
      on.port,
      requestOf("POST /socket/longpoll", ["Content-Length: 1000000"], "abc"),
    );
    const shard = await on.shard();
    await shard.has(/abc$/);
    shard.socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad");
    await side.ended();
    assert.match(side.text, /^HTTP\/1\.1 400 Bad Request\r\n[^]*Connection: close\r\n[^]*bad$/);
  });

  it("ends with the shard's connection if there is no answer, or not all of it", async () => {
    const on = await stand();
    const side = client(on.port, requestOf("GET /socket/longpoll"));
    const shard = await on.shard();
    await shard.has(/\r\n\r\n$/);
    shard.socket.destroy();
    await side.ended();
    assert.equal(side.text, "");
    const other = client(on.port, requestOf("GET /socket/longpoll"));
    const second = await on.shard();
    await second.has(/\r\n\r\n$/);
    second.socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    await other.ended();
    assert.match(other.text, /half$/);
  });

  it("waits until those before it on its connection are answered, and is forgotten with its client", async () => {
    const on = await stand();
    const polls = ["a", "b", "c"].map((name) => requestOf(`GET /socket/longpoll?${name}`));
    const side = client(on.port, polls.join(""));
    for (const name of ["a", "b"]) {
      const shard = await on.shard();
      await shard.has(/\r\n\r\n$/);
      assert.match(shard.text, new RegExp(`GET /socket/longpoll\\?${name} `));
      assert.equal(on.count, name === "a" ? 1 : 2);
      if (name === "b") {
        side.socket.destroy();
        await shard.ended();
      } else {
        shard.socket.end("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
        await side.has(/a$/);
      }
    }
    const other = client(on.port, requestOf("GET /socket/longpoll?d"));
    await (await on.shard()).has(/longpoll\?d /);
    assert.equal(on.count, 3);
    other.socket.destroy();
  });

  it("ends its connection if too many wait behind it, or one for an upgrade", async () => {
    const on = await stand();
    const poll = requestOf("GET /socket/longpoll");
    for (const text of [poll.repeat(66), poll + UPGRADE]) {
      const side = client(on.port, text);
      const shard = await on.shard();
      await shard.ended();
      assert.equal(side.text, "");
    }
    assert.equal(on.count, 2);
    const side = client(on.port, poll.repeat(65));
    await (await on.shard()).has(/\r\n\r\n$/);
    assert.equal(side.hasEnded, false);
  });

  it("is abandoned with its client while an earlier one of the other server is not answered", async () => {
    const on = await stand(createHttpServer(() => {}));
    const side = client(
      on.port,
      requestOf("GET /of-the-other") + requestOf("GET /socket/longpoll"),
    );
    const shard = await on.shard();
    await shard.has(/\r\n\r\n$/);
    side.socket.destroy();
    await shard.ended();
  });

  it("of a client that has reset its connection, and has no address any more, reaches no shard", async () => {
    const outer = createHttpServer();
    const on = await stand(outer);
    for (const text of [requestOf("GET /socket/longpoll"), UPGRADE]) {
      const accepted = once(outer, "connection") as Promise<[Socket]>;
      const { socket } = client(on.port);
      const [gone] = await within(accepted, "the connection");
      // Both arrive at once.
      socket.write(text, "latin1");
      socket.resetAndDestroy();
      if (!gone.closed) await within(once(gone, "close"), "the end of the connection");
    }
    assert.equal(on.count, 0);
  });

  it("without a Host gets one, since HTTP/1.0 has none", async () => {
    const on = await stand();
    const side = client(on.port, "GET /socket/longpoll HTTP/1.0\r\n\r\n");
    const shard = await on.shard();
    await shard.has(/GET \/socket\/longpoll HTTP\/1\.1\r\n[^]*Host: localhost\r\n\r\n$/);
    shard.socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    await side.ended();
    assert.match(side.text, /^HTTP\/1\.1 200 OK\r\n[^]*ok$/);
  });
});

describe("A PROXY header", () => {
  it("has the client's address, of IPv4 or IPv6", () => {
    const v4 = `0d0a0d0a000d0a515549540a2111000cc0000201${"0".repeat(16)}`;
    assert.equal(proxyHeader("192.0.2.1").toString("hex"), v4);
    assert.equal(proxyHeader("::ffff:192.0.2.1").toString("hex"), v4);
    const v6 = `0d0a0d0a000d0a515549540a21210024${"20010db8".padEnd(31, "0")}1${"0".repeat(40)}`;
    assert.equal(proxyHeader("2001:db8::1").toString("hex"), v6);
    const local = `0d0a0d0a000d0a515549540a21210024${"fe80".padEnd(31, "0")}1${"0".repeat(40)}`;
    assert.equal(proxyHeader("fe80::1%eth0").toString("hex"), local);
  });
});
