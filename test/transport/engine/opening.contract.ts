/**
 * What each engine's app must do with a connection before its first request: PROXY headers and TLS. The tests of both
 * engines run it.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { connect as connectTls, type TLSSocket } from "node:tls";

import { WebSocket } from "ws";

import { proxyHeader } from "../../../src/server/attachment/proxy-header.ts";
import type {
  AppOptions,
  EngineApp,
  EngineBehavior,
  EngineResponse,
} from "../../../src/transport/engine/app-port.ts";
import type { Engine } from "../../../src/transport/engine/engine-port.ts";
import { digestOf, type TlsFiles } from "../../../src/transport/engine/tls-files.ts";
import { Certificates, noOpenssl, type MadeCertificate } from "../../support/certificates.ts";
import { within } from "../../support/deadline.ts";
import { APP_OPTIONS, webSocketPath } from "../../support/engine.ts";
import { exchanged, requestOf, statusesOf } from "../../support/raw-http.ts";

export type OpeningEngine = Pick<Engine, "createApp" | "listen" | "uncompressed">;

export const CLIENT = "192.0.2.1";
export const LAST_REQUEST: string = requestOf("GET /", ["Connection: close"]);

/** Answers a message with ten of the same. */
const tenfold: EngineBehavior["message"] = (ws, bytes) => {
  for (let count = 0; count < 10; count += 1) ws.send(bytes, true);
};

/** The last of several apps, each of which answers with the address of the client, and clients. */
export class OpeningWorld {
  readonly #apps: EngineApp[] = [];
  readonly #clients: Socket[] = [];
  /** What the filter was told: 1 for an opened connection, -1 for a closed one. */
  changes: readonly number[] = [];
  /** The number of requests. */
  requests = 0;

  async listen(
    engine: OpeningEngine,
    options: Partial<AppOptions>,
    onOpened: (response: EngineResponse) => void = () => {},
  ): Promise<number> {
    const app = engine.createApp({ ...APP_OPTIONS, ...options });
    this.#apps.push(app);
    const changes: number[] = [];
    this.changes = changes;
    this.requests = 0;
    app.filter((response, change) => {
      changes.push(Math.sign(change));
      if (change > 0) onOpened(response);
    });
    app.ws("/socket", webSocketPath(engine, { message: tenfold }));
    app.any("/*", (response) => {
      this.requests += 1;
      const proxied = Buffer.from(response.getProxiedRemoteAddressAsText()).toString();
      response.end(proxied || Buffer.from(response.getRemoteAddressAsText()).toString());
    });
    return engine.listen(app, "127.0.0.1", 0);
  }

  connected(port: number): Socket {
    const client = connect({ port, host: "127.0.0.1", noDelay: true });
    client.on("error", () => {});
    this.#clients.push(client);
    return client;
  }

  /** Makes a handshake over a connection. */
  secured(socket: Socket, { pem }: MadeCertificate, protocols?: string[]): TLSSocket {
    const ALPNProtocols = protocols ?? ["http/1.1"];
    const secured = connectTls({ socket, ca: pem, servername: "localhost", ALPNProtocols });
    secured.on("error", () => {});
    return secured;
  }

  async opened(count: number): Promise<void> {
    await this.#until(() => this.changes.filter((change) => change > 0).length === count);
  }

  /** Waits until all connections are closed. */
  async closed(): Promise<void> {
    await this.#until(() => this.changes.reduce((sum, change) => sum + change, 0) === 0);
  }

  closeApp(): void {
    this.#apps.at(-1)?.close();
  }

  close(): void {
    for (const client of this.#clients) client.destroy();
    for (const app of this.#apps) app.close();
  }

  async #until(isTrue: () => boolean): Promise<void> {
    const reached = async (): Promise<void> => {
      while (!isTrue()) await setImmediate();
    };
    await within(reached(), "the filter");
  }
}

/** Returns all that a server sends on a connection until it is closed, as latin1. */
export async function untilClosed(socket: Socket, deadlineMs?: number): Promise<string> {
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => pieces.push(piece));
  const closed = new Promise((resolve) => void socket.once("close", resolve));
  await within(closed, "the end of a connection", deadlineMs);
  return Buffer.concat(pieces).toString("latin1");
}

export function filesOf({ cert, key }: MadeCertificate): TlsFiles {
  return { cert, key, digest: digestOf(readFileSync(cert), readFileSync(key)) };
}

