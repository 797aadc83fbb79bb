/**
 * `simurgh serve --watch`: an app whose files are saved while clients are connected.
 *
 * Runs on: the test's thread; the server is a separate process.
 * Slow: each test starts a process, which reloads its app.
 */
import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

import type { Channel, Socket } from "phoenix";

import { AppFile } from "../support/app-file.ts";
import { CommandLine } from "../support/command-line.ts";
import { shardsOf } from "../support/dealing.ts";
import { connectPhoenix, disconnect, push } from "../support/phoenix-client.ts";
import { Watched } from "../support/watched.ts";

/** Its joins return the content of another file, and an event runs a task. */
const APP = `
  import { version } from "./lib/version.mjs";
  const { defineChannel, defineEndpoint, defineSocket, ok } = simurgh;
  const socket = defineSocket({ connect: () => ok({}) });
  const room = defineChannel(socket, {
    join: () => ok({ version }),
    handleIn: { task: async (channel) => ok({ result: await channel.task("name") }) },
  });
  export default defineEndpoint({
    sockets: { "/socket": { socket, channels: { "room:*": room } } },
    tasks: new URL("./tasks.mjs", import.meta.url),
  });`;

const SHARDS = shardsOf(2) === 1 ? "1 shard" : "2 shards";

let app: AppFile;
let folder: string;
const sockets: Socket[] = [];

