/**
 * A client of the example transport: lines over TCP.
 *
 * Runs on: the test's thread.
 */

import { once } from "node:events";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";

import { dial, lineOf, type Line } from "../examples/lines/client.ts";
import { within } from "./deadline.ts";
import type { RawClient } from "./raw-client.ts";

const DEADLINE_MS = 10_000;

/** One connection. */
export class LineClient implements RawClient {
  readonly tcp: Socket;
  readonly #lines: AsyncIterator<string>;
  readonly #closed: Promise<string>;
  #end = "1006";

  private constructor(tcp: Socket) {
    this.tcp = tcp;
    tcp.on("error", () => {});
    this.#lines = createInterface({ input: tcp })[Symbol.asyncIterator]();
    this.#closed = once(tcp, "close").then(() => this.#end);
  }

  /**
   * Connects as soon as the server listens.
   *
   * @param hello - path and parameters of the connection
   */
  static async connect(port: number, hello: string): Promise<LineClient> {
    const tcp = await dial(port, DEADLINE_MS);
    tcp.write(`${hello}\n`);
    return new LineClient(tcp);
  }

  async send(frame: string | Uint8Array): Promise<void> {
    this.tcp.write(lineOf(frame));
    await Promise.resolve();
  }

  async next(): Promise<string> {
    const line = await this.#next("a line");
    if (line === undefined) throw new Error("the connection ended before a line arrived");
    if (typeof line === "string") return line;
    if (Array.isArray(line)) return `hex ${Buffer.from(line).toString("hex")}`;
    throw new Error(`the server ended the connection: ${JSON.stringify(line)}`);
  }

  async closed(): Promise<string> {
    for (;;) {
      const line = await this.#next("the end");
      if (line === undefined) return within(this.#closed, "the end");
      if (typeof line !== "object" || Array.isArray(line)) continue;
      this.#end = "end" in line ? `${line.end} ${line.text}`.trim() : line.refused;
    }
  }

  async close(): Promise<void> {
    this.tcp.end();
    await this.closed();
  }

  async #next(what: string): Promise<Line | undefined> {
    const { value, done } = await within(this.#lines.next(), what);
    return done === true ? undefined : (JSON.parse(value) as Line);
  }
}
