/**
 * Clients that connect, get one answer and disconnect, again and again, and count how their connections end.
 *
 * Runs on: a thread of its own, so that they connect also while the test's thread is busy.
 */
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

import { Deferred } from "./world.ts";

/** How connections ended: `answered`, the error code of the system, or `closed` without an answer. */
export type Ends = Readonly<Record<string, number>>;

interface Start {
  readonly port: number;
  readonly count: number;
  readonly path: string;
}

const ANSWERED = "answered";

/** So many clients at a time. */
export class Connector {
  readonly #worker: Worker;
  readonly #ends = new Deferred<Ends>();

  /** @param path - of a route that answers 200 */
  constructor(port: number, count: number, path: string) {
    const connecting: Start = { port, count, path };
    this.#worker = new Worker(fileURLToPath(import.meta.url), { workerData: { connecting } });
    this.#worker.on("error", (error) => this.#ends.reject(error));
    this.#worker.on("message", (ends: Ends) => this.#ends.resolve(ends));
  }

  /** Ends it, once each client has finished. @returns how often connections ended in each way */
  async finish(): Promise<Ends> {
    this.#worker.postMessage("finish");
    const ends = await this.#ends.promise;
    await this.#worker.terminate();
    return ends;
  }
}

async function connectAll({ port, count, path }: Start): Promise<Ends> {
  const ends: Record<string, number> = {};
  let isFinished = false;
  parentPort?.once("message", () => {
    isFinished = true;
  });
  const connectOn = async (): Promise<void> => {
    while (!isFinished) {
      const end = await connectOnce(port, path);
      ends[end] = (ends[end] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: count }, connectOn));
  return ends;
}

async function connectOnce(port: number, path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    let end = "closed";
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (end === "closed") end = error.code ?? error.message;
    });
    socket.on("data", (data: Buffer) => {
      if (data.toString("latin1").startsWith("HTTP/1.1 200 ")) end = ANSWERED;
    });
    socket.on("close", () => resolve(end));
    socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
  });
}

if (!isMainThread && typeof workerData === "object" && workerData !== null) {
  const { connecting } = workerData as { readonly connecting?: Start };
  if (connecting) parentPort?.postMessage(await connectAll(connecting));
}
