/**
 * The example of a page that follows topics without a library, in a real browser.
 *
 * Runs on: the test's thread, which is also the server's main thread; Chromium is a process of its own.
 * Slow: it starts a browser.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { serve } from "../../src/index.ts";
import { noBrowser, startBrowser, type Browser } from "../support/browser.ts";
import { restartShards, type Server } from "../support/server.ts";
import { TornProxy } from "../support/torn-proxy.ts";

describe("the example of an EventSource", { skip: noBrowser }, () => {
  let server: Server;
  let proxy: TornProxy;
  let browser: Browser;
  before(async () => {
    server = await serve({
      app: new URL("./event-source/app.js", import.meta.url),
      host: "127.0.0.1",
      port: 0,
      shards: 2,
      logLevel: "silent",
    });
    proxy = await TornProxy.start(server.port);
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.close();
    proxy?.close();
    await server?.close();
  });

  it("shows each headline once, also those that come while it is away", async () => {
    const page = await (await browser.newContext()).newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(`http://127.0.0.1:${proxy.port}/`);
    await page.waitForFunction("source.readyState === EventSource.OPEN");
    const shown = `document.querySelector("#news").innerText.split("\\n").filter(Boolean)`;
    const lines: string[] = [];
    const publish = async (topic: string): Promise<void> => {
      const text = `headline ${lines.length}`;
      const url = `http://127.0.0.1:${server.port}/news/${topic}`;
      const { status } = await fetch(url, { method: "POST", body: text });
      assert.equal(status, 202);
      lines.push(`news:${topic}: ${text}`);
      await page.waitForFunction(`${shown}.length >= ${lines.length}`);
    };
    for (const topic of ["world", "sports", "world"]) await publish(topic);
    proxy.tear();
    await publish("sports");
    await restartShards(server);
    await publish("world");
    assert.deepEqual(await page.evaluate(shown), lines);
    assert.deepEqual(errors, []);
  });
});
