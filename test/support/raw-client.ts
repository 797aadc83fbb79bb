/**
 * Clients of raw sockets with the same interface for each transport: they send frames, read frames in order, and
 * observe how the connection ends.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { once } from "node:events";

import { WebSocket } from "ws";

import { within } from "./deadline.ts";
import { ask, NDJSON } from "./longpoll-client.ts";

/** A client of a raw socket, over any transport. */
export interface RawClient {
  /** Sends a text or binary frame. Resolves when it has been handed to the server. */
  send(frame: string | Uint8Array): Promise<void>;
  /** Returns the next frame: text unchanged, binary as hex if the transport supports it. */
  next(): Promise<string>;
  /** Waits for the end and returns its code and text, or `ended` if the transport has neither. */
  closed(): Promise<string>;
  /** Leaves as clients usually do. */
  close(): Promise<void>;
}

/** A client over WebSocket. */
export class RawWebSocketClient implements RawClient {
  readonly ws: WebSocket;
  readonly #frames: string[] = [];
  readonly #closed: Promise<string>;
  #wake: () => void = () => {};

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on("error", () => {});
    ws.on("message", (data: Buffer, isBinary) => {
      this.#frames.push(isBinary ? `hex ${data.toString("hex")}` : data.toString());
      this.#wake();
    });
    this.#closed = new Promise((resolve) => {
      ws.once("close", (code, text) => resolve(`${code} ${text.toString()}`.trim()));
    });
  }

  static async connect(port: number, query = "", mount = "/raw"): Promise<RawWebSocketClient> {
    const ws = new WebSocket(`ws://127.0.0.1:${port}${mount}/websocket?${query}`);
    const client = new RawWebSocketClient(ws);
    await within(once(ws, "open"), "the open connection");
    return client;
  }

  /** Number of frames that have arrived and were not read. */
  get unread(): number {
    return this.#frames.length;
  }

  async send(frame: string | Uint8Array): Promise<void> {
    this.ws.send(frame);
    await Promise.resolve();
  }

  async next(): Promise<string> {
    while (this.#frames.length === 0) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await within(woken, "a frame");
    }
    return this.#frames.shift() as string;
  }

  async closed(): Promise<string> {
    return within(this.#closed, "the close");
  }

  async close(): Promise<void> {
    this.ws.close(1000);
    await this.closed();
  }
}

/** A client over long-poll, whose next poll reports the end of the session. */
export class RawLongPollClient implements RawClient {
  readonly #port: number;
  readonly #path: string;
  readonly #frames: string[] = [];
  /** Status in the body of the last POST's answer. */
  posted = 0;

  private constructor(port: number, path: string) {
    this.#port = port;
    this.#path = path;
  }

  static async connect(port: number, query = "", mount = "/raw"): Promise<RawLongPollClient> {
    const path = `${mount}/longpoll?${query}`;
    const { status, token } = await within(ask(port, "GET", path).answer, "a new session");
    assert.equal(status, 410, "no session was opened");
    return new RawLongPollClient(port, `${path}&token=${token ?? ""}`);
  }

  async send(frame: string | Uint8Array): Promise<void> {
    const isText = typeof frame === "string";
    const body = isText ? frame : Buffer.from(frame).toString("base64");
    const asked = ask(this.#port, "POST", this.#path, body, isText ? {} : NDJSON);
    this.posted = (await within(asked.answer, "the answer to a POST")).status;
  }

  async next(): Promise<string> {
    while (this.#frames.length === 0) {
      const { status, frames } = await this.#poll();
      assert.ok(status === 200 || status === 204, `a poll was answered with ${status}`);
      this.#frames.push(...frames);
    }
    return this.#frames.shift() as string;
  }

  async closed(): Promise<string> {
    for (;;) {
      const { http, status, frames } = await this.#poll();
      // 503 means that the shard is closing and accepts no more requests.
      if (status === 410 || http === 503) return "ended";
      this.#frames.push(...frames);
    }
  }

  /** Does nothing: without polls, the session ends by itself. */
  async close(): Promise<void> {}

  #poll(): ReturnType<typeof ask>["answer"] {
    return within(ask(this.#port, "GET", this.#path).answer, "the answer to a poll", 20_000);
  }
}
