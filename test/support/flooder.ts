/**
 * A client that sends one thing as fast as it is read, and connects again when it is cut.
 *
 * Runs on: a thread of its own, so that neither the server nor other clients wait for it.
 */
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

import { encodeFrame, OPCODE, upgradeRequest } from "../../scripts/suites/frames.ts";
import { Deferred } from "./world.ts";

/** What a flooder sends: first `head`, then `block` again and again. */
export interface Flood {
  readonly head: Uint8Array;
  /** Sent when `head` has been answered, before the first `block`; without it, nothing is waited for. */
  readonly join?: Uint8Array;
  readonly block: Uint8Array;
}

interface Start extends Flood {
  readonly port: number;
  readonly address: string;
}

const BLOCK_BYTES = 262_144;
const JOIN = JSON.stringify(["1", "1", "room:flood", "phx_join", {}]);

/** Floods a port of this machine until it is stopped. */
export class Flooder {
  readonly #worker: Worker;
  readonly #connected = new Deferred<void>();
  readonly #cut = new Deferred<void>();
  /** How often it has connected. */
  connections = 0;

  /** @param address - where it connects from, a loopback address */
  constructor(port: number, sent: Flood, address = "127.0.0.2") {
    const start: Start = { ...sent, port, address };
    this.#worker = new Worker(fileURLToPath(import.meta.url), { workerData: start });
    this.#worker.on("error", (error) => this.#connected.reject(error));
    this.#worker.on("message", (message: "connected" | "cut") => {
      if (message === "cut") {
        this.#cut.resolve();
        return;
      }
      this.connections += 1;
      this.#connected.resolve();
    });
  }

  /** Resolves once it floods. */
  async started(): Promise<void> {
    await this.#connected.promise;
  }

  /** Resolves once a connection of it has been cut. It connects again then. */
  async cut(): Promise<void> {
    await this.#cut.promise;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** WebSocket frames, after a join of room:flood. */
export function frames(path: string, ...each: readonly Uint8Array[]): Flood {
  // Frames that arrive with the request may be dropped.
  const head = Buffer.from(upgradeRequest(path));
  return { head, join: clientFrame(JOIN), block: repeated(Buffer.concat(each)) };
}

/** A message on room:flood, as a frame. */
export function push(event: string, payload: object = {}): Uint8Array {
  return clientFrame(JSON.stringify(["1", "2", "room:flood", event, payload]));
}

/** Requests without waiting for answers. */
export function requests(method: string, path: string, body = "", type = "text/plain"): Flood {
  const length = `content-length: ${Buffer.byteLength(body)}`;
  const lines = [`${method} ${path} HTTP/1.1`, "host: localhost", `content-type: ${type}`, length];
  const block = repeated(Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`));
  return { head: new Uint8Array(0), block };
}

/** One request whose body never ends, in chunks of a length. */
export function endless(method: string, path: string, chunkBytes: number): Flood {
  const head = `${method} ${path} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n`;
  const chunk = `${chunkBytes.toString(16)}\r\n${"x".repeat(chunkBytes)}\r\n`;
  return { head: Buffer.from(head), block: repeated(Buffer.from(chunk)) };
}

/** One request with a body of a length that it never reaches. */
export function announced(method: string, path: string): Flood {
  const head = `${method} ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000000000000\r\n\r\n`;
  return { head: Buffer.from(head), block: repeated(Buffer.from("x")) };
}

/** A text message as a client sends it, with a mask of zeros; or another opcode (RFC 6455 §5.2). */
export function clientFrame(text: string, opcode: number = OPCODE.text): Uint8Array {
  return encodeFrame({ payload: Buffer.from(text), opcode });
}

function repeated(bytes: Buffer): Uint8Array {
  const count = Math.max(1, Math.floor(BLOCK_BYTES / bytes.length));
  return Buffer.concat(Array.from({ length: count }, () => bytes));
}

function flood(start: Start): void {
  const { port, address, head, join, block } = start;
  const socket = connect({ port, host: "127.0.0.1", localAddress: address });
  socket.on("error", () => {});
  socket.on("data", () => {});
  const begin = (): void => {
    parentPort?.postMessage("connected");
    write(socket, block);
  };
  socket.once("connect", () => {
    socket.write(head);
    if (!join) {
      begin();
      return;
    }
    socket.once("data", () => {
      socket.write(join);
      begin();
    });
  });
  socket.once("close", () => {
    parentPort?.postMessage("cut");
    flood(start);
  });
}

function write(socket: Socket, block: Uint8Array): void {
  while (socket.writable) {
    if (socket.write(block)) continue;
    socket.once("drain", () => write(socket, block));
    return;
  }
}

if (!isMainThread && isStart(workerData)) flood(workerData);

function isStart(data: unknown): data is Start {
  return typeof data === "object" && data !== null && "block" in data;
}
