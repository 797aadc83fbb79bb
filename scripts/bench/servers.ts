/**
 * Starts and stops the servers under test, each in a separate process.
 *
 * Runs on: the bench's process.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { bunExecutable, preparePeer, type PeerPackage } from "../load/peers/packages.ts";

/** The protocol of a server, as named by the generator. */
export type ServerProtocol = "phoenix" | "socket.io";

interface Program {
  /** Path relative to the compiled form of this file. */
  readonly file: string;
  /** Further arguments. */
  readonly words?: readonly string[];
  /** Environment variables that it needs. */
  readonly env?: Readonly<Record<string, string>>;
  /** Path of the socket's URL. */
  readonly path: string;
  readonly protocol?: Exclude<ServerProtocol, "phoenix">;
  /** Set if the number of threads can be configured; other servers have one thread. */
  readonly hasShards?: true;
  /** A package that the server needs and that is not a dependency of this package. */
  readonly peer?: PeerPackage;
}

/**
 * The programs of all servers. `serial` is Simurgh with `joins: "serial"`, which keeps Phoenix's order
 * in bursts too, `portable` on the portable engine, `kept` with topics that have a history, and `attached` behind an
 * `http.Server` of Node.js. `socket.io-uws` is Socket.IO on uWebSockets.js instead of `ws`.
 */
const PROGRAMS = {
  bare: { file: "./bare-engine.js", path: "/socket/websocket" },
  simurgh: { file: "./simurgh.js", path: "/socket/websocket", hasShards: true },
  serial: { file: "./simurgh.js", path: "/serial/websocket", hasShards: true },
  portable: {
    file: "./simurgh.js",
    env: { SIMURGH_ENGINE: "portable" },
    path: "/socket/websocket",
    hasShards: true,
  },
  kept: {
    file: "./simurgh.js",
    words: ["--app", "./kept-app.js"],
    path: "/socket/websocket",
    hasShards: true,
  },
  attached: {
    file: "./simurgh.js",
    words: ["--attached"],
    path: "/socket/websocket",
    hasShards: true,
  },
  ws: { file: "./peer-ws.js", path: "/socket/websocket" },
  "socket.io": {
    file: "../load/peers/socket-io.js",
    path: "/socket.io/",
    protocol: "socket.io",
    peer: "socket.io",
  },
  "socket.io-uws": {
    file: "../load/peers/socket-io.js",
    words: ["--engine", "uws"],
    path: "/socket.io/",
    protocol: "socket.io",
    peer: "socket.io",
  },
  bun: { file: "../load/peers/bun-server.js", path: "/socket/websocket", peer: "bun" },
} as const satisfies Record<string, Program>;

/** Name of a server. `bare` is the baseline; `phoenix` is started by the user. */
export type ServerName = keyof typeof PROGRAMS | "phoenix";

/** All servers, in the order of their turns. */
export const SERVER_NAMES: readonly ServerName[] = [
  ...(Object.keys(PROGRAMS) as readonly (keyof typeof PROGRAMS)[]),
  "phoenix",
];

const START_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 15_000;
const RETRY_MS = 50;
/** Maximum length of the part of a server's output that is kept, to be shown if it fails. */
const MAX_LOG_CHARACTERS = 4_000;

/** Settings of a server other than its number of shards. */
export interface ServerSetting {
  /** Environment variables in addition to those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Whether the server provides the stats of its shards (`stats.ts`). Only for servers that have
   * shards.
   */
  readonly hasStats?: boolean;
  /** The location of the server `phoenix`. */
  readonly phoenix?: Elsewhere;
}

/** A server that was started elsewhere. */
export interface Elsewhere {
  readonly url: string;
  readonly pid: number;
}

/** A server that accepts requests. */
export interface RunningServer {
  readonly pid: number;
  readonly url: string;
  readonly protocol: ServerProtocol;
  /** URL of its shards' stats, if `hasStats` is set. */
  readonly statsUrl: string | undefined;
  /**
   * Stops the server and waits for its end. Rejects if it does not end, or ends with a code other
   * than 0.
   */
  stop(): Promise<void>;
}

