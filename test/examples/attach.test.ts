/**
 * The examples of sockets on the port of another server: Express, Fastify, and Vite in middleware mode.
 *
 * Runs on: the test's thread; the applications and Chromium are processes of their own.
 * Slow: it starts a browser and several servers.
 */

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { after, afterEach, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { LongPoll } from "phoenix";
import { WebSocket } from "ws";

import { noBrowser, startBrowser, type Browser } from "../support/browser.ts";
import { within } from "../support/deadline.ts";
import { connectPhoenix, disconnect, join, received } from "../support/phoenix-client.ts";
import { freePort } from "../support/server.ts";

/** The folder of the page that Vite serves. */
const PAGE = new URL("./attach/page/", import.meta.url);

/** A running application. */
interface Application {
  readonly process: ChildProcess;
  readonly port: number;
}

/** Makes `localhost` two addresses, as on most machines. */
const TWO_ADDRESSES = `import dns from "node:dns";
  const { lookup } = dns;
  dns.lookup = (name, options, done) => name === "localhost" && options?.all
    ? done(null, [{ address: "127.0.0.1", family: 4 }, { address: "::1", family: 6 }])
    : lookup(name, options, done);`;

async function started(
  framework: string,
  port = 0,
  flags: readonly string[] = [],
): Promise<Application> {
  const main = fileURLToPath(new URL(`./attach/${framework}.js`, import.meta.url));
  const env = {
    ...process.env,
    PORT: String(port),
    // The applications listen on localhost, which is the address of the test then.
    NODE_OPTIONS: "--dns-result-order=ipv4first",
    SIMURGH_SHARDS: "2",
    SIMURGH_LOG_LEVEL: "error",
  };
  const cwd = fileURLToPath(PAGE);
  const words = [...flags, main];
  const child = spawn(process.execPath, words, { cwd, env, stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await within(once(child.stdout, "data"), `the line of ${framework}`)) as [Buffer];
  const found = /^http:\/\/(?:localhost|127\.0\.0\.1):(\d+)\n$/.exec(String(line));
  assert.ok(found, String(line));
  return { process: child, port: Number(found[1]) };
}

async function stopped({ process: child }: Application): Promise<void> {
  child.kill("SIGTERM");
  const [code] = (await within(once(child, "exit"), "its end")) as [number];
  assert.equal(code, 0);
}

const PAGES = {
  express: ["/", /^a page of Express$/],
  fastify: ["/", /^a page of Fastify$/],
  vite: ["/", /<script type="module" src="\/@vite\/client"><\/script>/],
} as const;

for (const [framework, [path, page]] of Object.entries(PAGES)) {
  describe(`sockets on the port of ${framework}`, () => {
    let application: Application;
    before(async () => {
      application = await started(framework);
    });
    after(async () => stopped(application));

    it("serve the official client over WebSocket and long-poll, and leave the pages as they are", async () => {
      const { port } = application;
      const clients = await Promise.all([
        connectPhoenix(port, { name: "ann" }),
        connectPhoenix(port, { name: "bob" }, { transport: LongPoll }),
      ]);
      const rooms = clients.map((client) => client.channel("room:1"));
      const greetings = await Promise.all(rooms.map(join));
      assert.deepEqual(greetings, [
        { hello: "ann", address: "127.0.0.1" },
        { hello: "bob", address: "127.0.0.1" },
      ]);
      const said = Promise.all(rooms.map((room) => received(room, "said")));
      rooms[1]?.push("say", { text: "hello" });
      const heard = { by: "bob", payload: { text: "hello" } };
      assert.deepEqual(await said, [heard, heard]);
      const answer = await fetch(`http://127.0.0.1:${port}${path}`);
      assert.equal(answer.status, 200);
      assert.match(await answer.text(), page);
      await Promise.all(clients.map(disconnect));
    });
  });
}

describe("sockets on the port of fastify, where localhost has two addresses", () => {
  it("serve long-polls on each of those that it listens on", async () => {
    const flags = ["--import", `data:text/javascript,${encodeURIComponent(TWO_ADDRESSES)}`];
    const application = await started("fastify", 0, flags);
    const statuses: (number | undefined)[] = [];
    for (const host of ["127.0.0.1", "[::1]"]) {
      const asked = fetch(`http://${host}:${application.port}/socket/longpoll?vsn=2.0.0`);
      statuses.push(
        await asked.then(
          ({ status }) => status,
          () => undefined,
        ),
      );
    }
    await stopped(application);
    assert.deepEqual(statuses, [200, undefined]);
  });
});

describe("a page of Vite, an API and sockets on one port", { skip: noBrowser }, () => {
  let browser: Browser;
  let application: Application | undefined;
  before(async () => {
    browser = await startBrowser();
  });
  afterEach(async () => {
    if (application) await stopped(application);
  });
  after(async () => browser.close());

  it("work in Chromium, before and after a restart of the server", async () => {
    const port = await freePort();
    application = await started("vite", port);
    const profile = await browser.newContext();
    const page = await profile.newPage();
    const logged: string[] = [];
    page.on("console", (message) => logged.push(message.text()));
    page.setDefaultTimeout(30_000);
    await page.goto(`http://localhost:${port}/`);
    const works = async (text: string): Promise<void> => {
      await page.waitForFunction(
        `document.querySelector("#state").textContent === "joined as the page"`,
      );
      await page.waitForFunction(
        `document.querySelector("#time").textContent === "the API answers"`,
      );
      await page.locator("input").fill(text);
      await page.locator("input").press("Enter");
      await page.locator("li", { hasText: `the page: ${text}` }).waitFor();
    };
    await works("before");
    assert.ok(logged.includes("[vite] connected."), logged.join("\n"));
    await stopped(application);
    await page.waitForFunction(`document.querySelector("#state").textContent === "connecting"`);
    application = await started("vite", port);
    // Vite loads the page again when it finds its server, which may be after the client has reconnected.
    await page.waitForFunction(`document.querySelector("li") === null`);
    await works("after");
    await profile.close();
  });

  it("have the hot updates of Vite on the same port", async () => {
    application = await started("vite");
    const { port } = application;
    const page = await fetch(`http://127.0.0.1:${port}/@vite/client`);
    const [, token = ""] = /wsToken = "([^"]+)"/.exec(await page.text()) ?? [];
    const updates = new WebSocket(`ws://127.0.0.1:${port}/?token=${token}`, "vite-hmr");
    const [message] = (await within(once(updates, "message"), "Vite's greeting")) as [Buffer];
    assert.deepEqual(JSON.parse(message.toString()), { type: "connected" });
    updates.terminate();
  });
});
