/**
 * The packed package, installed by other package managers than npm: pnpm, and Yarn with and without `node_modules`.
 *
 * They are packages of the npm registry, and keep what they download in the project.
 *
 * Runs on: the test's thread; each manager and program is a process of its own.
 * Slow: it installs the packed package five times.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, type TestContext } from "node:test";

import { InstalledPackage, isOffline } from "./support/installed.ts";

const RUN_MS = 240_000;

const APP = `import { defineChannel, defineEndpoint, defineSocket, ok } from "simurgh";
  const socket = defineSocket({ connect: () => ok({}) });
  const room = defineChannel(socket, { join: () => ok({}) });
  const said: string = "up";
  export default defineEndpoint({
    sockets: { "/socket": { socket, channels: { "room:*": room } } },
    routes: { "GET /": () => ({ status: 200, body: said }) },
  });\n`;
const MAIN = `import { serve } from "simurgh";
  const app = new URL("./app.ts", import.meta.url);
  const server = await serve({ app, host: "127.0.0.1", port: 0, shards: 2, logLevel: "error" });
  console.log(await (await fetch("http://127.0.0.1:" + server.port)).text());
  await server.close();\n`;

const project = new InstalledPackage();
let registry = "";

/** Runs a program in a folder of the project, with the settings of all managers. @returns what it prints */
function run(path: string, file: string, words: readonly string[]): { text: string; ok: boolean } {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [file, ...words], {
    cwd: join(project.folder, path),
    encoding: "utf8",
    timeout: RUN_MS,
    env: {
      ...process.env,
      PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`,
      npm_config_registry: registry,
      npm_config_store_dir: join(project.folder, "store"),
      YARN_CACHE_FOLDER: join(project.folder, `${path}-cache`),
      YARN_ENABLE_GLOBAL_CACHE: "false",
      YARN_ENABLE_IMMUTABLE_INSTALLS: "false",
      YARN_ENABLE_TELEMETRY: "false",
      YARN_NPM_REGISTRY_SERVER: registry.replace(/\/$/, ""),
    },
  });
  return { text: stdout + stderr + (error?.message ?? ""), ok: status === 0 };
}

function managerFile(path: string): string {
  return join(project.folder, "node_modules", path);
}

/**
 * Installs the package by a manager, in a folder of its own.
 *
 * @returns whether it could; otherwise the test is skipped
 * @throws Error if it fails for another reason than a missing registry
 */
function installed(
  test: TestContext,
  path: string,
  manager: string,
  words: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): boolean {
  const files = { "package.json": '{ "type": "module", "private": true }', "app.ts": APP };
  for (const [name, text] of Object.entries({ ...files, "main.js": MAIN, ...settings }))
    project.write({ [`${path}/${name}`]: text });
  const { text, ok } = run(path, managerFile(manager), words);
  if (ok) return true;
  if (!isOffline(text)) throw new Error(`${manager}: ${text}`);
  test.skip(`the registry cannot be reached by ${manager}`);
  return false;
}

describe("the packed package", () => {
  before(() => {
    project.install(["pnpm@10", "yarn@1", "@yarnpkg/cli-dist@4"]);
    registry = spawnSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).stdout.trim();
  });

  after(() => project.remove());

  project.it("serves if pnpm has installed it", (test) => {
    if (!installed(test, "pnpm", "pnpm/bin/pnpm.cjs", ["add", project.tarball])) return;
    assert.ok(readdirSync(join(project.folder, "pnpm/node_modules/.pnpm")).length > 0);
    assert.equal(project.node("pnpm", "main.js"), "up\n");
  });

  project.it("serves if Yarn 1 has installed it", (test) => {
    const words = ["add", "--registry", registry, `file:${project.tarball}`];
    if (!installed(test, "yarn-1", "yarn/bin/yarn.js", words)) return;
    assert.equal(project.node("yarn-1", "main.js"), "up\n");
  });

  for (const [linker, about] of [
    ["node-modules", "with node_modules"],
    ["pnp", "without node_modules (Plug'n'Play)"],
  ] as const) {
    project.it(`serves if Yarn 4 has installed it ${about}`, (test) => {
      const yarn = "@yarnpkg/cli-dist/bin/yarn.js";
      const words = ["add", `simurgh@file:${project.tarball}`];
      const settings = { ".yarnrc.yml": `nodeLinker: ${linker}\n`, "yarn.lock": "" };
      const path = `yarn-${linker}`;
      if (!installed(test, path, yarn, words, settings)) return;
      const names = readdirSync(join(project.folder, path));
      assert.equal(names.includes("node_modules"), linker === "node-modules");
      assert.equal(run(path, managerFile(yarn), ["node", "main.js"]).text, "up\n");
      const { text } = run(path, managerFile(yarn), ["simurgh", "--version"]);
      assert.match(text, /^\d+\.\d+\.\d+\n$/);
    });
  }
});
