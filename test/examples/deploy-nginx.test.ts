/**
 * The configuration of nginx in the deployment guide, with a real nginx in front of a server.
 *
 * Runs on: the test's thread, which is also the server's main thread; nginx is a process of its own.
 */

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";

import { LongPoll, type Socket, type SocketOptions } from "phoenix";
import { WebSocket } from "ws";

import { OPTIONS } from "../../src/options/options.ts";
import { within } from "../support/deadline.ts";
import { noNginx, TestNginx } from "../support/nginx.ts";
import { connectPhoenix, disconnect, join, push } from "../support/phoenix-client.ts";
import { freePort, startServer, type Server } from "../support/server.ts";

const GUIDE = readFileSync(
  new URL("../../../test/examples/deploy/nginx.conf", import.meta.url),
  "utf8",
);
const HOST = "chat.example.com";
const SELF_SIGNED =
  "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=chat".split(" ");
const noOpenssl = spawnSync("openssl", ["version"]).status === 0 ? false : "openssl is missing";
/** An address that a client claims to have. */
const CLAIMED = "203.0.113.9";

/** A browser's WebSocket of a page on this host. */
class OfPage extends WebSocket {
  constructor(url: string) {
    super(url, { headers: { Host: HOST, Origin: `http://${HOST}`, "X-Forwarded-For": CLAIMED } });
  }
}

describe("the nginx of the deployment guide", { skip: noNginx }, () => {
  let server: Server;
  let nginx: TestNginx;
  let port = 0;
  let sockets: Socket[] = [];
  before(async () => {
    server = await startServer("proxied", { shards: 2 });
    port = await freePort();
    nginx = new TestNginx(
      GUIDE.replace("listen 80;", `listen 127.0.0.1:${port};`).replaceAll(
        "127.0.0.1:4000",
        `127.0.0.1:${server.port}`,
      ),
    );
    await nginx.start();
  });
  after(async () => {
    await nginx.end();
    await server.close();
  });
  afterEach(async () => {
    await Promise.all(sockets.map(disconnect));
    sockets = [];
  });

  async function page(options: Partial<SocketOptions>): Promise<Socket> {
    const socket = await connectPhoenix(port, {}, options);
    sockets.push(socket);
    return socket;
  }

  it("has a configuration that nginx accepts without a complaint", () => {
    const { code, said } = nginx.check();
    assert.equal(code, 0, said);
    assert.doesNotMatch(said, /\[(?:warn|error|emerg)\]/);
  });

  it("forwards WebSockets of the app's pages, and says whose they are", async () => {
    const room = (await page({ transport: OfPage })).channel("room:1");
    assert.deepEqual(await join(room), {
      "x-forwarded-for": `${CLAIMED}, 127.0.0.1`,
      "x-forwarded-proto": "http",
      client: "http 127.0.0.1",
    });
    assert.deepEqual(await push(room, "echo", { text: "hi" }), { text: "hi" });
  });

  it("forwards long-poll and routes", async () => {
    const room = (await page({ transport: LongPoll })).channel("room:1");
    assert.deepEqual(await join(room), {
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "http",
      client: "http 127.0.0.1",
    });
    assert.deepEqual(await push(room, "echo", { text: "hi" }), { text: "hi" });
    const { status } = await fetch(`http://127.0.0.1:${port}/healthz`);
    assert.equal(status, 200);
  });

  it(
    "terminates TLS, so that pages of the same host may connect",
    { skip: noOpenssl },
    async () => {
      const folder = mkdtempSync(joinPath(tmpdir(), "simurgh-nginx-tls-"));
      const [key, certificate] = [joinPath(folder, "key.pem"), joinPath(folder, "cert.pem")];
      const words = [...SELF_SIGNED, "-keyout", key, "-out", certificate];
      execFileSync("openssl", words, { stdio: "ignore" });
      const tlsPort = await freePort();
      const tls = new TestNginx(
        GUIDE.replace(
          "listen 80;",
          `listen 127.0.0.1:${tlsPort} ssl; ssl_certificate ${certificate}; ssl_certificate_key ${key};`,
        ).replaceAll("127.0.0.1:4000", `127.0.0.1:${server.port}`),
      );
      await tls.start();
      try {
        const url = `wss://127.0.0.1:${tlsPort}/socket/websocket?vsn=2.0.0`;
        const statusOf = async (origin: string): Promise<number | undefined> => {
          const headers = { Host: HOST, Origin: origin, "X-Forwarded-Proto": "http" };
          const socket = new WebSocket(url, { headers, rejectUnauthorized: false });
          socket.on("error", () => undefined);
          const opened = once(socket, "upgrade");
          const refused = once(socket, "unexpected-response").then((given) => given.slice(1));
          const [answer] = (await within(Promise.race([opened, refused]), "an answer")) as [
            IncomingMessage,
          ];
          socket.terminate();
          return answer.statusCode;
        };
        assert.equal(await statusOf(`https://${HOST}`), 101);
        assert.equal(await statusOf(`http://${HOST}`), 403);
        assert.equal(await statusOf("https://evil.example"), 403);
      } finally {
        await tls.end();
        rmSync(folder, { recursive: true });
      }
    },
  );

  it("lets the server close idle clients", () => {
    const [, seconds] = /proxy_read_timeout (\d+)s;/.exec(GUIDE) ?? [];
    assert.ok(Number(seconds) * 1_000 > OPTIONS.idleTimeoutMs.default, seconds);
  });
});