function write(name: string, text: string): void {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function versionText(version: number): string {
  return `export const version = ${version};`;
}

function tasksText(name: string): string {
  const index = new URL("../../src/index.js", import.meta.url).href;
  return `import { defineTasks } from "${index}";
    export default defineTasks({ name: () => "${name}" });`;
}

function serve(...more: readonly string[]): CommandLine {
  const args = ["--host", "127.0.0.1", "--port", "0", ...more];
  return new CommandLine(["serve", "--watch", app.path, ...args]);
}

/** A client that stays connected, and the versions that its joins returned. */
class Guest {
  readonly versions: number[] = [];
  readonly channel: Channel;
  readonly #joins = new Watched();

  private constructor(socket: Socket) {
    sockets.push(socket);
    this.channel = socket.channel("room:1");
    this.channel.join().receive("ok", (response) => {
      this.versions.push((response as { readonly version: number }).version);
      this.#joins.changed();
    });
  }

  static async entered(port: number): Promise<Guest> {
    return new Guest(await connectPhoenix(port));
  }

  async joined(version: number): Promise<void> {
    await this.#joins.until(`a join of version ${version}`, () => this.versions.at(-1) === version);
  }
}

describe("simurgh serve --watch", () => {
  beforeEach(() => {
    app = new AppFile(APP);
    folder = dirname(app.path);
    write("lib/version.mjs", versionText(1));
    write("tasks.mjs", tasksText("one"));
  });
  afterEach(async () => {
    await Promise.all(sockets.splice(0).map((socket) => disconnect(socket)));
    app.remove();
  });

  it("reloads all shards when a file is saved, and clients rejoin by themselves", async () => {
    await using command = serve();
    const port = await command.port();
    const guests = await Promise.all([Guest.entered(port), Guest.entered(port)]);
    for (const guest of guests) await guest.joined(1);
    write("lib/version.mjs", versionText(2));
    const line = await command.printed(
      new RegExp(
        `simurgh: lib/version.mjs: ${SHARDS} reloaded in \\d+ ms, (\\d) clients reconnecting\n`,
      ),
    );
    // A client may have returned to a shard that had not been restarted yet.
    assert.ok(Number(line[1]) >= 2);
    for (const guest of guests) await guest.joined(2);
    command.kill("SIGTERM");
    const { code, err } = await command.ended();
    assert.deepEqual({ code, isClean: !err.includes("error") }, { code: 0, isClean: true });
  });

  it("reloads tasks too", async () => {
    await using command = serve("--shards", "1", "--task-threads", "1");
    const guest = await Guest.entered(await command.port());
    await guest.joined(1);
    assert.deepEqual(await push(guest.channel, "task", {}), { result: "one" });
    write("tasks.mjs", tasksText("two"));
    await command.printed(/tasks\.mjs: 1 shard reloaded/);
    assert.deepEqual(await push(guest.channel, "task", {}), { result: "two" });
  });

  it("keeps the old app if the new one cannot be loaded, prints where, and tries again after the next save", async () => {
    await using command = serve("--shards", "1");
    const guest = await Guest.entered(await command.port());
    await guest.joined(1);
    write("lib/version.mjs", "// one\nexport const version = 2 +;\n");
    await command.printed(
      /lib\/version\.mjs: not reloaded, the old app keeps running\n.*syntax errors.*\n.*version\.mjs:2\nexport const version = 2 \+;/,
    );
    const other = await Guest.entered(await command.port());
    await other.joined(1);
    assert.deepEqual(guest.versions, [1], "nobody was sent away");
    write("lib/version.mjs", versionText(3));
    await guest.joined(3);
    await other.joined(3);
  });

  it("notices what editors do: rename into place, remove and create, replace a folder", async () => {
    await using command = serve("--shards", "1");
    const guest = await Guest.entered(await command.port());
    await guest.joined(1);
    const path = join(folder, "lib/version.mjs");
    for (const version of [2, 3]) {
      write("lib/version.mjs~", versionText(version));
      renameSync(`${path}~`, path);
      await guest.joined(version);
    }
    rmSync(path);
    await command.printed(/lib\/version\.mjs: not reloaded/);
    write("lib/version.mjs", versionText(4));
    await guest.joined(4);
    rmSync(dirname(path), { recursive: true });
    await command.printed(/(lib\/version\.mjs: not reloaded[\s\S]*){2}/);
    write("lib/version.mjs", versionText(5));
    await guest.joined(5);
    rmSync(path);
    await command.printed(/(lib\/version\.mjs: not reloaded[\s\S]*){3}/);
    // It is empty by now, so nothing in it changes.
    rmSync(dirname(path), { recursive: true });
    write("lib/version.mjs", versionText(6));
    await guest.joined(6);
  });

  it("misses nothing that is saved while it reloads", async () => {
    app.write(`console.log("loading " + version);${APP}`);
    await using command = serve("--shards", "1");
    const guest = await Guest.entered(await command.port());
    await guest.joined(1);
    write("lib/version.mjs", versionText(2));
    await command.printed(/loading 2/);
    write("lib/version.mjs", versionText(3));
    await guest.joined(3);
    await command.printed(/(shard reloaded[\s\S]*){2}/);
  });

  it("does not reload for a file with the same content, or outside the app", async () => {
    await using command = serve("--shards", "1");
    const guest = await Guest.entered(await command.port());
    await guest.joined(1);
    write("lib/version.mjs", versionText(1));
    write("lib/notes.mjs", "nothing");
    // A later save is reported alone, and once.
    for (const name of ["two", "three"]) {
      write("tasks.mjs", tasksText(name));
      const count = name === "two" ? 1 : 2;
      await command.printed(
        new RegExp(`(simurgh: tasks\\.mjs: 1 shard reloaded[\\s\\S]*){${count}}`),
      );
    }
    app.write(`// the last\n${APP}`);
    await command.printed(/simurgh: app\.mjs: 1 shard reloaded/);
    const told = [...command.out.matchAll(/^simurgh: (.*): 1 shard reloaded/gm)].map(
      ([, names]) => names,
    );
    assert.deepEqual(told, ["tasks.mjs", "tasks.mjs", "app.mjs"]);
  });

  it("waits at the start for an app that can be loaded", async () => {
    write("lib/version.mjs", "export const version = ;");
    await using command = serve("--shards", "1");
    await command.printed(/cannot be loaded; trying again when it is saved\n.*syntax/);
    write("lib/version.mjs", versionText(7));
    const guest = await Guest.entered(await command.port());
    await guest.joined(7);
  });

  it("ends on a signal while it waits for such an app", async () => {
    write("lib/version.mjs", "export const version = ;");
    await using command = serve();
    await command.printed(/trying again when it is saved/);
    command.kill("SIGINT");
    const { code, out } = await command.ended();
    assert.equal(code, 0);
    assert.match(out, /simurgh: stopped\n$/);
  });

  it("fails at once if the app is missing, or the port is not available", async () => {
    await using served = serve("--shards", "1");
    const port = await served.port();
    const flags = ["--shards", "1", "--host", "127.0.0.1", "--port", String(port)];
    await using second = new CommandLine(["serve", "--watch", app.path, ...flags]);
    const taken = await second.ended();
    assert.deepEqual([taken.code, /must be free/.test(taken.err)], [1, true], taken.err);
    await using third = new CommandLine(["serve", "--watch", join(folder, "no.mjs")]);
    const missing = await third.ended();
    assert.equal(missing.code, 1);
    assert.match(missing.err, /app module must be a file/);
  });
});
