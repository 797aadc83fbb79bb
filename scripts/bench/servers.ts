/**
 * The servers that are measured: starts one as a process of its own, and stops it.
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

/** What a server speaks, as the generator names it. */
export type ServerProtocol = "phoenix" | "socket.io";

interface Program {
  /** Beside this file's compiled form. */
  readonly file: string;
  /** Further words of its command line. */
  readonly words?: readonly string[];
  /** Path of the socket's URL. */
  readonly path: string;
  readonly protocol?: Exclude<ServerProtocol, "phoenix">;
  /** True where it has as many threads as it is told; the others have one. */
  readonly hasShards?: true;
  /** The package that it needs and this one does not have. */
  readonly peer?: PeerPackage;
}

/**
 * Each program that is started. `serial` is Simurgh with `joins: "serial"`: the order of Phoenix, in
 * bursts too. `socket.io-uws` is Socket.IO on uWebSockets.js in the place of `ws`.
 */
const PROGRAMS = {
  bare: { file: "./bare-engine.js", path: "/socket/websocket" },
  simurgh: { file: "./simurgh.js", path: "/socket/websocket", hasShards: true },
  serial: { file: "./simurgh.js", path: "/serial/websocket", hasShards: true },
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

/** Name of a server. `bare` is the yardstick, `phoenix` one that somebody else has started. */
export type ServerName = keyof typeof PROGRAMS | "phoenix";

/** All servers, in the order in which they take turns. */
export const SERVER_NAMES: readonly ServerName[] = [
  ...(Object.keys(PROGRAMS) as readonly (keyof typeof PROGRAMS)[]),
  "phoenix",
];

const START_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 15_000;
const RETRY_MS = 50;
/** What is kept of a server's output, to be shown when it fails. */
const MAX_LOG_CHARACTERS = 4_000;

/** How a server is started, besides how many shards it has. */
export interface ServerSetting {
  /** Variables of its environment, beside ours. */
  readonly env?: Readonly<Record<string, string>>;
  /** True: it tells the numbers of its shards (`stats.ts`). For servers that have shards. */
  readonly hasStats?: boolean;
  /** Where `phoenix` is. */
  readonly phoenix?: Elsewhere;
}

/** A server that is not ours to start or stop. */
export interface Elsewhere {
  readonly url: string;
  readonly pid: number;
}

/** A server that answers. */
export interface RunningServer {
  readonly pid: number;
  readonly url: string;
  readonly protocol: ServerProtocol;
  /** Where it tells the numbers of its shards, if that was asked for. */
  readonly statsUrl: string | undefined;
  /** Asks it to end, and waits; rejects where it does not, or ends with another code than 0. */
  stop(): Promise<void>;
}

/**
 * Gets ready what a server needs beside this package, which may take a while.
 *
 * @returns a line in words where it cannot run here; undefined: it is ready
 */
export function prepareServer(name: ServerName, tell: (line: string) => void): string | undefined {
  if (name === "phoenix") return undefined;
  const { peer }: Program = PROGRAMS[name];
  return peer === undefined ? undefined : preparePeer(peer, tell);
}

/**
 * Starts a server on a free port of this machine and waits until it answers.
 *
 * @param shards - undefined: as many as its environment says, or as it has by itself
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
    env: { ...process.env, ...env },
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

/** The command line that starts a program, without its interpreter. */
function wordsOf({ file, words = [] }: Program, port: number, shards?: number): string[] {
  return [
    fileURLToPath(new URL(file, import.meta.url)),
    ...words,
    "--port",
    String(port),
    ...(shards === undefined ? [] : ["--shards", String(shards)]),
  ];
}

/** A server that runs already, and goes on running. */
function visit(place: Elsewhere | undefined): RunningServer {
  if (place === undefined) throw new TypeError("phoenix must have an address, got none");
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
    if (child.exitCode !== null) throw fail(`ended with code ${child.exitCode} before it answered`);
    if (Date.now() > deadline) {
      child.kill("SIGKILL");
      throw fail(`GET /healthz gave no 200 within ${START_DEADLINE_MS} ms`);
    }
    await sleep(RETRY_MS);
  }
}

/** One request on a connection of its own, so that the server keeps none of ours. */
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
  if (child.exitCode !== null) throw fail(`had ended by itself with code ${child.exitCode}`);
  const ended = once(child, "exit", { signal: AbortSignal.timeout(STOP_DEADLINE_MS) });
  child.kill("SIGTERM");
  try {
    const [code, signal] = (await ended) as [number | null, string | null];
    if (code !== 0) throw fail(`must end with code 0 on SIGTERM, got ${code ?? signal}`);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "AbortError") throw error;
    child.kill("SIGKILL");
    throw fail(`had not ended ${STOP_DEADLINE_MS} ms after SIGTERM`);
  }
}

/** A port that nobody listens on now. */
export async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}
