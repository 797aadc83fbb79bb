/**
 * Two copies of the package: a command or program of one, and an app that imports the other.
 *
 * Runs on: the test's thread; each server is a process of its own.
 * Slow: it installs the packed package twice.
 */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe } from "node:test";

import { build } from "esbuild";

import { within } from "./support/deadline.ts";
import { InstalledPackage } from "./support/installed.ts";

const APP = `
  import { defineEndpoint, defineSocket, ok } from "simurgh";
  const socket = defineSocket({ connect: () => ok({}) });
  export default defineEndpoint({
    sockets: { "/socket": { socket, channels: {} } },
    routes: { "GET /healthz": () => ({ status: 200 }) },
  });`;
const BORROWING_APP = `
  import { defineEndpoint, defineSocket } from "simurgh";
  import { accept } from "./project/results.js";
  const socket = defineSocket({ connect: () => accept() });
  export default defineEndpoint({ sockets: { "/socket": { socket, channels: {} } } });`;
const LATE_APP = `
  import { defineEndpoint } from "simurgh";
  const refused = () => import("./project/results.js").then(() => "loaded", ({ message }) => message);
  export default defineEndpoint({
    sockets: {},
    routes: { "GET /": async () => ({ status: 200, body: await refused() }) },
  });`;
const TEST = `
  import { connect } from "simurgh/testing";
  import app from "./project/app.js";
  await connect(app).then(() => console.log("connected"), ({ code, message }) => console.log(code, message));`;
/** Serves the app of its argument, and prints the answer of a route, or why that failed. */
const MAIN = `
  import { serve } from "simurgh";
  try {
    const options = { host: "127.0.0.1", port: 0, shards: 1, logLevel: "error" };
    const server = await serve({ app: process.argv[2], ...options });
    console.log("started", await (await fetch("http://127.0.0.1:" + server.port + "/")).text());
    await server.close();
  } catch ({ code, message }) {
    console.log(code, message);
  }`;

const outside = new InstalledPackage();

function path(name: string): string {
  return join(outside.folder, name);
}

/** Runs a program, and returns what it prints. */
function printed(program: string, ...args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(process.execPath, [path(program), ...args.map(path)], {
    cwd: outside.folder,
    encoding: "utf8",
    timeout: 120_000,
  });
  return stdout + stderr;
}

/** With it, a bundle of modules can contain CommonJS packages. */
const REQUIRE = `import * as nodeModule from "node:module"; const require = nodeModule.createRequire(import.meta.url);`;

async function bundle(from: string, to: string, format: "esm" | "cjs", banner = ""): Promise<void> {
  const native = ["uWebSockets.js", "@redis/client", "@swc/wasm-typescript"];
  await build({
    entryPoints: [path(from)],
    outfile: path(to),
    bundle: true,
    platform: "node",
    target: "node20",
    format,
    banner: { js: banner },
    external: native,
    logLevel: "silent",
  });
}

describe("two copies of the package", () => {
  before(() => {
    outside.install();
    outside.installInto("project");
    mkdirSync(path("project/src"), { recursive: true });
    writeFileSync(path("project/app.js"), APP);
    writeFileSync(
      path("project/results.js"),
      'import { ok } from "simurgh"; export const accept = () => ok({});',
    );
    writeFileSync(path("borrowing.js"), BORROWING_APP);
    writeFileSync(path("late.js"), LATE_APP);
    writeFileSync(path("main.js"), MAIN);
    writeFileSync(path("test.js"), TEST);
  });

  after(() => outside.remove());

  outside.it(
    "serve an app by the copy that it imports, if the command of the other is used",
    async () => {
      const command = path("node_modules/.bin/simurgh");
      const server = spawn(process.execPath, [
        command,
        "serve",
        path("project/app.js"),
        "--port",
        "0",
        "--shards",
        "1",
      ]);
      let output = "";
      const address = new Promise<string>((resolve) => {
        server.stdout.on("data", (chunk) => {
          output += String(chunk);
          const port = /localhost:(\d+)/.exec(output)?.[1];
          if (port !== undefined) resolve(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`);
        });
      });
      try {
        const url = await within(address, "the address of the server");
        assert.match(output, /using the app's own copy, .*project\/node_modules\/simurgh\/dist/);
        const { WebSocket } = await import("ws");
        const socket = new WebSocket(url);
        const opened = new Promise((resolve, reject) => {
          socket.once("open", resolve).once("error", reject);
        });
        await within(opened, "an accepted connection");
        socket.terminate();
      } finally {
        server.kill("SIGKILL");
      }
    },
  );

  outside.it("fail at the start, naming both, if a program serves an app of the other copy", () => {
    const said = printed("main.js", "project/app.js");
    assert.match(
      said,
      /^SIM_ERR_APP_MODULE app module must import the copy of simurgh that serves it/,
    );
    assert.ok(said.includes(`${path("project/node_modules/simurgh")} in the app`), said);
    assert.ok(said.includes(`${path("node_modules/simurgh")} in the server`), said);
  });

  outside.it("fail at the start if a part of the app imports the other copy", () => {
    assert.match(printed("main.js", "borrowing.js"), /^SIM_ERR_APP_MODULE .* got two copies: /);
  });

  outside.it("refuse a module that is imported later", () => {
    assert.match(printed("main.js", "late.js"), /^started app module must .* got two copies: /);
  });

  outside.it("fail in a test", () => {
    assert.match(printed("test.js"), /^SIM_ERR_APP_MODULE .* got two copies: /);
  });

  for (const [format, file] of [
    ["esm", "bundle.mjs"],
    ["cjs", "bundle.cjs"],
  ] as const) {
    outside.it(
      `fail at the start if the app is a bundle (${format}) with a copy of its own`,
      async () => {
        await bundle("project/app.js", file, format);
        const said = printed("main.js", file);
        assert.match(
          said,
          /^SIM_ERR_APP_MODULE .* got two copies: .*leave simurgh out of the bundle/,
        );
      },
    );
  }

  outside.it("fail at the start if the program is a bundle", async () => {
    await bundle("main.js", "main-bundle.mjs", "esm", REQUIRE);
    const said = printed("main-bundle.mjs", "project/app.js");
    assert.match(
      said,
      /^SIM_ERR_SHARD_START threads must load files of the package simurgh, .*external/,
    );
  });
});
