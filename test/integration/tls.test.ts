/**
 * A server with a certificate: what its clients see, also when it is renewed, and what a client without TLS, with an
 * old one, or with half a handshake can do.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread.
 * Slow: waits until half-open handshakes end, which takes half a minute.
 */
import assert from "node:assert/strict";
import { copyFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { get } from "node:https";
import { connect as connectTcp, type Socket as TcpSocket } from "node:net";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { connect as connectTls, type TLSSocket } from "node:tls";

import { LongPoll } from "phoenix";
import { WebSocket } from "ws";

import { serve } from "../../src/index.ts";
import { AppFile, chatApp } from "../support/app-file.ts";
import { Certificates, noOpenssl, renew, type MadeCertificate } from "../support/certificates.ts";
import { isPortable, noSecondShard } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { connectPhoenix, disconnect, join, push, received } from "../support/phoenix-client.ts";
import { SECRET_KEY_BASE, type Server } from "../support/server.ts";
import { Talker } from "../support/talker.ts";

const APP = `
  const { defineChannel, defineEndpoint, defineSocket, ok, reply } = simurgh;
  const socket = defineSocket({ connect: ({ connectInfo }) => ok({ uri: connectInfo.uri }) });
  const room = defineChannel(socket, {
    join: ({ assigns }) => ok(assigns.uri),
    handleIn: {
      echo: (_channel, payload) => reply("ok", payload),
      shout(channel, payload) { channel.broadcast("shout", payload); },
    },
  });
  export default defineEndpoint({
    checkOrigin: "conn",
    sockets: {
      "/socket": {
        socket, channels: { "room:*": room }, longpoll: true, connectInfo: ["uri"],
      },
    },
    routes: {
      "GET /healthz": (_request, { isReady }) => ({ status: isReady ? 200 : 503 }),
      "GET /large": () => ({ status: 200, body: "0123456789".repeat(1_000_000) }),
    },
  });`;
const WRONG = { code: "SIM_ERR_TLS" };
/** More bytes than the system's buffers of a connection. */
const MESSAGES = 400;

interface Numbered {
  readonly n: number;
  readonly filler: string;
}

let made: Certificates;
let first: MadeCertificate;
let second: MadeCertificate;
let files: MadeCertificate;
let app: AppFile;
let server: Server;

async function start(
  source: string,
  options: Partial<Parameters<typeof serve>[0]> = {},
): Promise<Server> {
  app = new AppFile(source);
  server = await serve({
    app: app.path,
    host: "127.0.0.1",
    port: 0,
    shards: 2,
    tlsCert: files.cert,
    tlsKey: files.key,
    secretKeyBase: SECRET_KEY_BASE,
    logLevel: "silent",
    ...options,
  });
  return server;
}

/** Connects, and returns the name in the certificate that the server shows. */
async function shownName(servername = "localhost"): Promise<string> {
  const socket = connectTls({ ...there(), servername, rejectUnauthorized: false });
  await within(once(socket, "secureConnect"), "the handshake");
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return subject.CN as string;
}

/** Connects several times, so that each shard shows its certificate, also if the system deals the connections. */
async function shownNames(): Promise<string[]> {
  const names: string[] = [];
  const times = isPortable(server) ? 16 : 2;
  for (let at = 0; at < times * server.shards; at += 1) names.push(await shownName());
  return [...new Set(names)];
}

function allShards(): number[] {
  return Array.from({ length: server.shards }, (_, shard) => shard);
}

function there(): { readonly host: string; readonly port: number } {
  return { host: "127.0.0.1", port: server.port };
}

/** Opens a WebSocket. @returns 101, or the status that it was refused with */
async function handshake(origin: string, host?: string): Promise<number> {
  const url = `wss://localhost:${server.port}/socket/websocket?vsn=2.0.0`;
  const headers = host === undefined ? {} : { host };
  const webSocket = new WebSocket(url, { ca: first.pem, origin, headers });
  webSocket.on("error", () => undefined);
  const opened = once(webSocket, "open").then(() => 101);
  const refused = once(webSocket, "unexpected-response").then(
    ([, response]) => (response as { statusCode: number }).statusCode,
  );
  const status = await within(Promise.race([opened, refused]), "an answer");
  webSocket.terminate();
  return status;
}

async function statusOf(path: string): Promise<number> {
  const answered = new Promise<number>((resolve, reject) => {
    get({ ...there(), path, ca: first.pem, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on("error", reject);
  });
  return within(answered, `the answer to ${path}`);
}

async function untilRefused(count: number): Promise<void> {
  const isSo = async (): Promise<void> => {
    while (server.stats().total.connectionsRefused < count) await setImmediate();
  };
  await within(isSo(), `${count} refused connections`);
}

async function untilStatus(wanted: number): Promise<void> {
  while ((await statusOf("/").catch(() => 0)) !== wanted) await setImmediate();
}

/** Resolves when the server has closed a connection, with what it has sent before. */
async function closedByServer(socket: TcpSocket | TLSSocket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => pieces.push(piece)).resume();
  socket.on("error", () => undefined);
  // Not by `once` of node:events, which rejects at an error.
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await within(closed, "the end of the connection", 50_000);
  return Buffer.concat(pieces);
}

async function untilConnections(count: number): Promise<void> {
  const isSo = async (): Promise<void> => {
    while (server.stats().total.tcpConnections !== count) await setImmediate();
  };
  await within(isSo(), `${count} connections`, 50_000);
}

describe("A server with a certificate", { skip: noOpenssl }, () => {
  before(() => {
    made = new Certificates();
    first = made.make();
    second = made.make();
  });
  beforeEach(() => {
    files = made.make();
    renew(files, first);
  });
  afterEach(async () => {
    await server.closeNow();
    app.remove();
  });
  after(() => made.remove());

  it("serves the official client over wss, whose URI has the scheme https", async () => {
    await start(APP);
    assert.equal(server.scheme, "https");
    const transport = class extends WebSocket {
      constructor(url: string) {
        super(url, { ca: first.pem });
      }
    };
    const socket = await connectPhoenix(server.port, {}, { transport }, "wss");
    const channel = socket.channel("room:1", {});
    const { port } = server;
    assert.deepEqual(await join(channel), {
      scheme: "https",
      host: "127.0.0.1",
      port,
      path: "/socket/websocket",
      query: "vsn=2.0.0",
    });
    const payload = { text: "x".repeat(100_000) };
    assert.deepEqual(await push(channel, "echo", payload), payload);
    const heard = received(channel, "shout");
    server.broadcast("room:1", "shout", { from: "the host" });
    assert.deepEqual(await heard, { from: "the host" });
    await disconnect(socket);
  });

  it("serves the official client over long-poll, and routes", async () => {
    await start(APP);
    assert.equal(await statusOf("/healthz"), 200);
    // The client's fetch takes no certificate of its own.
    const given = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    try {
      const socket = await connectPhoenix(server.port, {}, { transport: LongPoll }, "wss");
      const channel = socket.channel("room:1", {});
      const { scheme } = (await join(channel)) as { scheme: string };
      assert.equal(scheme, "https");
      assert.deepEqual(await push(channel, "echo", { n: 1 }), { n: 1 });
      await disconnect(socket);
    } finally {
      if (given === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = given;
    }
  });

  it("sends a large response to a client that reads it late, whole and in order", async () => {
    await start(APP);
    const socket = connectTls({ ...there(), ca: first.pem });
    await within(once(socket, "secureConnect"), "the handshake");
    socket.pause();
    socket.write("GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    // Its buffers are full by then, which nothing reports.
    await Promise.all(Array.from({ length: 5 }, async () => statusOf("/healthz")));
    const got = (await closedByServer(socket)).toString("latin1");
    const [, body = ""] = got.split("\r\n\r\n");
    assert.equal(body.length, 10_000_000);
    assert.ok(body === "0123456789".repeat(1_000_000));
  });

  it("sends broadcasts to a client that reads late, all and in order", async () => {
    await start(chatApp(1), { maxBackpressureBytes: 67_108_864 });
    const url = `wss://127.0.0.1:${server.port}/socket/websocket?vsn=2.0.0`;
    const webSocket = new WebSocket(url, { ca: first.pem });
    const numbers: number[] = [];
    const hasAll = new Promise<void>((resolve) => {
      webSocket.on("message", (data: Buffer) => {
        const [, , , event, payload] = JSON.parse(data.toString()) as [0, 0, 0, string, Numbered];
        if (event !== "shout") return;
        assert.equal(payload.filler.length, 50_000);
        if (numbers.push(payload.n) === MESSAGES) resolve();
      });
    });
    await within(once(webSocket, "open"), "the connection");
    webSocket.send(JSON.stringify(["j", "j", "room:1", "phx_join", {}]));
    await within(once(webSocket, "message"), "the join");
    webSocket.pause();
    const filler = "x".repeat(50_000);
    for (let n = 0; n < MESSAGES; n += 1) {
      server.broadcast("room:1", "shout", { n, filler });
      if (n % 10 === 0) await setImmediate();
    }
    webSocket.resume();
    await within(hasAll, "all broadcasts");
    assert.deepEqual(
      numbers,
      Array.from({ length: MESSAGES }, (_, at) => at),
    );
    webSocket.terminate();
  });

  it("compares the origin with https if checkOrigin is conn", async () => {
    await start(APP);
    const { port } = server;
    assert.equal(await handshake(`https://localhost:${port}`), 101);
    assert.equal(await handshake(`http://localhost:${port}`), 403);
    assert.equal(await handshake("https://localhost"), 403);
    assert.equal(await handshake("https://localhost", "localhost"), 101, "443 is the default");
    assert.equal(await handshake("https://localhost:443", "localhost"), 101);
    assert.equal(await handshake("https://localhost:80", "localhost"), 403);
  });

  it("closes connections without TLS, with garbage, and with a version before 1.2", async () => {
    await start(APP);
    const beginnings = [
      "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
      "\u0016\u0003\u0001\u0000\u0005hello",
      "\u0000".repeat(20_000),
      "\u0016\u0003\u0001\u00ff\u00ff",
    ];
    for (const text of beginnings) {
      const socket = connectTcp(there());
      socket.write(text, "latin1");
      const got = await closedByServer(socket);
      assert.ok(!got.includes("HTTP"), JSON.stringify(text.slice(0, 20)));
    }
    const cipher = { ciphers: "ALL:@SECLEVEL=0", rejectUnauthorized: false };
    for (const version of ["TLSv1", "TLSv1.1"] as const) {
      const old = connectTls({ ...there(), ...cipher, minVersion: version, maxVersion: version });
      const [error] = (await once(old, "error")) as [{ code: string }];
      assert.equal(error.code, "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
    }
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const socket = connectTls({
        ...there(),
        ca: first.pem,
        minVersion: version,
        maxVersion: version,
      });
      await within(once(socket, "secureConnect"), version);
      assert.equal(socket.getProtocol(), version);
      socket.destroy();
    }
    await untilConnections(0);
    assert.equal(await statusOf("/healthz"), 200);
  });

  it("serves clients that resume a session, whichever shard they come to", async () => {
    await start(APP);
    let session: Buffer | undefined;
    for (let at = 0; at < 6; at += 1) {
      const given = session === undefined ? {} : { session };
      const socket = connectTls({ ...there(), ca: first.pem, ...given });
      socket.on("session", (next: Buffer) => {
        session = next;
      });
      await within(once(socket, "secureConnect"), "the handshake");
      socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
      const got = await closedByServer(socket);
      assert.match(got.toString("latin1"), /^HTTP\/1\.1 200 /);
    }
    assert.ok(session, "the server gives sessions to resume");
  });

  it("closes a connection that renegotiates", async () => {
    await start(APP);
    const socket = connectTls({ ...there(), ca: first.pem, maxVersion: "TLSv1.2" });
    await within(once(socket, "secureConnect"), "the handshake");
    const closed = closedByServer(socket);
    socket.renegotiate({}, () => undefined);
    await closed;
    await untilConnections(0);
    assert.equal(await statusOf("/healthz"), 200);
  });

  it("counts half-open handshakes as idle connections, and closes them, however slow they are", async () => {
    const maxIdleConnections = 300;
    await start(APP, { maxIdleConnections });
    const hello = Buffer.concat([Buffer.from("1603010200010001fc0303", "hex"), Buffer.alloc(300)]);
    const slow = connectTcp(there());
    const timer = setInterval(() => slow.write(hello.subarray(0, 1)), 500);
    try {
      const open = [slow, ...Array.from({ length: 249 }, () => connectTcp(there()))];
      for (const socket of open.slice(0, 125)) socket.write(hello.subarray(0, 5));
      const closed = Promise.all(open.map(closedByServer));
      await untilConnections(250);
      assert.equal(server.stats().total.idleConnections, 250);
      assert.equal(await statusOf("/healthz"), 200, "others are served");
      await untilConnections(250);
      // As many again: those that exceed the limit are closed at once.
      const more = Array.from({ length: 100 }, () => connectTcp(there()));
      const ended = more.map(closedByServer);
      // Each shard may see one connection less than there are.
      await untilRefused(49);
      for (const socket of more) socket.destroy();
      await Promise.all(ended);
      await closed;
    } finally {
      clearInterval(timer);
    }
    await untilConnections(0);
    assert.equal(await statusOf("/healthz"), 200);
  });

  it("shows a renewed certificate after reloadTls, which restarts the shards one by one", async () => {
    await start(chatApp(1), { logLevel: "silent" });
    const talkers = await Promise.all(
      Array.from({ length: 6 }, async (_, at) => talkerTo(`t${at}`, first)),
    );
    assert.deepEqual(await server.reloadTls(), [], "nothing has changed");
    renew(files, second);
    const restarts = await server.reloadTls();
    assert.deepEqual(
      restarts.map(({ shard }) => shard),
      allShards(),
    );
    assert.equal(
      restarts.reduce((sum, { channels }) => sum + channels, 0),
      6,
    );
    const codes = await within(
      Promise.all(talkers.map(async ({ closed }) => closed)),
      "all closes",
    );
    assert.deepEqual([...new Set(codes)], [1012], "clients are told to reconnect");
    assert.equal((await shownNames()).length, 1);
    const one = await talkerTo("new", second);
    const other = await talkerTo("other", second);
    one.say();
    await other.hears("new", 1);
    assert.equal(server.stats().total.uncaught, 0);
  });

  it(
    "restarts only shards that have the previous certificate, and one reload at a time",
    { skip: noSecondShard },
    async () => {
      await start(chatApp(1));
      renew(files, second);
      await server.restartShard(1);
      assert.equal((await shownNames()).length, 2);
      const [one, two] = await Promise.all([server.reloadTls(), server.reloadTls()]);
      assert.deepEqual(
        one.map(({ shard }) => shard),
        [0],
      );
      assert.deepEqual(two, []);
    },
  );

  it("keeps the certificate if the new files cannot be used, for restarts too", async () => {
    const logged: string[] = [];
    const note = (_fields: object, text: string): void => void logged.push(text);
    const logger = { debug: note, info: note, warn: note, error: note };
    await start(chatApp(1), { logger, logLevel: "info" });
    const name = await shownName();
    copyFileSync(second.cert, files.cert);
    await assert.rejects(server.reloadTls(), WRONG);
    const talker = await talkerTo("a", first);
    await Promise.all(allShards().map(async (shard) => server.restartShard(shard)));
    assert.equal(await within(talker.closed, "the close"), 1012);
    assert.deepEqual(await shownNames(), [name]);
    const kept = "certificate not loaded: the previous one is kept (tlsCert, tlsKey)";
    assert.equal(logged.filter((text) => text === kept).length, 1);
    writeFileSync(files.key, "");
    await assert.rejects(server.reloadTls(), WRONG);
    renew(files, second);
    assert.equal((await server.reloadTls()).length, server.shards);
    assert.notDeepEqual(await shownNames(), [name]);
  });

  it("answers 503 over https while no shard takes connections", async () => {
    await start(chatApp(1), { shards: 1 });
    const talker = await talkerTo("a", first);
    // The shard cannot be replaced.
    app.write("export default null;");
    talker.push("exit_soon", {});
    await talker.closed;
    await within(untilStatus(503), "503");
  });

  it("drains its clients with 1012, and closes", async () => {
    await start(chatApp(1));
    const talkers = await Promise.all(
      Array.from({ length: 20 }, async (_, at) => talkerTo(`t${at}`, first)),
    );
    const { connections, cut } = await server.drain();
    assert.deepEqual({ connections, cut }, { connections: 20, cut: 0 });
    const codes = await within(
      Promise.all(talkers.map(async ({ closed }) => closed)),
      "all closes",
    );
    assert.deepEqual([...new Set(codes)], [1012]);
    await server.close();
    await assert.rejects(server.reloadTls(), { code: "SIM_ERR_SERVER_CLOSED" });
  });
});

describe("A server without a certificate", () => {
  afterEach(async () => {
    await server?.closeNow();
    app?.remove();
  });

  it("has none to reload", async () => {
    app = new AppFile(APP);
    server = await serve({
      app: app.path,
      host: "127.0.0.1",
      port: 0,
      shards: 1,
      secretKeyBase: SECRET_KEY_BASE,
      logLevel: "silent",
    });
    assert.equal(server.scheme, "http");
    await assert.rejects(server.reloadTls(), { ...WRONG, message: /^tlsCert must be set/ });
  });
});

async function talkerTo(name: string, { pem }: MadeCertificate): Promise<Talker> {
  return Talker.joinSecurely(server.port, "room:1", name, pem);
}
