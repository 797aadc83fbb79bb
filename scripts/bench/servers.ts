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

interface Program {
  /** Beside this file's compiled form. */
  readonly file: string;
  /** Path of the socket. */
  readonly path: string;
  /** True where it has as many threads as it is told; the others have one. */
  readonly hasShards: boolean;
}

/** Each server. `serial` is Simurgh with `joins: "serial"`: the order of Phoenix, in bursts too. */
const PROGRAMS = {
  bare: { file: "./bare-engine.js", path: "/socket", hasShards: false },
  simurgh: { file: "./simurgh.js", path: "/socket", hasShards: true },
  serial: { file: "./simurgh.js", path: "/serial", hasShards: true },
  ws: { file: "./peer-ws.js", path: "/socket", hasShards: false },
} as const satisfies Record<string, Program>;

/** Name of a server. `bare` is the yardstick. */
export type ServerName = keyof typeof PROGRAMS;

/** All servers, in the order in which they take turns. */
export const SERVER_NAMES = Object.keys(PROGRAMS) as readonly ServerName[];

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
}

/** A server that answers. */
export interface RunningServer {
  readonly pid: number;
  readonly url: string;
  /** Where it tells the numbers of its shards, if that was asked for. */
  readonly statsUrl: string | undefined;
  /** Asks it to end, and waits; rejects where it does not, or ends with another code than 0. */
  stop(): Promise<void>;
}

/**
 * Starts a server on a free port of this machine and waits until it answers.
 *
 * @param shards - undefined: as many as its environment says, or as it has by itself
 */
export async function startServer(
  name: ServerName,
  shards: number | undefined,
  { env = {}, hasStats = false }: ServerSetting = {},
): Promise<RunningServer> {
  const port = await findFreePort();
  const statsPort = hasStats ? await findFreePort() : undefined;
  const { file, path, hasShards }: Program = PROGRAMS[name];
  const words = [fileURLToPath(new URL(file, import.meta.url)), "--port", String(port)];
  if (hasShards && shards !== undefined) words.push("--shards", String(shards));
  if (statsPort !== undefined) words.push("--stats-port", String(statsPort));
  const child = spawn(process.execPath, words, {
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
    url: `ws://127.0.0.1:${port}${path}/websocket`,
    statsUrl: statsPort === undefined ? undefined : `http://127.0.0.1:${statsPort}/stats`,
    stop: () => stop(child, fail),
  };
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

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}
