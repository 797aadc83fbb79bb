/**
 * A run of native-bench whose lines are read as they arrive.
 *
 * Runs on: the load test's process; native-bench is one of its own.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { GENERATOR } from "../bench/generator.ts";
import { readLive, type Live } from "./live.ts";
import { readResult, type GeneratorResult } from "./result.ts";

/** The end of a run. */
export interface GeneratorEnd {
  /** Undefined if it ended without a result, because of a bad option or a crash. */
  readonly result: GeneratorResult | undefined;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it wrote for people. */
  readonly report: string;
}

/** How much of its report is kept; it is a page at most. */
const MAX_REPORT_CHARACTERS = 16_000;

/** A running generator. */
export class GeneratorProcess {
  readonly #child: ChildProcess;

  constructor(words: readonly string[]) {
    this.#child = spawn(GENERATOR, words, { stdio: ["ignore", "pipe", "pipe"] });
    const kill = (): boolean => this.#child.kill("SIGKILL");
    process.once("exit", kill);
    this.#child.once("close", () => process.removeListener("exit", kill));
  }

  /** Id of its process. @throws Error if it could not be started */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${GENERATOR} could not be started`);
    return this.#child.pid;
  }

  /**
   * Reads its output to the end.
   *
   * @param onLive - called and awaited for one live line after the other
   */
  async read(onLive: (live: Live) => Promise<void>): Promise<GeneratorEnd> {
    const ended = once(this.#child, "close") as Promise<
      [code: number | null, signal: NodeJS.Signals | null]
    >;
    let report = "";
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      report = (report + chunk.toString()).slice(-MAX_REPORT_CHARACTERS);
    });
    let result: GeneratorResult | undefined;
    if (this.#child.stdout !== null) {
      for await (const line of createInterface({ input: this.#child.stdout })) {
        const live = readLive(line);
        if (live === undefined) result = readResult(line);
        else await onLive(live);
      }
    }
    const [code, signal] = await ended;
    return { result, code, signal, report };
  }
}
