/**
 * One cell of the table of platforms: installs the packed package in an empty folder, serves an app with one engine,
 * and lets the official client join a channel, push, and hear a broadcast.
 *
 * Runs on: the process of `npm run platforms`; npm, the server and the client are processes of their own, with the
 * build of Node.js that is tried.
 */

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { startBrowser } from "../../test/support/browser.ts";
import { within } from "../../test/support/deadline.ts";
import { environmentOf, type NodeBuild } from "./node-builds.ts";
import type { EngineName } from "./platform-table.ts";

const INSTALL_DEADLINE_MS = 300_000;
const CLIENT_DEADLINE_MS = 30_000;

const APP = `
  import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "simurgh";
  const socket = defineSocket({ connect: () => ok({}) });
  const room = defineChannel(socket, {
    join: () => ok({}),
    handleIn: {
      ping: (_socket, payload) => reply("ok", payload),
      say: (socket, { text }) => socket.broadcast("said", { text }),
    },
  });
  export default defineEndpoint({ sockets: { "/socket": { socket, channels: { "room:*": room } } } });`;
/** Prints the port, or the code and the message of the error. */
const MAIN = `
  import { serve } from "simurgh";
  try {
    const server = await serve({ app: new URL("./app.js", import.meta.url), host: "127.0.0.1", port: 0, shards: 2 });
    console.log("serving on http://127.0.0.1:" + server.port);
    process.once("SIGTERM", () => void server.close());
  } catch ({ code, message }) {
    console.log(code, message);
  }`;
/** Prints "joined" if all went well; otherwise it says what did not, and ends with 1. */
const CLIENT = `
  import { Socket } from "phoenix";
  import { WebSocket } from "ws";
  const fail = (what) => { console.log(what); process.exit(1); };
  setTimeout(() => fail("no answer within 20 s"), 20_000);
  const socket = new Socket(process.argv[2], { transport: WebSocket });
  socket.onError((error) => fail("error: " + (error?.message ?? error)));
  socket.connect();
  const room = socket.channel("room:lobby");
  room.on("said", ({ text }) => { console.log(text); process.exit(0); });
  room.join().receive("ok", () => {
    room.push("ping", { n: 1 }).receive("ok", ({ n }) => room.push("say", { text: n === 1 ? "joined" : "wrong reply" }));
  }).receive("error", () => fail("the join was refused"));`;

const DEMO = [
  "node_modules/.bin/simurgh",
  "demo",
  "--host",
  "127.0.0.1",
  "--port",
  "0",
  "--shards",
  "2",
];

/** What a cell is tried with. */
export interface CellPlan {
  readonly build: NodeBuild;
  readonly engine: EngineName;
  /** The packed package. */
  readonly tarball: string;
  /** Whether the native engine's binaries are removed after the installation. */
  readonly isWithoutBinaries: boolean;
  /** Whether a browser joins too. */
  readonly hasBrowser: boolean;
}

/** Installs the package into an empty folder and tries it. @returns what came of it, in a few words */
export async function tryCell(folder: string, plan: CellPlan): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const environment = { ...environmentOf(plan.build), SIMURGH_ENGINE: plan.engine };
  const trouble = install(folder, plan, environment);
  if (trouble !== undefined) return trouble;
  if (plan.isWithoutBinaries) removeBinaries(join(folder, "node_modules/uWebSockets.js"));
  writeFileSync(join(folder, "app.js"), APP);
  writeFileSync(join(folder, "main.js"), MAIN);
  writeFileSync(join(folder, "client.js"), CLIENT);
  const joined = await served(folder, plan, environment, ["main.js"], (port) => {
    const words = ["client.js", `ws://127.0.0.1:${port}/socket`];
    const options = { cwd: folder, timeout: CLIENT_DEADLINE_MS, encoding: "utf8" } as const;
    const { stdout, stderr } = spawnSync(plan.build.file, words, options);
    return `${stdout}${stderr}`.trim() || "the client said nothing";
  });
  if (joined !== "joined" || !plan.hasBrowser) return joined;
  const seen = await served(folder, plan, environment, DEMO, joinByBrowser);
  return seen === "joined" ? "joined, by a browser too" : `joined, but by a browser: ${seen}`;
}

function install(cwd: string, { tarball }: CellPlan, env: NodeJS.ProcessEnv): string | undefined {
  writeFileSync(join(cwd, "package.json"), '{ "type": "module", "private": true }\n');
  const flags = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"];
  const { status, stderr, error } = spawnSync(
    "npm",
    ["install", ...flags, tarball, "phoenix@1", "ws@8"],
    { cwd, env, timeout: INSTALL_DEADLINE_MS, encoding: "utf8" },
  );
  return status === 0 ? undefined : `npm install failed: ${error?.message ?? firstLineOf(stderr)}`;
}

function removeBinaries(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (name.endsWith(".node")) rmSync(join(folder, name));
  }
}

/** Runs a program that serves while clients try it, and stops it. @returns what the clients say, or why it did not serve */
async function served(
  cwd: string,
  { build }: CellPlan,
  env: NodeJS.ProcessEnv,
  program: readonly string[],
  tryIt: (port: number) => Promise<string> | string,
): Promise<string> {
  const server = spawn(build.file, program, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  try {
    const port = await portOf(server);
    if (typeof port === "string") return port;
    const said = await tryIt(port);
    const closed = once(server, "exit");
    server.kill("SIGTERM");
    const [code] = await within(closed, "the end of the server");
    return code === 0 ? said : `${said}, but the server ended with ${String(code)}`;
  } catch (error) {
    return String(error);
  } finally {
    server.kill("SIGKILL");
  }
}

/** Returns the port that a server prints, or the code of the error with which it ends. */
async function portOf(server: ChildProcess): Promise<number | string> {
  let output = "";
  const port = new Promise<number | string>((resolve) => {
    const read = (chunk: Buffer): void => {
      output += String(chunk);
      const found = /\bhttp:\/\/[^\n:]+:(\d+)$/m.exec(output)?.[1];
      if (found !== undefined) resolve(Number(found));
    };
    server.stdout?.on("data", read);
    server.stderr?.on("data", read);
    server.once("close", () => {
      resolve(/SIM_ERR_\w+/.exec(output)?.[0] ?? `did not start: ${firstLineOf(output)}`);
    });
  });
  return within(port, "the port of the server");
}

async function joinByBrowser(port: number): Promise<string> {
  const browser = await startBrowser();
  try {
    const page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(CLIENT_DEADLINE_MS);
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.locator(".note", { hasText: "you joined" }).waitFor();
    return "joined";
  } finally {
    await browser.close();
  }
}

function firstLineOf(text: string): string {
  return text.trim().split("\n", 1)[0] ?? "";
}
