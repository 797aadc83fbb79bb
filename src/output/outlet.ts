/**
 * Writes to standard output or standard error without ever waiting for their reader.
 *
 * A pipe or socket is made non-blocking, as Node.js itself does for `process.stderr`. A terminal is
 * opened a second time for that, so that other programs in it are not affected. Files are written
 * directly. If a pipe blocked, the process could not exit while nobody reads it, since Node.js
 * waits for its threads.
 *
 * Runs on: the writer's thread; main, for the messages of the command line.
 */

import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { isatty } from "node:tty";

import { codeOf } from "../errors.ts";
import { BLOCKED, FAILED, OPEN } from "./queue-layout.ts";

/** A stream to write to. */
export class Outlet {
  /** OPEN, BLOCKED or FAILED, after the last write. */
  state: typeof OPEN | typeof BLOCKED | typeof FAILED = OPEN;
  /** Code of the error if the last write failed. */
  code: string | undefined = undefined;
  readonly #given: number;
  #descriptor: number | undefined = undefined;
  /** Kept, because a socket that is collected as garbage closes its descriptor. */
  readonly #sockets: Socket[] = [];

  /** @param descriptor - 1 or 2 */
  constructor(descriptor: number) {
    this.#given = descriptor;
  }

  /** Writes as much as the stream takes. @returns the number of bytes written */
  write(bytes: Uint8Array): number {
    let written = 0;
    try {
      this.#descriptor ??= this.#open();
      while (written < bytes.length) {
        written += writeSync(this.#descriptor, bytes, written, bytes.length - written);
      }
      this.state = OPEN;
      this.code = undefined;
    } catch (error) {
      this.code = codeOf(error);
      this.state = this.code === "EAGAIN" ? BLOCKED : FAILED;
    }
    return written;
  }

  #open(): number {
    const fd = this.#given;
    const stats = fstatSync(fd);
    if (stats.isFIFO() || stats.isSocket()) {
      this.#sockets.push(new Socket({ fd, readable: false, writable: true }).unref());
    } else if (isatty(fd)) return reopened(fd);
    return fd;
  }
}

function reopened(fd: number): number {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    // Only Linux has /proc. Elsewhere, a terminal that was stopped stops the writer too.
    return fd;
  }
}
