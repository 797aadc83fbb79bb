/**
 * The program psql, to which a test types SQL, and a session of the transport as such a program uses it.
 *
 * Runs on: the test's thread; psql is a process of its own.
 */

import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { within } from "./deadline.ts";

const PROGRAM = "/usr/bin/psql";
const END = "-- end of the answer --";

/** A psql that runs. */
export class Psql {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  /** @param url - of the database and its role */
  constructor(url: string) {
    // Tuples only, unaligned, without the user's own settings. Errors go where the answers go.
    const flags = ["-X", "-q", "-t", "-A", "-v", "VERBOSITY=terse", url];
    this.#process = spawn("sh", ["-c", 'exec "$0" "$@" 2>&1', PROGRAM, ...flags]);
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** Types a statement. @returns the lines of the answer, and of notifications that have come */
  async type(sql: string): Promise<string[]> {
    this.#process.stdin.write(`${sql};\n\\echo ${END}\n`);
    const lines: string[] = [];
    for (;;) {
      const { value, done } = await within(this.#lines.next(), `psql's answer to ${sql}`);
      if (done || value === END) return lines;
      lines.push(value);
    }
  }

  /** Types a statement again and again until its answer has a line. */
  async typeUntilAnswered(sql: string): Promise<string[]> {
    const deadline = Date.now() + 30_000;
    for (;;) {
      const lines = await this.type(sql);
      if (lines.length > 0) return lines;
      if (Date.now() > deadline) throw new Error(`psql got no answer to ${sql}`);
    }
  }

  async end(): Promise<void> {
    const ended = once(this.#process, "exit");
    this.#process.stdin.end("\\q\n");
    await within(ended, "the end of psql");
  }
}
