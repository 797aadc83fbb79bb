/**
 * Sends bytes to a server as they are, and reads what comes back, as bytes of one HTTP connection.
 *
 * Runs on: the test's thread.
 */

import { once } from "node:events";
import { connect } from "node:net";

import { within } from "./deadline.ts";

/** Returns a request with these header lines, whose body is `body`. */
export function requestOf(
  line: string,
  headers: readonly string[] = [],
  body: string = "",
): string {
  return `${[`${line} HTTP/1.1`, "Host: localhost", ...headers].join("\r\n")}\r\n\r\n${body}`;
}

/** What else a client does on its connection. */
export interface Manners {
  /** Whether it ends its side after it has sent the text. */
  readonly isHalfClosed?: boolean;
  /** What it sends once an answer has begun. */
  readonly afterAnswer?: string;
}

/**
 * Sends text (latin1), and returns all that the server sends until it closes the connection. Send a request with
 * `Connection: close` last, or one after which the server closes.
 */
export async function exchanged(
  port: number,
  text: string,
  { isHalfClosed = false, afterAnswer }: Manners = {},
): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => pieces.push(piece));
  socket.on("error", () => undefined);
  socket.once("end", () => socket.end());
  if (afterAnswer !== undefined) socket.once("data", () => socket.write(afterAnswer, "latin1"));
  socket.write(text, "latin1");
  if (isHalfClosed) socket.end();
  await within(once(socket, "close"), "the end of the connection", 20_000);
  return Buffer.concat(pieces).toString("latin1");
}

/** Returns the status of each answer in what a server sent. */
export function statusesOf(got: string): number[] {
  return [...got.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}