/** Describes what an engine's app does before the first request of a connection. */
export function describeOpening(engine: () => OpeningEngine): void {
  const world = new OpeningWorld();
  after(() => world.close());

  it("a PROXY header of version 2 names the client of all requests that follow", async () => {
    const port = await world.listen(engine(), {
      proxyHeaders: { versions: ["v2"], isFrom: (address) => address === "127.0.0.1" },
    });
    const header = proxyHeader(CLIENT).toString("latin1");
    const got = await exchanged(port, `${header}${requestOf("GET /")}${LAST_REQUEST}`);
    assert.deepEqual(statusesOf(got), [200, 200]);
    assert.equal(got.match(new RegExp(CLIENT, "g"))?.length, 2);
    assert.match(await exchanged(port, LAST_REQUEST), /\r\n\r\n127\.0\.0\.1$/, "without one");
  });

  describe("with a certificate", { skip: noOpenssl }, () => {
    let made: Certificates;
    let certificate: MadeCertificate;
    before(() => {
      made = new Certificates();
      certificate = made.make();
    });
    after(() => made.remove());

    async function listening(onOpened?: (response: EngineResponse) => void): Promise<number> {
      return world.listen(engine(), { tls: filesOf(certificate) }, onOpened);
    }

    it("requests are answered", async () => {
      const port = await listening();
      const client = world.secured(world.connected(port), certificate);
      client.write(LAST_REQUEST);
      assert.match(await untilClosed(client), /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n127\.0\.0\.1$/);
      await world.closed();
    });

    it("the filter is called when a connection opens, before the handshake, and when it ends", async () => {
      const port = await listening();
      const silent = world.connected(port);
      await world.opened(1);
      assert.deepEqual(world.changes, [1]);
      const half = world.connected(port);
      half.write(Buffer.from("1603010200010001fc0303", "hex"));
      await world.opened(2);
      for (const client of [silent, half]) client.destroy();
      await world.closed();
    });

    it("a connection that the filter closes gets no handshake", async () => {
      const port = await listening((response) => void response.close());
      const client = world.connected(port);
      client.write(Buffer.from("1603010200010001fc0303", "hex"));
      assert.equal(await untilClosed(client), "");
      assert.deepEqual(world.changes, [1, -1]);
    });

    it("a paused connection is not read before it is resumed", async () => {
      const paused: EngineResponse[] = [];
      const port = await listening((response) => {
        response.onAborted(() => {});
        if (paused.push(response) === 1) response.pause();
      });
      const first = world.secured(world.connected(port), certificate);
      await world.opened(1);
      let isFirstSecure = false;
      first.once("secureConnect", () => {
        isFirstSecure = true;
      });
      const second = world.secured(world.connected(port), certificate);
      await within(once(second, "secureConnect"), "the handshake of another one");
      assert.equal(isFirstSecure, false);
      paused[0]?.resume();
      first.write(LAST_REQUEST);
      assert.match(await untilClosed(first), /^HTTP\/1\.1 200 /);
    });

    it("a request without TLS is not answered", async () => {
      const port = await listening();
      assert.doesNotMatch(await exchanged(port, LAST_REQUEST), /HTTP/);
      assert.equal(world.requests, 0);
      await world.closed();
    });

    it("a client that goes away during the handshake or after it costs nobody else anything", async () => {
      const port = await listening();
      const half = world.connected(port);
      await within(once(half, "connect"), "a connection");
      half.resetAndDestroy();
      const whole = world.secured(world.connected(port), certificate);
      await within(once(whole, "secureConnect"), "the handshake");
      whole.destroy();
      const cut = world.connected(port);
      const secured = world.secured(cut, certificate);
      await within(once(secured, "secureConnect"), "the handshake");
      // Not a record of TLS.
      cut.write("garbage garbage garbage");
      await untilClosed(cut);
      await world.closed();
    });

    it("a connection that renegotiates is closed, before its first request and after it", async () => {
      const port = await listening();
      for (const requests of [0, 1]) {
        const { pem: ca } = certificate;
        const to = { socket: world.connected(port), ca, servername: "localhost" };
        const client = connectTls({ ...to, maxVersion: "TLSv1.2" });
        client.on("error", () => {});
        await within(once(client, "secureConnect"), "the handshake");
        if (requests > 0) {
          client.write(requestOf("GET /"));
          await within(once(client, "data"), "an answer");
        }
        const ended = untilClosed(client, 5_000);
        client.renegotiate({}, () => undefined);
        await ended;
      }
      await world.closed();
    });

    it("what is sent to a WebSocket in one turn arrives in one record", async () => {
      const port = await listening();
      const socket = world.secured(world.connected(port), certificate);
      const ws = new WebSocket(`wss://127.0.0.1:${port}/socket`, {
        createConnection: () => socket,
        perMessageDeflate: false,
      });
      await within(once(ws, "open"), "a WebSocket");
      const records: number[] = [];
      socket.on("data", (piece: Buffer) => records.push(piece.length));
      let count = 0;
      const all = new Promise<void>((resolve) => {
        ws.on("message", () => {
          count += 1;
          if (count === 10) resolve();
        });
      });
      ws.send("0123456789");
      await within(all, "the messages");
      assert.deepEqual(records, [120]);
      ws.terminate();
    });

    it("an app that is closed ends handshakes", async () => {
      const port = await listening();
      const half = world.connected(port);
      half.write(Buffer.from("1603010200010001fc0303", "hex"));
      await world.opened(1);
      const ended = untilClosed(half);
      world.closeApp();
      assert.equal(await ended, "");
    });
  });
}
