/**
 * A client of the example transport: lines over TCP.
 *
 * Runs on: the test's thread.
 */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

import { within } from "./deadline.ts";
import type { RawClient } from "./raw-client.ts";

const DEADLINE_MS = 10_000;

async function connected(port: number): Promise<Socket> {
  const deadlineMs = performance.now() + DEADLINE_MS;
  for (;;) {
    const tcp = connect(port, "127.0.0.1");
    try {
      await once(tcp, "connect");
      // While nothing listens, the system may assign the target port to the client itself, which then
      // connects to itself.
      if (tcp.localPort !== port) return tcp;
      tcp.destroy();
    } catch (cause) {
      if ((cause as { code?: string }).code !== "ECONNREFUSED") throw cause;
      if (performance.now() > deadlineMs)
        throw new Error(`nothing listens on port ${port}`, { cause });
    }
  }
}

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
    const tcp = await connected(port);
    tcp.write(`${hello}\n`);
    return new LineClient(tcp);
  }

  async send(frame: string | Uint8Array): Promise<void> {
    const isText = typeof frame === "string";
    this.tcp.write(isText ? `${frame}\n` : `=${Buffer.from(frame).toString("base64")}\n`);
    await Promise.resolve();
  }

  async next(): Promise<string> {
    const { value, done } = await within(this.#lines.next(), "a line");
    if (done === true) throw new Error("the connection ended before a line arrived");
    const line = value;
    if (!line.startsWith("=")) return line;
    return `hex ${Buffer.from(line.slice(1), "base64").toString("hex")}`;
  }

  async closed(): Promise<string> {
    for (;;) {
      const { value, done } = await within(this.#lines.next(), "the end");
      if (done === true) return within(this.#closed, "the end");
      const line = value;
      if (line.startsWith("! ")) this.#end = line.slice(2).trim();
    }
  }

  async close(): Promise<void> {
    this.tcp.end();
    await this.closed();
  }
}
