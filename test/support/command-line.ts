/**
 * Runs the `simurgh` command as a process of its own.
 *
 * Runs on: the test's thread.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { within } from "./deadline.ts";

const COMMAND = fileURLToPath(new URL("../../src/cli/simurgh.js", import.meta.url));

/** How a process ended, and everything that it printed. */
export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** A running `simurgh`. */
export class CommandLine {
  readonly process: ChildProcess;
  /** What it has printed so far, by stream. */
  out = "";
  err = "";
  readonly #closed: Promise<unknown[]>;
  readonly #waiting = new Set<() => void>();

  /** @param descriptors - how many files the process may open; left out: as many as ours */
  constructor(
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    descriptors?: number,
  ) {
    const env = { ...process.env, ...environment };
    const command = [process.execPath, COMMAND, ...args];
    const limited = ["sh", "-c", `ulimit -n ${descriptors}; exec "$0" "$@"`, ...command];
    const [file = "", ...rest] = descriptors === undefined ? command : limited;
    this.process = spawn(file, rest, { env, stdio: "pipe" });
    this.process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.out += text;
      for (const look of this.#waiting) look();
    });
    this.process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.err += text;
    });
    this.#closed = once(this.process, "close");
  }

  /** Resolves with the match once its output matches. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    const seen = new Promise<RegExpExecArray>((resolve) => {
      const look = (): void => {
        const match = pattern.exec(this.out);
        if (match) resolve(match);
      };
      this.#waiting.add(look);
      look();
    });
    const ended = this.#closed.then(() => {
      throw new Error(`simurgh ended without printing ${pattern}`);
    });
    try {
      return await within(Promise.race([seen, ended]), `${pattern} on standard output`);
    } catch (cause) {
      throw new Error(`${String(cause)}; printed: ${this.out}${this.err}`, { cause });
    }
  }

  /** Resolves once standard error contains a text. */
  async logged(text: string): Promise<void> {
    while (!this.err.includes(text)) {
      const { stderr } = this.process;
      if (!stderr) throw new Error("the process has no standard error");
      await within(once(stderr, "data"), `"${text}" on standard error`);
    }
  }

  /** Resolves with the port that it printed. */
  async port(): Promise<number> {
    const [, port] = await this.printed(/^ {2}address {2}https?:\/\/[^\n]*:(\d+)$/m);
    return Number(port);
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** Resolves when it has ended. */
  async ended(): Promise<Outcome> {
    const [code, signal] = await within(this.#closed, "the end of simurgh", 20_000);
    return {
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      out: this.out,
      err: this.err,
    };
  }

  /** Kills it at the end of a test, which may have failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGKILL");
    await this.#closed;
  }
}
