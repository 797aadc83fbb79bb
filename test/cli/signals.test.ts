/**
 * `simurgh serve`, told to stop by signals.
 *
 * Runs on: the test's thread; the server is a process of its own.
 * Slow: each test starts a process.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { WebSocket } from "ws";

import { CommandLine } from "../support/command-line.ts";
import { shardsOf } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "simurgh-test-"));
after(() => {
  rmSync(FOLDER, { recursive: true });
});
const SHARDS = shardsOf(2);
const DEMO = ["demo", "--host", "127.0.0.1", "--port", "0", "--shards", String(SHARDS)];

async function connected(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`);
  await within(once(socket, "open"), "the connection");
  return socket;
}

describe("simurgh, when it is told to stop", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`by ${signal} closes every client with 1012 and exits with 0`, async () => {
      await using command = new CommandLine(DEMO);
      const port = await command.port();
      const sockets = await Promise.all(Array.from({ length: 6 }, async () => connected(port)));
      const closed = sockets.map(async (socket) => (await once(socket, "close"))[0] as number);
      command.kill(signal);
      const codes = await within(Promise.all(closed), "the close of every client");
      assert.deepEqual(
        codes,
        sockets.map(() => 1012),
      );
      const { code, signal: by, err } = await command.ended();
      assert.deepEqual({ code, by, err }, { code: 0, by: null, err: "" });
    });
  }

  it("prints the address, the shards, and how to stop it", async () => {
    await using command = new CommandLine(DEMO);
    const port = await command.port();
    command.kill("SIGTERM");
    const { out } = await command.ended();
    assert.match(out, new RegExp(`^ {2}address {2}http://127.0.0.1:${port}$`, "m"));
    assert.match(out, new RegExp(`^ {2}shards {3}${SHARDS}$`, "m"));
    assert.match(out, /^ {2}stop {5}Ctrl\+C/m);
  });

  it("started without a secret, warns, and prints a command that makes one", async () => {
    const app = join(FOLDER, "empty.mjs");
    const index = JSON.stringify(new URL("../../src/index.js", import.meta.url).href);
    writeFileSync(
      app,
      `import { defineEndpoint } from ${index}; export default defineEndpoint({ sockets: {} });`,
    );
    const serve = ["serve", app, "--host", "127.0.0.1", "--port", "0", "--shards", "1"];
    await using unset = new CommandLine([...serve, "--log-level", "warn"]);
    await unset.port();
    unset.kill("SIGTERM");
    const { msg } = JSON.parse((await unset.ended()).err) as { msg: string };
    const make = /SIMURGH_SECRET_KEY_BASE.*; to make one: (.+)$/.exec(msg)?.[1] ?? "";
    const { stdout: secret } = spawnSync("sh", ["-c", make], { encoding: "utf8" });

    const environment = { SIMURGH_SECRET_KEY_BASE: secret.trim() };
    await using set = new CommandLine([...serve, "--log-level", "warn"], environment);
    await set.port();
    set.kill("SIGTERM");
    assert.equal((await set.ended()).err, "");
  });

  it("a second time stops at once", async () => {
    // The client reads nothing and is sent more than fits, so an orderly end would take a minute.
    const app = join(FOLDER, "slow.mjs");
    const index = new URL("../../src/index.js", import.meta.url).href;
    writeFileSync(
      app,
      `import { defineChannel, defineEndpoint, defineSocket, ok } from ${JSON.stringify(index)};
       const socket = defineSocket({ connect: () => ok() });
       const room = defineChannel(socket, {
         join: (channel) => (channel.send("fill"), ok()),
         handleInfo(channel) {
           for (let at = 0; at < 300; at += 1) channel.push("fill", { text: "x".repeat(100_000) });
           console.log("filled");
         },
       });
       export default defineEndpoint({ sockets: { "/socket": { socket, channels: { "*": room } } } });`,
    );
    await using command = new CommandLine(["serve", app, ...DEMO.slice(1)], {
      SIMURGH_DRAIN_MS: "60000",
      SIMURGH_MAX_BACKPRESSURE_BYTES: "1000000000",
      SIMURGH_LOG_LEVEL: "error",
    });
    const socket = await connected(await command.port());
    const closed = once(socket, "close");
    socket.pause();
    socket.send('["1","1","any","phx_join",{}]');
    await command.printed(/filled/);
    command.kill("SIGTERM");
    await command.printed(/stopping: closing all connections/);
    command.kill("SIGTERM");
    const { code, out } = await command.ended();
    assert.equal(code, 0, out);
    socket.terminate();
    await closed;
  });

  it("while it starts stops as soon as it has started; told twice, it ends at once", async () => {
    const app = join(FOLDER, "hangs.mjs");
    writeFileSync(app, 'console.log("starting"); await new Promise((r) => setInterval(r, 1e9));');
    await using command = new CommandLine(["serve", app, ...DEMO.slice(1)]);
    await command.printed(/starting/);
    command.kill("SIGINT");
    await command.printed(/SIGINT: stopping after the start/);
    command.kill("SIGINT");
    const { code, signal } = await command.ended();
    assert.deepEqual({ code, signal }, { code: 1, signal: null });
  });
});
