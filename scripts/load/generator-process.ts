/**
 * A run of native-bench whose lines are read as they arrive.
 *
 * Runs on: the load test's process; native-bench runs in a separate process.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { GENERATOR } from "../bench/generator.ts";
import { readLive, type Live } from "./live.ts";
import { readResult, type GeneratorResult } from "./result.ts";

/** The end of a run. */
export interface GeneratorEnd {
  /** Undefined if the run ended without a result, because of a bad option or a crash. */
  readonly result: GeneratorResult | undefined;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The text report of the generator. */
  readonly report: string;
}

/** Maximum length of the report that is kept; a normal report is at most a page. */
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

  /** Id of the generator's process. @throws Error if the process could not be started */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${GENERATOR} could not be started`);
    return this.#child.pid;
  }

  /**
   * Reads the generator's output to the end.
   *
   * @param onLive - called for each live line, and awaited before the next
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
