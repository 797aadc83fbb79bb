/**
 * Sends what tasks print to main, which puts it into the output queue.
 *
 * Threads of the pool come and go, so they have no rings of their own.
 *
 * Runs on: a thread of the task pool.
 * Full: a thread sends at most MAX_BYTES within WINDOW_MS, so that no more can wait for main.
 *       Further writes are dropped, and counted in the next message.
 */

import type { OutputTaker } from "../output/captured-output.ts";

/** Output of a thread of the pool. */
export interface TaskOutputMessage {
  readonly kind: "taskOutput";
  readonly stream: number;
  readonly text: string | Uint8Array;
  /** Number of writes to the stream that were dropped before this one. */
  readonly dropped: number;
}

const MAX_BYTES = 262_144;
const WINDOW_MS = 1_000;

/** Takes the output of a thread of the pool. */
export class TaskOutput implements OutputTaker {
  readonly #tell: (message: TaskOutputMessage) => void;
  readonly #clock: () => number;
  readonly #dropped = [0, 0];
  #bytes = 0;
  #windowEndsMs = 0;

  constructor(tell: (message: TaskOutputMessage) => void, clock: () => number) {
    this.#tell = tell;
    this.#clock = clock;
  }

  write(stream: number, text: string | Uint8Array): boolean {
    const nowMs = this.#clock();
    if (nowMs >= this.#windowEndsMs) {
      this.#windowEndsMs = nowMs + WINDOW_MS;
      this.#bytes = 0;
    }
    const dropped = this.#dropped[stream] as number;
    const bytes = typeof text === "string" ? Buffer.byteLength(text) : text.length;
    if (this.#bytes + bytes > MAX_BYTES) {
      this.#dropped[stream] = dropped + 1;
      return false;
    }
    this.#bytes += bytes;
    this.#dropped[stream] = 0;
    this.#tell({ kind: "taskOutput", stream, text, dropped });
    return true;
  }
}

/** Reports whether a message of a thread of the pool is output. */
export function isTaskOutput(message: unknown): message is TaskOutputMessage {
  const isObject = typeof message === "object" && message !== null && "kind" in message;
  return isObject && message.kind === "taskOutput";
}