/**
 * Installs the packages that a server needs besides this one, which may take a while.
 *
 * @returns a line with the reason why the server cannot run here, or undefined if it can
 */
export function prepareServer(name: ServerName, tell: (line: string) => void): string | undefined {
  if (name === "phoenix") return undefined;
  const { peer }: Program = PROGRAMS[name];
  return peer === undefined ? undefined : preparePeer(peer, tell);
}

/**
 * Starts a server on a free port and waits until it responds.
 *
 * @param shards - undefined for the value in the server's environment, or its default
 */
export async function startServer(
  name: ServerName,
  shards: number | undefined,
  { env = {}, hasStats = false, phoenix }: ServerSetting = {},
): Promise<RunningServer> {
  if (name === "phoenix") return visit(phoenix);
  const port = await findFreePort();
  const statsPort = hasStats ? await findFreePort() : undefined;
  const program: Program = PROGRAMS[name];
  const words = wordsOf(program, port, program.hasShards === true ? shards : undefined);
  if (statsPort !== undefined) words.push("--stats-port", String(statsPort));
  const child = spawn(program.peer === "bun" ? bunExecutable() : process.execPath, words, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...program.env, ...env },
  });
  const log = keepLog(child);
  const kill = (): boolean => child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.removeListener("exit", kill));

  const fail = (what: string): Error => new Error(`${name}: ${what}\n${log()}`);
  await waitUntilReady(child, port, fail);
  return {
    pid: child.pid as number,
    url: `ws://127.0.0.1:${port}${program.path}`,
    protocol: program.protocol ?? "phoenix",
    statsUrl: statsPort === undefined ? undefined : `http://127.0.0.1:${statsPort}/stats`,
    stop: () => stop(child, fail),
  };
}

/** Returns the command line of a program, without its interpreter. */
function wordsOf({ file, words = [] }: Program, port: number, shards?: number): string[] {
  return [
    fileURLToPath(new URL(file, import.meta.url)),
    ...words,
    "--port",
    String(port),
    ...(shards === undefined ? [] : ["--shards", String(shards)]),
  ];
}

/** Returns a server that is already running and is left running. */
function visit(place: Elsewhere | undefined): RunningServer {
  if (place === undefined) throw new TypeError("phoenix needs a URL, got none");
  return { ...place, protocol: "phoenix", statsUrl: undefined, stop: () => Promise.resolve() };
}

function keepLog(child: ChildProcess): () => string {
  let log = "";
  const keep = (chunk: Buffer): void => {
    log = (log + chunk.toString()).slice(-MAX_LOG_CHARACTERS);
  };
  child.stdout?.on("data", keep);
  child.stderr?.on("data", keep);
  return () => log;
}

async function waitUntilReady(
  child: ChildProcess,
  port: number,
  fail: (what: string) => Error,
): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS;
  while (!(await isHealthy(port))) {
    if (child.exitCode !== null)
      throw fail(`exited with code ${child.exitCode} before it responded`);
    if (Date.now() > deadline) {
      child.kill("SIGKILL");
      throw fail(`GET /healthz must return 200 within ${START_DEADLINE_MS} ms, got none`);
    }
    await sleep(RETRY_MS);
  }
}

/** Sends one request on a separate connection, so that no connection to the server stays open. */
function isHealthy(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: "127.0.0.1", port, path: "/healthz", agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once("error", () => resolve(false));
  });
}

async function stop(child: ChildProcess, fail: (what: string) => Error): Promise<void> {
  if (child.exitCode !== null) throw fail(`had already exited with code ${child.exitCode}`);
  const ended = once(child, "exit", { signal: AbortSignal.timeout(STOP_DEADLINE_MS) });
  child.kill("SIGTERM");
  try {
    const [code, signal] = (await ended) as [number | null, string | null];
    if (code !== 0) throw fail(`must exit with code 0 on SIGTERM, got ${code ?? signal}`);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "AbortError") throw error;
    child.kill("SIGKILL");
    throw fail(`must exit within ${STOP_DEADLINE_MS} ms of SIGTERM, got a timeout`);
  }
}

/** Returns a port that is currently free. */
export async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}
