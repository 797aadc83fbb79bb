/**
 * The processes of a measurement of transports: the server, and its clients.
 *
 * Runs on: the process that measures.
 */

import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import type { Order } from "./costs-clients.ts";

/** The processes of a measurement. */
export class Parts {
  readonly server: ChildProcess;
  readonly #clients: ChildProcess;
  readonly port: number;

  private constructor(server: ChildProcess, clients: ChildProcess, port: number) {
    this.server = server;
    this.#clients = clients;
    this.port = port;
  }

  static async start(environment: NodeJS.ProcessEnv = {}): Promise<Parts> {
    const env = { ...process.env, ...environment };
    const server = fork(fileURLToPath(new URL("costs-server.js", import.meta.url)), { env });
    const [port] = (await once(server, "message")) as [number];
    const clients = fork(fileURLToPath(new URL("costs-clients.js", import.meta.url)));
    return new Parts(server, clients, port);
  }

  /** Tells the clients what to do. @returns their answer */
  async ordered(order: Order): Promise<number> {
    this.#clients.send(order);
    const [answer] = (await once(this.#clients, "message")) as [number];
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = [this.server, this.#clients].map(async (child) => once(child, "exit"));
    this.#clients.kill("SIGKILL");
    this.server.kill("SIGKILL");
    await Promise.all(ended);
  }
}
