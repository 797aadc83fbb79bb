/**
 * The examples of a job with progress, in an Express and a Fastify application.
 *
 * Runs on: the test's thread; the applications and Chromium are processes of their own.
 * Slow: it starts a browser and two servers.
 */

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { noBrowser, startBrowser } from "../support/browser.ts";
import { within } from "../support/deadline.ts";
import { Watched } from "../support/watched.ts";
import { connectPhoenix, disconnect, join } from "../support/phoenix-client.ts";

const STEPS = Array.from({ length: 50 }, (_, at) => 2 * (at + 1));

/** A running application. */
interface Application {
  readonly process: ChildProcess;
  readonly url: string;
  readonly socketPort: number;
}

async function started(framework: string): Promise<Application> {
  const main = fileURLToPath(new URL(`./jobs/${framework}.js`, import.meta.url));
  const env = {
    ...process.env,
    ITERATIONS: "5000",
    PORT: "0",
    SIMURGH_HOST: "127.0.0.1",
    SIMURGH_PORT: "0",
    SIMURGH_SHARDS: "2",
    SIMURGH_LOG_LEVEL: "error",
  };
  const child = spawn(process.execPath, [main], { env, stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await within(once(child.stdout, "data"), `the line of ${framework}`)) as [Buffer];
  const found = /^(http:\/\/localhost:\d+), with sockets on port (\d+)\n$/.exec(String(line));
  assert.ok(found, String(line));
  const [, url = "", socketPort] = found;
  return { process: child, url, socketPort: Number(socketPort) };
}

async function post(url: string, body: object): Promise<{ status: number; body: unknown }> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
}

for (const framework of ["express", "fastify"]) {
  describe(`a job in an application of ${framework}`, () => {
    let application: Application;
    before(async () => {
      application = await started(framework);
    });
    after(async () => {
      // In the middle of a job.
      await post(`${application.url}/jobs`, { id: randomUUID() });
      application.process.kill("SIGTERM");
      const [code] = (await within(once(application.process, "exit"), "its end")) as [number];
      assert.equal(code, 0);
    });

    it("sends each step to clients that have joined, in order, whichever shard serves them", async () => {
      const { url, socketPort } = application;
      const id = randomUUID();
      const changes = new Watched();
      const clients = await Promise.all([connectPhoenix(socketPort), connectPhoenix(socketPort)]);
      const seen = clients.map(() => [] as number[]);
      for (const [at, client] of clients.entries()) {
        const channel = client.channel(`job:${id}`);
        channel.on("progress", (payload) => {
          seen[at]?.push((payload as { percent: number }).percent);
          changes.changed();
        });
        await join(channel);
      }
      assert.deepEqual(await post(`${url}/jobs`, { id }), { status: 202, body: { id } });
      await changes.until("both are done", () => seen.every((steps) => steps.at(-1) === 100));
      assert.deepEqual(seen, [STEPS, STEPS]);
      assert.deepEqual(await (await fetch(`${url}/jobs/${id}`)).json(), { percent: 100 });
      assert.equal((await post(`${url}/jobs`, { id })).status, 409);
      await Promise.all(clients.map((client) => disconnect(client)));
    });

    it("accepts only UUIDs, and knows no job that was not started", async () => {
      const { url, socketPort } = application;
      for (const body of [{}, { id: 7 }, { id: "../etc" }]) {
        assert.equal((await post(`${url}/jobs`, body)).status, 400);
      }
      assert.equal((await fetch(`${url}/jobs/${randomUUID()}`)).status, 404);
      const client = await connectPhoenix(socketPort);
      await assert.rejects(join(client.channel("job:1")), /no such job/);
      await disconnect(client);
    });

    it("fills the bar of its page", { skip: noBrowser }, async () => {
      const browser = await startBrowser();
      try {
        const page = await (await browser.newContext()).newPage();
        const errors: string[] = [];
        page.on("pageerror", (error) => errors.push(String(error)));
        page.on("console", (message) => {
          if (message.type() === "error") errors.push(message.text());
        });
        await page.goto(application.url);
        await page.locator("#start").click();
        await page.locator("#state", { hasText: "done" }).waitFor();
        assert.equal(await page.evaluate("document.querySelector('#bar').value"), 100);
        assert.deepEqual(errors, []);
      } finally {
        await browser.close();
      }
    });
  });
}
