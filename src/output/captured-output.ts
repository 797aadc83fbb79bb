/**
 * Sends what user code of a thread prints to the output queue: `console`, `process.stdout` and
 * `process.stderr`.
 *
 * Node.js itself passes the output of a thread to main, which would keep it without a limit while
 * nobody reads. The streams are kept; only the functions that write what they have buffered are replaced.
 *
 * Runs on: shards, the link, threads of the task pool.
 */

import type { Writable } from "node:stream";

import { STDERR, STDOUT } from "./queue-layout.ts";

/** Takes output: an OutputQueue, or the sender of a thread that has none. */
export interface OutputTaker {
  write(stream: number, text: string | Uint8Array): boolean;
}

/** Redirects the output of this thread. */
export function captureOutput(taker: OutputTaker): void {
  capture(process.stdout, STDOUT, taker);
  capture(process.stderr, STDERR, taker);
}

type Done = () => void;

interface Piece {
  readonly chunk: unknown;
  readonly encoding: BufferEncoding;
}

function capture(stream: Writable, number: number, taker: OutputTaker): void {
  const take = (chunk: unknown, encoding: BufferEncoding): void => {
    if (chunk instanceof Uint8Array) taker.write(number, chunk);
    else if (encoding === "utf8" || encoding === "utf-8") taker.write(number, String(chunk));
    else taker.write(number, Buffer.from(String(chunk), encoding));
  };
  Object.assign(stream, {
    _write: (chunk: unknown, encoding: BufferEncoding, done: Done) => {
      take(chunk, encoding);
      done();
    },
    _writev: (pieces: readonly Piece[], done: Done) => {
      for (const { chunk, encoding } of pieces) take(chunk, encoding);
      done();
    },
  });
}
