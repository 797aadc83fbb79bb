/**
 * A server under test in a process of its own, with its log and its figures.
 *
 * Runs on: a suite's process.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../../test/support/server.ts";
import type { HostStats } from "./host.ts";
import { ServerLog } from "./server-log.ts";

const HOST = fileURLToPath(new URL("./host.js", import.meta.url));
const START_DEADLINE_MS = 60_000;
const STATS_DEADLINE_MS = 10_000;
const RETRY_MS = 50;

/** How a process ended. Either the code or the signal is null. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The server to start. */
export interface ServerSetting {
  readonly app: URL;
  readonly shards: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** A running server. */
export class ServerProcess {
  readonly port: number;
  readonly log = new ServerLog();
  readonly #statsPort: number;
  readonly #child: ChildProcess;
  /** Set once it has ended. */
  ended: Ended | undefined = undefined;

  private constructor(child: ChildProcess, port: number, statsPort: number) {
    this.#child = child;
    this.port = port;
    this.#statsPort = statsPort;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => this.log.add(text));
    }
    const kill = (): boolean => child.kill("SIGKILL");
    process.once("exit", kill);
    child.once("exit", (code, signal) => {
      this.ended = { code, signal };
      process.removeListener("exit", kill);
    });
  }

  /** Starts a server and waits until it answers. */
  static async start({ app, shards, env = {} }: ServerSetting): Promise<ServerProcess> {
    const [port, statsPort] = [await freePort(), await freePort()];
    const words = [
      "--app",
      app.href,
      "--port",
      port,
      "--shards",
      shards,
      "--stats-port",
      statsPort,
    ];
    const child = spawn(process.execPath, [HOST, ...words.map(String)], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    const server = new ServerProcess(child, port, statsPort);
    const deadline = Date.now() + START_DEADLINE_MS;
    while ((await server.stats()) === undefined) {
      if (server.ended !== undefined) throw server.failure("ended before it answered");
      if (Date.now() > deadline) {
        child.kill("SIGKILL");
        throw server.failure(`must answer within ${START_DEADLINE_MS} ms`);
      }
      await sleep(RETRY_MS);
    }
    return server;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Returns its figures, or undefined if it does not answer. */
  stats(): Promise<HostStats | undefined> {
    const options = { host: "127.0.0.1", port: this.#statsPort, agent: false } as const;
    return new Promise((resolve) => {
      const request = get({ ...options, timeout: STATS_DEADLINE_MS }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve(JSON.parse(Buffer.concat(chunks).toString()) as HostStats),
        );
        response.on("error", () => resolve(undefined));
      });
      request.once("timeout", () => request.destroy());
      request.once("error", () => resolve(undefined));
    });
  }

  /** Returns the number of its open descriptors (Linux); undefined if unknown. */
  descriptors(): number | undefined {
    try {
      return readdirSync(`/proc/${this.pid}/fd`).length;
    } catch {
      return undefined;
    }
  }

  /** Returns its resident memory in bytes (Linux), without asking it; undefined if unknown. */
  residentBytes(): number | undefined {
    try {
      const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
      const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
      return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024;
    } catch {
      return undefined;
    }
  }

  /** Calls a function once the process has ended. */
  onEnd(listener: () => void): void {
    if (this.ended === undefined) this.#child.once("exit", listener);
    else listener();
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it with SIGTERM, or with SIGKILL if that takes too long. @returns how it ended */
  async stop(withinMs: number): Promise<Ended | "killed"> {
    if (this.ended !== undefined) return this.ended;
    const exit = once(this.#child, "exit");
    this.signal("SIGTERM");
    await Promise.race([exit, sleep(withinMs, undefined, { ref: false })]);
    if (this.ended !== undefined) return this.ended;
    this.signal("SIGKILL");
    await exit;
    return "killed";
  }

  failure(what: string): Error {
    return new Error(`the server ${what}\n${this.log.end}`);
  }
}
