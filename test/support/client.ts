/**
 * A Phoenix client that does only what a test tells it to: no heartbeats, rejoins or reconnects of its own.
 *
 * Runs on: the main thread of the tests.
 *
 * Its joinRef starts at 11 and its ref at 1, to detect a server that mixes them up. Messages are read in order:
 * `next("phx_reply")` fails if something else arrives first.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";
import { within } from "./deadline.ts";
import { decode, encode } from "./frames.ts";
import type { Message, Vsn } from "./frames.ts";

/** How long a test waits for a message. */
const DEADLINE_MS = 5_000;

/** Path, version and parameters of a client's connection. */
export interface ClientOptions {
  readonly path?: string;
  readonly vsn?: Vsn;
  readonly params?: Readonly<Record<string, string>>;
}

/** How a connection ended. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** A test's connection. */
export class Client {
  readonly #webSocket: WebSocket;
  readonly #vsn: Vsn;
  readonly #unread: Message[] = [];
  readonly #seen: string[] = [];
  readonly #joinRefs = new Map<string, string>();
  readonly #closed: Promise<Closed>;
  #wake: () => void = () => undefined;
  #nextJoinRef = 11;
  #nextRef = 1;

  private constructor(webSocket: WebSocket, vsn: Vsn) {
    this.#webSocket = webSocket;
    this.#vsn = vsn;
    // An error is followed by a close, which tests can check.
    webSocket.on("error", () => undefined);
    webSocket.on("message", (data: Buffer) => this.#onFrame(data.toString()));
    this.#closed = new Promise((resolve) => {
      webSocket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  /** Connects, and waits until the connection is open. */
  static async connect(port: number, options: ClientOptions = {}): Promise<Client> {
    const { path = "/socket", vsn = "2.0.0", params = {} } = options;
    const query = new URLSearchParams({ vsn, ...params });
    const webSocket = new WebSocket(`ws://127.0.0.1:${port}${path}/websocket?${query.toString()}`);
    const client = new Client(webSocket, vsn);
    await within(once(webSocket, "open"), `the connection to ${path}`);
    return client;
  }

  /** Joins a topic and returns the ref of the join. Later messages to the topic use its joinRef. */
  join(topic: string, payload: unknown = {}): string {
    this.#joinRefs.set(topic, String(this.#nextJoinRef));
    this.#nextJoinRef += 1;
    return this.push(topic, "phx_join", payload);
  }

  /** Leaves a topic and returns the ref of the leave. */
  leave(topic: string): string {
    return this.push(topic, "phx_leave", {});
  }

  /** Pushes an event to a topic and returns its ref. */
  push(topic: string, event: string, payload: unknown = {}): string {
    const ref = this.#takeRef();
    this.sendMessage({ joinRef: this.joinRef(topic), ref, topic, event, payload });
    return ref;
  }

  /** Returns the joinRef of the last join of a topic, or null. */
  joinRef(topic: string): string | null {
    return this.#joinRefs.get(topic) ?? null;
  }

  /** Sends a message with refs chosen by the test. */
  sendMessage(message: Message): void {
    this.sendText(encode(this.#vsn, message));
  }

  /** Sends a text frame unchanged. */
  sendText(text: string): void {
    this.#webSocket.send(text);
  }

  /** Takes the next message, which must have this event if one is given. */
  async next(event?: string): Promise<Message> {
    if (this.#unread.length === 0) {
      const arrived = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await this.#orSeen(within(arrived, event ?? "a message", DEADLINE_MS));
    }
    const message = this.#unread.shift() as Message;
    if (event !== undefined) {
      assert.equal(message.event, event, `another event arrived first\n${this.#seenText()}`);
    }
    return message;
  }

  /** Takes the next message, which must be the reply to this ref, and returns its status and response. */
  async replyTo(ref: string): Promise<{ readonly status: string; readonly response: unknown }> {
    const message = await this.next("phx_reply");
    assert.equal(message.ref, ref, `another reply arrived first\n${this.#seenText()}`);
    return message.payload as { readonly status: string; readonly response: unknown };
  }

  /** Checks that no message is unread: the next one must be the reply to a heartbeat. */
  async nothingMore(): Promise<void> {
    const ref = this.#takeRef();
    this.sendMessage({ joinRef: null, ref, topic: "phoenix", event: "heartbeat", payload: {} });
    const message = await this.next();
    const text = `something arrived before the heartbeat's reply\n${this.#seenText()}`;
    assert.deepEqual([message.topic, message.ref], ["phoenix", ref], text);
  }

  /** Waits for the connection to close. */
  closed(withinMs = DEADLINE_MS): Promise<Closed> {
    return this.#orSeen(within(this.#closed, "the close of the connection", withinMs));
  }

  /** Sends a ping, which the server answers with the same data. */
  ping(data: string): void {
    this.#webSocket.ping(data);
  }

  /** Stops reading from the network. */
  pause(): void {
    this.#webSocket.pause();
  }

  /** Resumes reading. */
  resume(): void {
    this.#webSocket.resume();
  }

  /** Closes the connection with 1000 and waits for the close. */
  async close(): Promise<void> {
    this.#webSocket.close(1000);
    await this.closed();
  }

  /** Cuts the connection without a close frame and waits for the close. */
  async cut(): Promise<void> {
    this.#webSocket.terminate();
    await this.closed();
  }

  #takeRef(): string {
    const ref = String(this.#nextRef);
    this.#nextRef += 1;
    return ref;
  }

  #onFrame(text: string): void {
    this.#seen.push(text);
    this.#unread.push(decode(this.#vsn, text));
    this.#wake();
  }

  /** Adds the messages seen so far to a failure. */
  async #orSeen<Value>(awaited: Promise<Value>): Promise<Value> {
    try {
      return await awaited;
    } catch (cause) {
      throw new Error(`${String(cause)}\n${this.#seenText()}`, { cause });
    }
  }

  #seenText(): string {
    return ["all messages so far:", ...this.#seen.map((text) => `  ${text.slice(0, 300)}`)].join(
      "\n",
    );
  }
}

/** Joins a topic, waits for the ok, and returns the response. */
export async function joined(client: Client, topic: string, payload?: unknown): Promise<unknown> {
  const { status, response } = await client.replyTo(client.join(topic, payload));
  assert.equal(status, "ok", `${topic} was not joined`);
  return response;
}
