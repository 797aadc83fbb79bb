/**
 * A page in a real browser and a real psql, which talk in one channel.
 *
 * Runs on: the test's thread, which is also the server's main thread; PostgreSQL, psql and Chromium are processes of
 *          their own.
 * Slow: it starts a database and a browser.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { noBrowser, startBrowser, type Browser } from "../support/browser.ts";
import { noPostgres, TestPostgres } from "../support/postgres.ts";
import { Psql } from "../support/psql.ts";
import { startServer, type Server } from "../support/server.ts";

/** What a loaded machine may take for a step of the page. */
const STEP_MS = 30_000;

async function officialClient(): Promise<string> {
  const built = await build({
    stdin: {
      contents: `import { Socket } from "phoenix"; globalThis.Socket = Socket;`,
      resolveDir: fileURLToPath(new URL(".", import.meta.url)),
    },
    bundle: true,
    format: "iife",
    platform: "browser",
    write: false,
  });
  return built.outputFiles[0]?.text ?? "";
}

describe("A page in Chromium and a program in psql", { skip: noBrowser || noPostgres }, () => {
  let postgres: TestPostgres;
  let server: Server;
  let browser: Browser;
  let psql: Psql | undefined;
  before(async () => {
    postgres = await TestPostgres.installed(["ann"]);
    process.env["POSTGRES_OPTIONS"] = JSON.stringify({ url: postgres.url() });
    server = await startServer("postgres", { shards: 2 });
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.close();
    await psql?.end();
    await server?.close();
    await postgres?.remove();
  });

  it("hear each other in one channel", async () => {
    const profile = await browser.newContext();
    const page = await profile.newPage();
    page.setDefaultTimeout(STEP_MS);
    await page.goto(`http://localhost:${server.port}/page`);
    await page.evaluate(await officialClient());
    await page.evaluate(`
      globalThis.heard = [];
      const socket = new Socket("/socket", { params: { user: "eve" } });
      socket.connect();
      globalThis.room = socket.channel("room:lobby");
      room.on("said", ({ from, text }) => heard.push(from + ": " + text));
      room.join().receive("ok", () => { globalThis.isJoined = true; });
    `);
    await page.waitForFunction("globalThis.isJoined");

    psql = new Psql(postgres.url("ann"));
    const [id = ""] = await psql.type("SELECT simurgh.open('/socket')");
    await psql.type(`INSERT INTO simurgh.inbox (session, join_ref, ref, topic, event, payload) VALUES
      ('${id}', '1', '1', 'room:lobby', 'phx_join', '{}'),
      ('${id}', '1', '2', 'room:lobby', 'say', '{"text": "hello from SQL"}')`);
    await page.waitForFunction("heard.length === 1");
    await page.evaluate(`room.push("say", { text: "hello from a page" })`);
    await page.waitForFunction("heard.length === 2");
    assert.deepEqual(await page.evaluate("heard"), [
      "ann: hello from SQL",
      "eve: hello from a page",
    ]);

    const said: string[] = [];
    while (said.length < 2) {
      const taken = await psql.typeUntilAnswered(
        `SELECT payload FROM simurgh.take('${id}') WHERE event = 'said'`,
      );
      said.push(...taken);
    }
    assert.deepEqual(said, [
      '{"from": "ann", "text": "hello from SQL"}',
      '{"from": "eve", "text": "hello from a page"}',
    ]);
    await page.close();
    await profile.close();
  });
});
