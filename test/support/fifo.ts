/**
 * A pipe whose both ends are in this process.
 *
 * Runs on: the test's thread.
 */

import { execFileSync } from "node:child_process";
import { constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { within } from "./deadline.ts";

/** A pipe. Nothing is read before `read` is called for the first time. */
export class Fifo {
  readonly #folder = mkdtempSync(join(tmpdir(), "fifo-"));
  readonly #path = join(this.#folder, "fifo");
  /** The descriptor to write to. It blocks, as standard error does. */
  readonly descriptor: number;
  #reader: Socket | undefined;
  #text = "";
  #changed: () => void = () => {};

  constructor() {
    execFileSync("mkfifo", [this.#path]);
    this.open();
    this.descriptor = openSync(this.#path, constants.O_WRONLY);
  }

  /** Opens the end that reads. */
  open(): void {
    const fd = openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#reader = new Socket({ fd, readable: true, writable: false });
  }

  /** Closes the end that reads. */
  close(): void {
    this.#reader?.destroy();
    this.#reader = undefined;
  }

  /** Reads until the text matches, and returns all of it. */
  async read(until: RegExp): Promise<string> {
    this.#reader?.setEncoding("utf8").removeAllListeners("data");
    this.#reader?.on("data", (text: string) => {
      this.#text += text;
      this.#changed();
    });
    const matched = new Promise<void>((resolve) => {
      this.#changed = () => {
        if (until.test(this.#text)) resolve();
      };
      this.#changed();
    });
    await within(matched, `${String(until)} in the pipe`);
    return this.#text;
  }

  /** Closes the end that reads. The writer's thread closes the other one when it ends. */
  remove(): void {
    this.close();
    rmSync(this.#folder, { recursive: true });
  }
}
