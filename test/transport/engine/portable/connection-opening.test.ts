/**
 * What the portable engine does with a connection before its first request: the contract, and what is specific to it.
 *
 * Runs on: the test's thread.
 * Slow: waits until a header is too late, which takes ten seconds.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";

import { proxyHeader } from "../../../../src/server/attachment/proxy-header.ts";
import type { EngineResponse, ProxyHeaders } from "../../../../src/transport/engine/app-port.ts";
import { PortableEngine } from "../../../../src/transport/engine/portable/portable-engine.ts";
import type { TlsFiles } from "../../../../src/transport/engine/tls-files.ts";
import { Certificates, noOpenssl, type MadeCertificate } from "../../../support/certificates.ts";
import { within } from "../../../support/deadline.ts";
import { APP_OPTIONS } from "../../../support/engine.ts";
import { exchanged, requestOf, statusesOf } from "../../../support/raw-http.ts";
import {
  CLIENT,
  describeOpening,
  filesOf,
  LAST_REQUEST,
  OpeningWorld,
  untilClosed,
} from "../opening.contract.ts";

const LINE = `PROXY TCP4 ${CLIENT} 198.51.100.1 56324 443\r\n`;
const HEADER = proxyHeader(CLIENT).toString("latin1");
const OF_ANYBODY: ProxyHeaders = { versions: ["v1", "v2"], isFrom: () => true };
const UPGRADE = requestOf("GET /socket", [
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]);
const NAMED = /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n192\.0\.2\.1$/;
const UNNAMED = /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n127\.0\.0\.1$/;

const engine = new PortableEngine();

function creating(tls: TlsFiles): () => unknown {
  return () => engine.createApp({ ...APP_OPTIONS, tls });
}

describe("a connection of the portable engine, before its first request", () => {
  const world = new OpeningWorld();
  after(() => world.close());

  describeOpening(() => engine);

  describe("with a PROXY header", () => {
    it("of either version, whole or in pieces, names its client", async () => {
      const port = await world.listen(engine, { proxyHeaders: OF_ANYBODY });
      for (const header of [LINE, HEADER]) {
        assert.match(await exchanged(port, `${header}${LAST_REQUEST}`), NAMED);
        const client = world.connected(port);
        const got = untilClosed(client);
        for (const byte of Buffer.from(`${header}${LAST_REQUEST}`, "latin1")) {
          client.write(Buffer.from([byte]));
          await setImmediate();
        }
        assert.match(await got, NAMED);
      }
      await world.closed();
    });

    it("that names no client has the address of the peer", async () => {
      const port = await world.listen(engine, { proxyHeaders: OF_ANYBODY });
      assert.match(await exchanged(port, `PROXY UNKNOWN\r\n${LAST_REQUEST}`), UNNAMED);
    });

    it("may upgrade, or send a body", async () => {
      const port = await world.listen(engine, { proxyHeaders: OF_ANYBODY });
      const client = world.connected(port);
      client.write(`${LINE}${UPGRADE}`);
      const [first] = (await within(once(client, "data"), "the answer")) as [Buffer];
      assert.match(first.toString(), /^HTTP\/1\.1 101 /);
      client.destroy();
      const body = requestOf("POST /", ["Content-Length: 4", "Connection: close"], "body");
      assert.match(await exchanged(port, `${LINE}${body}`), NAMED);
    });

    it("that is not the first thing sent is a bad request", async () => {
      const port = await world.listen(engine, { proxyHeaders: OF_ANYBODY });
      for (const header of [LINE, HEADER]) {
        const twice = await exchanged(port, `${header}${header}${LAST_REQUEST}`);
        assert.deepEqual(statusesOf(twice), [400]);
        const afterAnswer = `${header}${LAST_REQUEST}`;
        const got = await exchanged(port, `${header}${requestOf("GET /")}`, { afterAnswer });
        assert.deepEqual(statusesOf(got), [200, 400]);
        const late = await exchanged(port, requestOf("GET /"), { afterAnswer });
        assert.deepEqual(statusesOf(late), [200, 400]);
      }
    });

    it("is a bad request if none is expected of the peer, or not of this version", async () => {
      const ofOthers: ProxyHeaders = { versions: ["v1", "v2"], isFrom: () => false };
      for (const [proxyHeaders, header] of [
        [undefined, LINE],
        [undefined, HEADER],
        [ofOthers, LINE],
        [ofOthers, HEADER],
        [{ versions: ["v2"], isFrom: () => true }, LINE],
        [{ versions: ["v1"], isFrom: () => true }, HEADER],
      ] as const) {
        const port = await world.listen(engine, { proxyHeaders });
        const got = await exchanged(port, `${header}${LAST_REQUEST}`);
        assert.deepEqual(statusesOf(got), [400]);
        assert.equal(world.requests, 0);
      }
    });

    it("that is invalid, or ends, is cut without an answer", async () => {
      const port = await world.listen(engine, { proxyHeaders: OF_ANYBODY });
      for (const bytes of [
        `PROXY TCP4 x\r\n${LAST_REQUEST}`,
        `PROXY ${"x".repeat(200)}`,
        `${HEADER.slice(0, 12)}\x31${HEADER.slice(13)}${LAST_REQUEST}`,
        `${HEADER.slice(0, 14)}\xff\xff`,
      ]) {
        assert.equal(await exchanged(port, bytes), "", JSON.stringify(bytes));
      }
      for (const part of ["P", "PROXY TCP4 ", HEADER.slice(0, 20), ""]) {
        assert.equal(await exchanged(port, part, { isHalfClosed: true }), "");
      }
      await world.closed();
      assert.equal(world.requests, 0);
    });

    it("that is late is cut, and one that was in time is not", async () => {
      const port = await world.listen(engine, { proxyHeaders: OF_ANYBODY });
      const early = world.connected(port);
      early.write(`${LINE}${UPGRADE}`);
      await within(once(early, "data"), "the answer");
      const clients = ["", "P", LINE.slice(0, 20), HEADER.slice(0, 20)].map((part) => {
        const client = world.connected(port);
        client.write(part, "latin1");
        return client;
      });
      const begun = performance.now();
      const got = await Promise.all(clients.map(async (client) => untilClosed(client, 20_000)));
      assert.deepEqual(got, ["", "", "", ""]);
      assert.ok(performance.now() - begun > 9_000);
      assert.equal(early.readyState, "open");
    });

    it("is not read before the connection is resumed", async () => {
      const paused: EngineResponse[] = [];
      const port = await world.listen(engine, { proxyHeaders: OF_ANYBODY }, (response) => {
        if (paused.push(response) === 1) response.pause();
      });
      const first = world.connected(port);
      first.write(`${LINE}${LAST_REQUEST}`);
      const got = untilClosed(first);
      await world.opened(1);
      assert.match(await exchanged(port, `${LINE}${LAST_REQUEST}`), NAMED);
      assert.equal(world.requests, 1);
      paused[0]?.resume();
      assert.match(await got, NAMED);
    });
  });

  describe("with a certificate", { skip: noOpenssl }, () => {
    let made: Certificates;
    let certificate: MadeCertificate;
    before(() => {
      made = new Certificates();
      certificate = made.make();
    });
    after(() => made.remove());

    it("takes a PROXY header in front of the handshake, and none behind it", async () => {
      const tls = filesOf(certificate);
      const port = await world.listen(engine, { tls, proxyHeaders: OF_ANYBODY });
      const named = world.connected(port);
      named.write(HEADER, "latin1");
      const client = world.secured(named, certificate);
      client.write(LAST_REQUEST);
      assert.match(await untilClosed(client), NAMED);
      const without = world.secured(world.connected(port), certificate);
      without.write(LAST_REQUEST);
      assert.match(await untilClosed(without), UNNAMED);
      const behind = world.secured(world.connected(port), certificate);
      behind.write(`${LINE}${LAST_REQUEST}`);
      assert.deepEqual(statusesOf(await untilClosed(behind)), [400]);
      await world.closed();
    });

    it("offers HTTP/1.1 only", async () => {
      const port = await world.listen(engine, { tls: filesOf(certificate) });
      const client = world.secured(world.connected(port), certificate, ["h2", "http/1.1"]);
      await within(once(client, "secureConnect"), "the handshake");
      assert.equal(client.alpnProtocol, "http/1.1");
      client.destroy();
    });

    it("is refused files that are no certificate and key, and others than were checked", () => {
      const files = made.make();
      const other = made.make();
      const mixed = filesOf({ ...files, key: other.key });
      assert.throws(creating(mixed), { code: "SIM_ERR_TLS", message: /must be a certificate and/ });
      const wanted = filesOf(files);
      writeFileSync(files.cert, "");
      assert.throws(creating(wanted), { code: "SIM_ERR_TLS", message: /must not change/ });
      assert.throws(creating(filesOf(files)), { code: "SIM_ERR_TLS", message: /must be a/ });
    });
  });
});
