/**
 * `simurgh serve` in a process of its own, with outputs, limits and variables as a fault needs them.
 *
 * Runs on: the chaos suite's process.
 */

import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../../test/support/server.ts";
import { ServerLog, type LineName } from "../suites/server-log.ts";
import type { Ended } from "../suites/server-process.ts";

const COMMAND = fileURLToPath(new URL("../../src/cli/simurgh.js", import.meta.url));
const APP = fileURLToPath(new URL("./app.js", import.meta.url));
const START_DEADLINE_MS = 60_000;
const RETRY_MS = 50;
const CLOCK_TICK_MS = 10;

/** How a server is started. */
export interface ServedSetting {
  readonly stdio?: StdioOptions;
  readonly env?: Readonly<Record<string, string>>;
  /** How many files the process may open. */
  readonly descriptors?: number;
  /** Left out for a free one. */
  readonly port?: number;
}

/** Short limits, so that a fault's outcome is seen soon. Their defaults are the same in kind. */
const ENV = {
  SIMURGH_SHARDS: "2",
  SIMURGH_HOST: "127.0.0.1",
  SIMURGH_LOG_LEVEL: "warn",
  SIMURGH_SECRET_KEY_BASE: "nothing is secret in a test server ".repeat(2),
  SIMURGH_SHUTDOWN_MS: "1000",
  SIMURGH_DRAIN_MS: "1000",
  SIMURGH_DRAIN_LIMIT_MS: "1000",
};

/** A running server. */
export class Served {
  readonly child: ChildProcess;
  readonly port: number;
  /** What it wrote to both outputs, as far as they are pipes that are read. */
  readonly log = new ServerLog();
  ended: Ended | undefined = undefined;

  private constructor(child: ChildProcess, port: number) {
    this.child = child;
    this.port = port;
    const kill = (): boolean => child.kill("SIGKILL");
    process.once("exit", kill);
    child.once("exit", (code, signal) => {
      this.ended = { code, signal };
      process.removeListener("exit", kill);
      this.log.changes.changed();
    });
  }

  /** Starts a server without waiting for it. Its outputs are not read. */
  static async spawn(setting: ServedSetting = {}): Promise<Served> {
    const { stdio = ["ignore", "pipe", "pipe"], env = {}, descriptors } = setting;
    const port = setting.port ?? (await freePort());
    const command = [process.execPath, COMMAND, "serve", APP];
    const limited = ["sh", "-c", `ulimit -n ${descriptors}; exec "$0" "$@"`, ...command];
    const [file = "", ...words] = descriptors === undefined ? command : limited;
    const given = { ...process.env, ...ENV, SIMURGH_PORT: String(port), ...env };
    return new Served(spawn(file, words, { env: given, stdio }), port);
  }

  /** Starts a server whose outputs are read, and waits until it answers. */
  static async start(setting: ServedSetting = {}): Promise<Served> {
    const served = await Served.spawn(setting);
    served.readOutputs();
    await served.ready();
    return served;
  }

  readOutputs(): void {
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => this.log.add(text));
    }
  }

  /**
   * Waits until it has logged lines, as many as given in all.
   *
   * @throws Error if it ends before, or after the time
   */
  logged(names: LineName | readonly LineName[], atLeast = 1): Promise<void> {
    const all = [names].flat();
    const count = (): number => all.reduce((sum, name) => sum + this.log.count(name), 0);
    return this.#seen(() => count() >= atLeast, `${atLeast} lines ${all.join(" or ")}`);
  }

  /** Waits until it has written a text as often as given. @throws as `logged` */
  wrote(text: string, atLeast = 1): Promise<void> {
    return this.#seen(() => this.log.end.split(text).length > atLeast, `"${text}"`);
  }

  async #seen(isSo: () => boolean, what: string): Promise<void> {
    await this.log.changes.until(() => isSo() || this.ended !== undefined, `${what} in the log`);
    if (!isSo()) throw new Error(`the server ended before it wrote ${what}`);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** CPU time of the process so far, in ms (Linux). */
  get cpuMs(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, "utf8").split(") ").at(-1)?.split(" ");
    const [user = "0", system = "0"] = fields?.slice(11, 13) ?? [];
    return (Number(user) + Number(system)) * CLOCK_TICK_MS;
  }

  /** Waits until it answers. */
  async ready(): Promise<void> {
    const deadline = performance.now() + START_DEADLINE_MS;
    while ((await this.statusOf("/healthz")) !== 200) {
      if (this.ended !== undefined) throw new Error(`the server ended early\n${this.log.end}`);
      if (performance.now() > deadline) throw new Error("the server does not answer");
      await sleep(RETRY_MS);
    }
  }

  /** Returns the status of a request on a connection of its own, or 0 without an answer. */
  statusOf(path: string, timeoutMs = 5_000): Promise<number> {
    const options = { host: "127.0.0.1", port: this.port, path, agent: false, timeout: timeoutMs };
    return new Promise((resolve) => {
      const request = get(options, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      request.once("timeout", () => request.destroy());
      request.once("error", () => resolve(0));
    });
  }

  /** Sends a signal and waits for the end. @returns how it ended, or undefined after the time */
  async endBy(signal: NodeJS.Signals, withinMs: number): Promise<Ended | undefined> {
    this.child.kill(signal);
    return this.end(withinMs);
  }

  /** Waits for its end. @returns how it ended, or undefined after the time */
  async end(withinMs: number): Promise<Ended | undefined> {
    if (this.ended === undefined) {
      const exit = once(this.child, "exit", { signal: AbortSignal.timeout(withinMs) });
      await exit.catch(() => undefined);
    }
    return this.ended;
  }

  /** Kills it if it still runs. */
  async kill(): Promise<void> {
    if (this.ended !== undefined) return;
    this.child.kill("SIGCONT");
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
  }
}
