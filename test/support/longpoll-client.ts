/**
 * A long-poll client that does only what a test tells it to. Each request uses a connection of its own, so that
 * requests go to all shards in turn, and to all nodes if it has the ports of several.
 *
 * Runs on: the main thread of the tests.
 */
import assert from "node:assert/strict";
import { request } from "node:http";
import type { ClientRequest } from "node:http";
import { within } from "./deadline.ts";

/** The answer to a request. */
export interface Answer {
  readonly http: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Status in the body; 0 if the body is not JSON. */
  readonly status: number;
  readonly token: string | undefined;
  /** The frames, unchanged. */
  readonly frames: readonly string[];
  /** The frames, decoded; null for frames that are not JSON. */
  readonly messages: readonly unknown[];
}

/** A request that can be aborted. */
export interface Asked {
  readonly answer: Promise<Answer>;
  abort(): void;
}

export const NDJSON = { "content-type": "application/x-ndjson" };

/** Makes a request. */
export function ask(
  port: number,
  method: string,
  path: string,
  body: string | Uint8Array = "",
  given: Readonly<Record<string, string>> = {},
): Asked {
  let outgoing: ClientRequest | undefined;
  // With keep-alive, answers show whether the server wants to close the connection.
  const headers = { connection: "keep-alive", ...given };
  const answer = new Promise<Answer>((resolve, reject) => {
    outgoing = request({ host: "127.0.0.1", port, method, path, headers, agent: false });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode = 0, headers: got } = response;
        resolve({ http: statusCode, headers: got, ...parsed(Buffer.concat(chunks).toString()) });
      });
    });
    outgoing.end(body);
  });
  // An aborted request rejects even if nobody waits for it.
  answer.catch(() => undefined);
  return { answer, abort: () => outgoing?.destroy() };
}

function parsed(body: string): Pick<Answer, "status" | "token" | "frames" | "messages"> {
  if (!body.startsWith("{")) return { status: 0, token: undefined, frames: [], messages: [] };
  const {
    status,
    token,
    messages = [],
  } = JSON.parse(body) as {
    status: number;
    token?: string;
    messages?: string[];
  };
  return { status, token, frames: messages, messages: messages.map(decoded) };
}

function decoded(frame: string): unknown {
  try {
    return JSON.parse(frame);
  } catch {
    return null;
  }
}

/** One session. */
export class LongPollClient {
  readonly token: string;
  readonly #ports: number[];
  readonly #path: string;
  readonly #unread: unknown[] = [];

  private constructor(ports: readonly number[], path: string, token: string) {
    this.#ports = [...ports];
    this.#path = path;
    this.token = token;
  }

  /** Opens a session, on the first of several nodes. */
  static async connect(
    nodes: number | readonly number[],
    query = "vsn=2.0.0",
    mount = "/socket",
  ): Promise<LongPollClient> {
    const path = `${mount}/longpoll?${query}`;
    const ports = typeof nodes === "number" ? [nodes] : nodes;
    const opened = await within(ask(ports[0] ?? 0, "GET", path).answer, "a new session");
    assert.equal(opened.status, 410, "no session was opened");
    return new LongPollClient(ports, path, opened.token ?? "");
  }

  /** Polls. */
  poll(): Asked {
    return ask(this.#nextPort(), "GET", `${this.#path}&token=${this.token}`);
  }

  /** Sends frames as the lines of one request, and returns the answer. */
  async send(...frames: readonly unknown[]): Promise<Answer> {
    const body = frames.map((frame) => JSON.stringify(frame)).join("\n");
    return this.post(body, NDJSON);
  }

  /** Sends a body unchanged, and returns the answer. */
  async post(
    body: string | Uint8Array,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const asked = ask(this.#nextPort(), "POST", `${this.#path}&token=${this.token}`, body, headers);
    return within(asked.answer, "the answer to a POST");
  }

  /** Polls until there is a frame, and returns the first one. */
  async next(): Promise<unknown> {
    while (this.#unread.length === 0) {
      const { status, messages } = await within(this.poll().answer, "a message", 20_000);
      assert.ok(status === 200 || status === 204, `a poll was answered with ${status}`);
      this.#unread.push(...messages);
    }
    return this.#unread.shift();
  }

  /** Joins a topic, with its join_ref as ref. */
  async join(topic: string, joinRef = "1"): Promise<void> {
    const { status } = await this.send([joinRef, joinRef, topic, "phx_join", {}]);
    assert.equal(status, 200);
    const reply = [joinRef, joinRef, topic, "phx_reply", { status: "ok", response: {} }];
    assert.deepEqual(await this.next(), reply);
  }

  #nextPort(): number {
    const port = this.#ports.shift() ?? 0;
    this.#ports.push(port);
    return port;
  }
}
