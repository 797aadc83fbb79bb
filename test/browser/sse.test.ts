/**
 * Server-sent events in a real browser: `EventSource` without any library, and the official client over `SseTransport`,
 * both through a real nginx.
 *
 * Runs on: the test's thread, which is also the server's main thread; nginx and Chromium are processes of their own.
 * Slow: it starts a browser, and restarts shards.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { noBrowser, startBrowser, type Browser, type Page } from "../support/browser.ts";
import { upTo } from "../support/heard.ts";
import { noNginx, TestNginx } from "../support/nginx.ts";
import { freePort, restartShards, startServer, type Server } from "../support/server.ts";
import { TornProxy } from "../support/torn-proxy.ts";

/** What a loaded machine may take for a step of the page. */
const STEP_MS = 30_000;

/** As nginx comes, except for HTTP/1.1 to the server, which it needs. */
function nginxTo(port: number, target: number): string {
  return `server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${target};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
    }
  }`;
}

/** Collects what an `EventSource` says. */
const LISTEN = `
  globalThis.heard = {};
  globalThis.joins = [];
  globalThis.opens = 0;
  globalThis.listen = (url) => {
    const source = new EventSource(url);
    source.onopen = () => { opens += 1; };
    source.onmessage = ({ data }) => {
      const { topic, event, payload, recovered } = JSON.parse(data);
      if (event === "phx_reply") joins.push([topic, payload.status, recovered]);
      else if (event === "said") (heard[topic] ??= []).push(payload.n);
    };
  };
`;

describe("Server-sent events in Chromium, through nginx", { skip: noBrowser || noNginx }, () => {
  let server: Server;
  let proxy: TornProxy;
  let nginx: TestNginx;
  let browser: Browser;
  let url = "";
  let client = "";
  before(async () => {
    server = await startServer("streams", { shards: 2 });
    proxy = await TornProxy.start(server.port);
    const port = await freePort();
    nginx = new TestNginx(nginxTo(port, proxy.port));
    await nginx.start();
    url = `http://127.0.0.1:${port}`;
    browser = await startBrowser();
    const built = await build({
      stdin: {
        contents: `
          import { Socket } from "phoenix";
          import { Client, SseTransport } from "simurgh/client";
          Object.assign(globalThis, { Socket, Client, SseTransport });
        `,
        resolveDir: fileURLToPath(new URL(".", import.meta.url)),
      },
      bundle: true,
      format: "iife",
      platform: "browser",
      write: false,
    });
    client = built.outputFiles[0]?.text ?? "";
  });
  after(async () => {
    await browser?.close();
    await nginx?.end();
    proxy?.close();
    await server?.close();
  });

  async function page(script: string): Promise<Page> {
    const tab = await (await browser.newContext()).newPage();
    tab.setDefaultTimeout(STEP_MS);
    await tab.goto(`${url}/page`);
    await tab.evaluate(script);
    return tab;
  }

  it("EventSource misses and doubles nothing while connections are cut and shards restarted", async () => {
    const tab = await page(LISTEN);
    const topics = ["long:one", "long:two"];
    const query = topics.map((topic) => `topic=${topic}`).join("&");
    await tab.evaluate(`listen("/brief/sse?${query}")`);
    await tab.waitForFunction("joins.length >= 2");
    for (let n = 1; n <= 120; n += 1) {
      for (const topic of topics) await server.publish(topic, "said", { n });
      if (n % 10 === 0) {
        await tab.waitForFunction(`(heard["long:two"] ?? []).length >= ${n - 5}`);
        proxy.tear();
      }
      if (n === 40 || n === 80) await restartShards(server);
    }
    await tab.waitForFunction('heard["long:one"].length >= 120 && heard["long:two"].length >= 120');
    const heard = (await tab.evaluate("heard")) as Record<string, number[]>;
    for (const topic of topics) assert.deepEqual(heard[topic], upTo(120), topic);
    const joins = (await tab.evaluate("joins")) as unknown[][];
    for (const [, status, recovered] of joins) assert.deepEqual([status, recovered], ["ok", true]);
    assert.ok(((await tab.evaluate("opens")) as number) > 5);
    await tab.close();
  });

  it("pages of other origins get what allowed pages get", async () => {
    const tab = await page(`${LISTEN}\n${client}`);
    const other = `127.0.0.1:${proxy.port}`;
    await tab.evaluate(`
      listen("http://${other}/socket/sse?topic=long:cross");
      globalThis.socket = new Socket("ws://${other}/socket", { transport: SseTransport });
      socket.connect();
      globalThis.channel = new Client(socket).channel("room:cross");
    `);
    await tab.waitForFunction("joins.length >= 1");
    await tab.evaluate("channel.join()");
    assert.deepEqual(await tab.evaluate('channel.request("echo", { n: 1 })'), { n: 1 });
    proxy.tear();
    assert.deepEqual(await tab.evaluate('channel.request("echo", { n: 2 })'), { n: 2 });
    await server.publish("long:cross", "said", { n: 1 });
    await tab.waitForFunction('(heard["long:cross"] ?? []).length === 1');
    await tab.close();
  });

  it("the official client falls back from server-sent events to long-poll, and returns", async () => {
    const tab = await page(client);
    proxy.blocked = "/sse?";
    await tab.evaluate(`
      globalThis.heard = [];
      globalThis.recoveries = [];
      globalThis.socket = new Socket("/socket", {
        transport: SseTransport,
        longPollFallbackMs: 5000,
        reconnectAfterMs: () => 20,
        rejoinAfterMs: () => 20,
      });
      const channel = new Client(socket).channel("long:three");
      channel.on("said", ({ n }) => heard.push(n));
      channel.onRecovered(({ recovered }) => recoveries.push(recovered));
      globalThis.joined = channel.join();
      socket.connect();
    `);
    await tab.evaluate("joined");
    assert.equal(await tab.evaluate("socket.transport === socket.getLongPollTransport()"), true);
    for (let n = 1; n <= 10; n += 1) await server.publish("long:three", "said", { n });
    await tab.waitForFunction("heard.length >= 10");

    proxy.blocked = undefined;
    await tab.evaluate(`
      sessionStorage.clear();
      socket.replaceTransport(SseTransport);
      socket.connect();
    `);
    for (let n = 11; n <= 40; n += 1) await server.publish("long:three", "said", { n });
    await tab.waitForFunction("recoveries.length >= 2 && heard.length >= 40");
    for (let n = 41; n <= 100; n += 1) {
      await server.publish("long:three", "said", { n });
      if (n % 20 === 0) proxy.tear();
    }
    await tab.waitForFunction("heard.length >= 100");
    assert.deepEqual(await tab.evaluate("heard"), upTo(100));
    assert.deepEqual(await tab.evaluate("recoveries"), [true, true]);
    assert.equal(await tab.evaluate('socket.conn.constructor.name.includes("SseTransport")'), true);
    await tab.close();
  });
});
