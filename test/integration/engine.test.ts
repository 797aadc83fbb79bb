/**
 * Which engine a server runs on, and what it says of it.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread.
 * Slow: each test starts a server, and some start two.
 */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, describe, it } from "node:test";
import { pathToFileURL } from "node:url";

import { serve } from "../../src/index.ts";
import { currentPlatform, replacementFor } from "../../src/transport/engine/native/platform.ts";
import { canSharePort } from "../../src/transport/engine/portable/portable-engine.ts";
import { within } from "../support/deadline.ts";
import { freePort, SECRET_KEY_BASE, type Server } from "../support/server.ts";

interface Line {
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const CAN_SHARE = canSharePort(process.platform, process.versions.node);
const ROOT = mkdtempSync(join(tmpdir(), "simurgh-test-"));
const SIMURGH = new URL("../../src/index.js", import.meta.url).href;
const APP = join(ROOT, "app.mjs");
writeFileSync(
  APP,
  `import { defineEndpoint } from ${JSON.stringify(SIMURGH)};
   export default defineEndpoint({
     sockets: {},
     routes: {
       "GET /shard": (_request, { shard }) => ({ status: 200, body: String(shard) }),
       "GET /exit": () => process.exit(1),
       "GET /fill": () => {
         for (const kept = []; ; ) kept.push(Array.from({ length: 10_000 }, (_, at) => ({ at })));
       },
     },
   });`,
);

let server: Server | undefined;
let lines: Line[] = [];

afterEach(async () => {
  await server?.closeNow();
  server = undefined;
  lines = [];
});
after(() => {
  rmSync(ROOT, { recursive: true });
});

function note(fields: object, text: string): void {
  lines.push({ text, fields: fields as Line["fields"] });
}

async function served(options: Partial<Parameters<typeof serve>[0]>): Promise<Server> {
  server = await serve({
    app: APP,
    host: "127.0.0.1",
    port: 0,
    shards: 2,
    secretKeyBase: SECRET_KEY_BASE,
    logLevel: "info",
    logger: { debug: note, info: note, warn: note, error: note },
    ...options,
  });
  return server;
}

function lineOf(start: string): Line {
  const found = lines.find(({ text }) => text.startsWith(start));
  return found ?? assert.fail(`no line ${start}`);
}

async function shardOf({ port }: Server): Promise<string> {
  const init = { headers: { connection: "close" } };
  const answer = await within(fetch(`http://127.0.0.1:${port}/shard`, init), "an answer");
  return `${answer.status}${answer.status === 200 ? ` ${await answer.text()}` : ""}`;
}

describe("A server", () => {
  it("says on which engine it runs, when it listens and in its stats", async () => {
    const { passedOver, ...engine } = (await served({ engine: "portable" })).stats().engine;
    const { version } = engine;
    assert.deepEqual(engine, {
      kind: "portable",
      name: "node:http and ws",
      version,
      maxShards: CAN_SHARE ? 64 : 1,
    });
    assert.deepEqual(passedOver, [], "it was asked for");
    assert.equal(lineOf("listening").fields["engine"], `node:http and ws ${version}`);
    assert.equal(
      lines.some(({ text }) => text.startsWith("serving with the portable")),
      false,
    );
  });

  it("has one shard if its engine cannot share the port, and says so", async () => {
    const { shards } = await served({ engine: "portable" });
    assert.equal(shards, CAN_SHARE ? 2 : 1);
    if (!CAN_SHARE) assert.deepEqual(lineOf("serving with one shard").fields["wantedShards"], 2);
  });

  it("says why it does not run on the engine of the app", async () => {
    const folder = mkdtempSync(join(ROOT, "musl-"));
    // An app whose own package cannot be loaded, and a package of ours that cannot be either.
    const installed = join(folder, "node_modules", "uWebSockets.js");
    mkdirSync(installed, { recursive: true });
    writeFileSync(
      join(installed, "package.json"),
      `{ "name": "uWebSockets.js", "version": "9.9.9" }`,
    );
    writeFileSync(join(installed, "index.js"), "throw new Error('no binary');");
    const app = join(folder, "app.mjs");
    writeFileSync(app, `export { default } from ${JSON.stringify(pathToFileURL(APP).href)};`);
    const { engine } = (await served({ app, engine: "auto" })).stats();
    assert.deepEqual(engine.passedOver[0], {
      engine: "uWebSockets.js 9.9.9 of the app",
      reason: "could not be loaded (no binary)",
      advice: replacementFor(currentPlatform()),
    });
    const { engine: native, reason, advice } = engine.passedOver[0];
    assert.deepEqual(lineOf("serving with the").fields, { native, reason, advice });
    const passedOver = lines.filter(({ text }) => text.startsWith("serving with the"));
    assert.equal(passedOver.length, engine.passedOver.length);
  });

  it("does not start if it was asked for an engine that cannot be loaded", async () => {
    await assert.rejects(served({ engine: "./none.js" }), { code: "SIM_ERR_ENGINE_UNAVAILABLE" });
  });
});

describe("A server on the portable engine", () => {
  it("serves on each shard, and on the new one after a restart", async () => {
    const running = await served({ engine: "portable" });
    const seen = new Set<string>();
    for (let n = 0; n < 64; n += 1) seen.add(await shardOf(running));
    assert.deepEqual([...seen].toSorted(), CAN_SHARE ? ["200 0", "200 1"] : ["200 0"]);
    await running.restartShard(0);
    assert.equal(running.isReady, true);
    seen.clear();
    for (let n = 0; n < 64; n += 1) seen.add(await shardOf(running));
    assert.deepEqual([...seen].toSorted(), CAN_SHARE ? ["200 0", "200 1"] : ["200 0"]);
  });

  it("goes on if a shard exits, and frees its port when it is closed", async () => {
    const port = await freePort();
    const running = await served({ engine: "portable", port, shards: 1 });
    await fetch(`http://127.0.0.1:${port}/exit`).catch(() => undefined);
    let answer = "";
    while (answer !== "200 0") answer = await shardOf(running).catch(String);
    await running.close();
    const again = await served({ engine: "portable", port });
    assert.equal((await shardOf(again)).slice(0, 3), "200");
  });

  it("replaces a shard that has run out of memory", async () => {
    const running = await served({ engine: "portable", shards: 1, oldGenerationMb: 64 });
    const filled = fetch(`http://127.0.0.1:${running.port}/fill`);
    await assert.rejects(within(filled, "the end of the shard"));
    let answer = "";
    while (answer !== "200 0") answer = await shardOf(running).catch(String);
    assert.match(String(lineOf("shard ended").fields["err"]), /reaching memory limit/);
  });

  it("does not start on a port that another one listens on", async () => {
    const first = await served({ engine: "portable" });
    const { port } = first;
    await assert.rejects(served({ engine: "portable", port }), { code: "SIM_ERR_LISTEN" });
    server = first;
  });
});
