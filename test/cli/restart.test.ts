/**
 * `simurgh serve` when it is told to restart its shards.
 *
 * Runs on: the test's thread.
 * Slow: each test starts a process.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { AppFile, chatApp } from "../support/app-file.ts";
import { CommandLine } from "../support/command-line.ts";
import { shardsOf } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { Talker } from "../support/talker.ts";

/** From util-linux: runs a command in a new terminal. */
const { output } = spawnSync("script", ["--version"], { encoding: "utf8" });
const SCRIPT_MISSING = output?.join("").includes("util-linux")
  ? false
  : "no script of util-linux to make a terminal";

const SHARDS = shardsOf(2);

let app: AppFile;

function serve(): CommandLine {
  const args = ["--host", "127.0.0.1", "--port", "0", "--shards", String(SHARDS)];
  return new CommandLine(["serve", app.path, ...args, "--log-level", "silent"]);
}

async function join(port: number, name: string): Promise<Talker> {
  return Talker.join(port, "room:1", name);
}

describe("simurgh, on SIGHUP", () => {
  beforeEach(() => {
    app = new AppFile(chatApp(1));
  });
  afterEach(() => app.remove());

  it("restarts all shards in turn with the current app, and goes on", async () => {
    await using command = serve();
    const port = await command.port();
    const talkers = await Promise.all([join(port, "a"), join(port, "b"), join(port, "c")]);
    app.write(chatApp(2));
    command.kill("SIGHUP");
    const each = Array.from({ length: SHARDS }, (_, shard) => `shard ${shard} restarted`);
    const lines = each.map((text) => `${text}, \\d connections? closed\\n.*`);
    await command.printed(new RegExp(`${lines.join("")}all shards restarted`));
    const closed = Promise.all(talkers.map(async (talker) => talker.closed));
    assert.deepEqual(await within(closed, "the close of all clients"), [1012, 1012, 1012]);
    const back = await Promise.all([join(port, "d"), join(port, "e")]);
    assert.deepEqual(
      back.map(({ joined }) => joined.version),
      [2, 2],
    );
    command.kill("SIGTERM");
    const { code, err } = await command.ended();
    assert.deepEqual({ code, err }, { code: 0, err: "" });
  });

  it("keeps the shards if the app cannot be loaded, prints why, and can restart them later", async () => {
    await using command = serve();
    const port = await command.port();
    const talker = await join(port, "a");
    app.write("export default 1 +;");
    command.kill("SIGHUP");
    await command.printed(/shard 0 and later ones were not restarted\nsimurgh: app module must/);
    talker.say();
    await talker.hears("a", 1);
    app.write(chatApp(3));
    command.kill("SIGHUP");
    await command.printed(/all shards restarted/);
    assert.equal((await join(port, "b")).joined.version, 3);
  });

  it("restarts all once more if it is told again while it restarts", async () => {
    await using command = serve();
    await command.port();
    command.kill("SIGHUP");
    await command.printed(/restarting the shards one by one/);
    command.kill("SIGHUP");
    await command.printed(/after the current start or restart/);
    await command.printed(/(all shards restarted[\s\S]*){2}/);
  });

  it("restarts after it has started if told while it starts; if told to stop meanwhile, it stops", async () => {
    app.write(`console.log("starting");
      await new Promise((resolve) => setTimeout(resolve, 300));
      ${chatApp(1)}`);
    await using command = serve();
    await command.printed(/starting/);
    command.kill("SIGHUP");
    await command.printed(/restarting the shards one by one/);
    command.kill("SIGTERM");
    const { code, out } = await command.ended();
    assert.equal(code, 0, out);
    assert.match(out, /stopped\n$/);
    assert.doesNotMatch(out, /not restarted/);
  });
});

describe("simurgh, when its terminal is closed", { skip: SCRIPT_MISSING }, () => {
  beforeEach(() => {
    app = new AppFile(chatApp(1));
  });
  afterEach(() => app.remove());

  it("tells every client and ends, instead of restarting unseen", async () => {
    const simurgh = fileURLToPath(new URL("../../src/cli/simurgh.js", import.meta.url));
    const command = [process.execPath, simurgh, "serve", app.path, "--host", "127.0.0.1"];
    const line = [...command, "--port", "0", "--shards", "2"].map((word) => `'${word}'`).join(" ");
    const outcome = app.writeBeside("outcome", "");
    // The shell stays to report how the command ended, and passes on the hangup of the terminal.
    const shell = `trap 'kill -HUP $!' HUP; ${line} </dev/tty & wait; wait $!; echo $? >'${outcome}'`;
    const terminal = spawn("script", ["-qec", shell, "/dev/null"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    let shown = "";
    const announced = new Promise<number>((resolve) => {
      terminal.stdout.on("data", (data: Buffer) => {
        shown += data.toString();
        const port = /address {2}http:\/\/\S*:(\d+)/.exec(shown)?.[1];
        if (port !== undefined) resolve(Number(port));
      });
    });
    const port = await within(announced, "the address", 20_000);
    const talkers = await Promise.all([join(port, "a"), join(port, "b")]);
    terminal.kill("SIGKILL");
    const closed = Promise.all(talkers.map(async (talker) => talker.closed));
    assert.deepEqual(await within(closed, "the close of all clients"), [1012, 1012]);
    const status = await within(written(outcome), "the end of simurgh", 20_000);
    assert.equal(status, "129\n", "it is ended by SIGHUP, once all is closed");
  });
});

/** Waits until a file is not empty. Returns its content. */
async function written(path: string): Promise<string> {
  for (;;) {
    const text = readFileSync(path, "utf8");
    if (text.endsWith("\n")) return text;
    await setImmediate();
  }
}
