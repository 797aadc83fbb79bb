/**
 * The configuration of nginx in the deployment guide, with a real nginx in front of a server.
 *
 * Runs on: the test's thread, which is also the server's main thread; nginx is a process of its own.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, describe, it } from "node:test";

import { LongPoll, type Socket, type SocketOptions } from "phoenix";
import { WebSocket } from "ws";

import { OPTIONS } from "../../src/options/options.ts";
import { noNginx, TestNginx } from "../support/nginx.ts";
import { connectPhoenix, disconnect, join, push } from "../support/phoenix-client.ts";
import { freePort, startServer, type Server } from "../support/server.ts";

const GUIDE = readFileSync(
  new URL("../../../test/examples/deploy/nginx.conf", import.meta.url),
  "utf8",
);
const HOST = "chat.example.com";
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
    assert.deepEqual(await join(room), { "x-forwarded-for": `${CLAIMED}, 127.0.0.1` });
    assert.deepEqual(await push(room, "echo", { text: "hi" }), { text: "hi" });
  });

  it("forwards long-poll and routes", async () => {
    const room = (await page({ transport: LongPoll })).channel("room:1");
    assert.deepEqual(await join(room), { "x-forwarded-for": "127.0.0.1" });
    assert.deepEqual(await push(room, "echo", { text: "hi" }), { text: "hi" });
    const { status } = await fetch(`http://127.0.0.1:${port}/healthz`);
    assert.equal(status, 200);
  });

  it("lets the server close idle clients", () => {
    const [, seconds] = /proxy_read_timeout (\d+)s;/.exec(GUIDE) ?? [];
    assert.ok(Number(seconds) * 1_000 > OPTIONS.idleTimeoutMs.default, seconds);
  });
});
