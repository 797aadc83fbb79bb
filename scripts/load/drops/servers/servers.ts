/**
 * The servers that `npm run load:drops` compares, and one of them running in a process of its own.
 *
 * Runs on: the process of `load:drops`.
 */

import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { preparePeer, type PeerPackage } from "../../peers/packages.ts";
import { Changes } from "../../../suites/changes.ts";
import { ServerLog } from "../../../suites/server-log.ts";
import type { Scenario } from "../load.ts";
import type { Order, Report, ServerSetting } from "./orders.ts";

/** A server that can be compared. */
export interface Server {
  readonly title: string;
  /** Its program, relative to this file. */
  readonly file: string;
  /** What the names of its topics begin with, which decides what it promises. */
  readonly prefix: string;
  readonly client: "phoenix" | "socket.io";
  /** Whether it sends clients what they missed. */
  readonly sendsAgain: boolean;
  /** Whether it has to miss nothing; otherwise it is here for comparison. */
  readonly isJudged: boolean;
  readonly scenarios: readonly Scenario[];
  /** Packages to install. */
  readonly peers: readonly PeerPackage[];
}

const SIMURGH = { file: "./simurgh-server.js", client: "phoenix", peers: [] } as const;
const SOCKET_IO = {
  file: "./socket-io-server.js",
  client: "socket.io",
  isJudged: false,
  // It has no shards.
  scenarios: ["drops", "process"],
  peers: ["socket.io", "socket.io-client"],
} as const;

/** All servers, in the order of their turns. */
export const SERVERS = {
  simurgh: {
    ...SIMURGH,
    title: "Simurgh",
    prefix: "kept",
    sendsAgain: true,
    isJudged: true,
    scenarios: ["drops", "shards", "process"],
  },
  "simurgh-live": {
    ...SIMURGH,
    title: "Simurgh, no history",
    prefix: "live",
    sendsAgain: false,
    isJudged: false,
    scenarios: ["drops", "shards", "process"],
  },
  "socket.io-recovery": {
    ...SOCKET_IO,
    title: "Socket.IO, recovery",
    prefix: "recovery",
    sendsAgain: true,
  },
  "socket.io": { ...SOCKET_IO, title: "Socket.IO", prefix: "plain", sendsAgain: false },
} as const satisfies Record<string, Server>;

/** Name of a server. */
export type ServerName = keyof typeof SERVERS;

/** Names of all servers. */
export const SERVER_NAMES = Object.keys(SERVERS) as readonly ServerName[];

/** Installs what a server needs. @returns why it cannot run here, or undefined if it can */
export function prepareServer(name: ServerName, tell: (line: string) => void): string | undefined {
  for (const peer of SERVERS[name].peers) {
    const trouble = preparePeer(peer, tell);
    if (trouble !== undefined) return trouble;
  }
  return undefined;
}

const START_DEADLINE_MS = 60_000;
/** Longer than a drain with default limits. */
const STOP_DEADLINE_MS = 120_000;

/** A running server. */
export class RunningServer {
  readonly #title: string;
  readonly #child: ChildProcess;
  readonly #log = new ServerLog();
  readonly #changes = new Changes();
  readonly #reports = new Map<Report["kind"], Report>();
  #hasEnded = false;

  private constructor(title: string, child: ChildProcess) {
    this.#title = title;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => this.#log.add(text));
    }
    const kill = (): boolean => child.kill("SIGKILL");
    process.once("exit", kill);
    child.on("message", (report: Report) => {
      this.#reports.set(report.kind, report);
      this.#changes.changed();
    });
    child.once("exit", () => {
      this.#hasEnded = true;
      process.removeListener("exit", kill);
      this.#changes.changed();
    });
  }

  /** Starts a server, and waits until it listens. */
  static async start(
    name: ServerName,
    setting: Omit<ServerSetting, "prefix">,
    env: Readonly<Record<string, string>>,
  ): Promise<RunningServer> {
    const { title, file, prefix } = SERVERS[name];
    const words = Object.entries({ ...setting, prefix }).flatMap(([option, value]) => [
      `--${option}`,
      String(value),
    ]);
    const child = fork(fileURLToPath(new URL(file, import.meta.url)), words, {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: { SIMURGH_LOG_LEVEL: "warn", ...process.env, ...env },
    });
    const server = new RunningServer(title, child);
    await server.#reported("ready", START_DEADLINE_MS);
    return server;
  }

  /** Publishes messages, by their positions among those of all topics. @throws Error if it has failed */
  publish(from: number, to: number): void {
    this.#check();
    this.#order({ kind: "publish", from, to });
  }

  /** Publishes the mark behind the last message of each topic. */
  async end(): Promise<void> {
    this.#order({ kind: "end" });
    await this.#reported("ended", START_DEADLINE_MS);
  }

  /** Restarts all shards in turn. */
  async restartShards(): Promise<void> {
    this.#order({ kind: "restart" });
    await this.#reported("restarted", STOP_DEADLINE_MS);
  }

  /** Drains and stops it, while it publishes. @returns the position behind its last message */
  async stop(): Promise<number> {
    const exit = once(this.#child, "exit", { signal: AbortSignal.timeout(STOP_DEADLINE_MS) });
    this.#order({ kind: "stop" });
    try {
      const report = await this.#reported("stopping", STOP_DEADLINE_MS);
      const [code] = (await exit) as [number | null];
      if (code !== 0) throw this.#failure(`must exit with code 0, got ${code}`);
      return report.kind === "stopping" ? report.to : 0;
    } finally {
      this.kill();
    }
  }

  /** Ends it at once. Does nothing if it has ended. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #order(order: Order): void {
    if (this.#child.connected) this.#child.send(order);
  }

  async #reported(kind: Report["kind"], withinMs: number): Promise<Report> {
    const isDecided = (): boolean =>
      this.#hasEnded || this.#reports.has(kind) || this.#reports.has("failed");
    await this.#changes.untilOr(isDecided, withinMs);
    this.#check();
    const report = this.#reports.get(kind);
    if (report === undefined) throw this.#failure(`must be ${kind} within ${withinMs} ms`);
    return report;
  }

  #check(): void {
    const failed = this.#reports.get("failed");
    if (failed?.kind === "failed") throw this.#failure(`failed: ${failed.reason}`);
    if (this.#hasEnded && !this.#reports.has("stopping")) throw this.#failure("ended by itself");
  }

  #failure(what: string): Error {
    return new Error(`${this.#title} ${what}\n${this.#log.end}`);
  }
}
