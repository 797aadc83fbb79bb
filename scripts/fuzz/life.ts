/**
 * A life: one connection of the fuzzer, from its opening to its end. Lives are numbered. Each follows
 * from the seed and its number, so that it can be repeated without the others.
 *
 * Runs on: the fuzzer's process.
 */

import { createConnection, type Socket } from "node:net";
import { addressOf } from "../suites/addresses.ts";
import { Changes } from "../suites/changes.ts";
import type { Random } from "../suites/random.ts";

/** A fault that a life found, or undefined. */
export type LifeResult = string | undefined;

/** A connection that is ready to begin. */
export interface Life {
  /**
   * Lives.
   *
   * @param count - called with the number of frames or requests that were written
   */
  run(port: number, count: (written: number) => void): Promise<LifeResult>;
}

/** Longer than any limit of the server that closes a silent connection in the fuzzed app. */
const ANSWER_DEADLINE_MS = 60_000;

/** The TCP connection of a life. */
export class LifeSocket {
  readonly #socket: Socket;
  readonly #changes = new Changes();
  isClosed = false;

  /** @param number - of the life, which decides the client's address */
  constructor(port: number, number: number, onData: (chunk: Buffer) => void) {
    this.#socket = createConnection({ host: "127.0.0.1", port, localAddress: addressOf(number) });
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (chunk: Buffer) => {
      onData(chunk);
      this.#changes.changed();
    });
    this.#socket.on("error", () => undefined);
    this.#socket.once("close", () => {
      this.isClosed = true;
      this.#changes.changed();
    });
  }

  write(bytes: Buffer | string): void {
    if (bytes.length > 0 && this.#socket.writable) this.#socket.write(bytes);
  }

  /** Sends no more, and goes on reading. */
  halfClose(): void {
    this.#socket.end();
  }

  /** Ends the connection. */
  close(): void {
    this.#socket.destroy();
  }

  /** Runs a life, and ends the connection after it: with a reset, or without. */
  async during(random: Random, life: () => Promise<LifeResult>): Promise<LifeResult> {
    try {
      return await life();
    } finally {
      if (random.chance(0.5)) this.#socket.resetAndDestroy();
      else this.#socket.destroy();
    }
  }

  /** Waits until bytes or the close have made a condition hold. @throws Error after the deadline */
  until(isSo: () => boolean, what: string): Promise<void> {
    return this.#changes.until(isSo, what, ANSWER_DEADLINE_MS);
  }

  /** The same for a time. @returns whether it holds */
  untilOr(isSo: () => boolean, ms: number): Promise<boolean> {
    return this.#changes.untilOr(isSo, ms);
  }
}
