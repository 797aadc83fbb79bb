/**
 * A client of version 2 of the protocol that does only what a suite tells it to.
 *
 * Runs on: a suite's process.
 */

import { once } from "node:events";
import { WebSocket } from "ws";
import { within } from "../../test/support/deadline.ts";

/** A message from the server. */
export interface Received {
  readonly ref: string | null;
  readonly topic: string;
  readonly event: string;
  readonly payload: unknown;
}

/** The answer to a request. Status `closed` means that the connection closed before it. */
export interface Answer {
  readonly status: string;
  readonly response: unknown;
}

/** Where and how a client connects. */
export interface ClientOptions {
  readonly path?: string;
  /** Address of the client on the loopback. */
  readonly address?: string;
  readonly params?: string;
  /** Called with everything but the answers to requests. */
  readonly onMessage?: (message: Received) => void;
}

const OPEN_DEADLINE_MS = 30_000;
const CLOSE_DEADLINE_MS = 5_000;
const CLOSED: Answer = { status: "closed", response: null };

/** A connection. */
export class Client {
  readonly #webSocket: WebSocket;
  readonly #onMessage: (message: Received) => void;
  readonly #waiting = new Map<string, (answer: Answer) => void>();
  readonly #joinRefs = new Map<string, string>();
  /** Called with the next message of a topic and event. */
  readonly #expecting = new Map<string, (message: Received) => void>();
  #ref = 0;
  /** Resolves with the close code. */
  readonly closed: Promise<number>;
  closeCode: number | undefined = undefined;

  private constructor(webSocket: WebSocket, onMessage: (message: Received) => void) {
    this.#webSocket = webSocket;
    this.#onMessage = onMessage;
    webSocket.on("error", () => undefined);
    webSocket.on("message", (data: Buffer) => this.#onFrame(data.toString()));
    this.closed = new Promise((resolve) => {
      webSocket.once("close", (code) => {
        this.closeCode = code;
        for (const ref of this.#waiting.keys()) this.#settle(ref, CLOSED);
        resolve(code);
      });
    });
  }

  /** Connects. Rejects if the server refuses. */
  static async connect(port: number, options: ClientOptions = {}): Promise<Client> {
    const { path = "/socket", address, params = "", onMessage = () => undefined } = options;
    const url = `ws://127.0.0.1:${port}${path}/websocket?vsn=2.0.0${params}`;
    const webSocket = new WebSocket(url, {
      perMessageDeflate: false,
      ...(address !== undefined && { localAddress: address }),
    });
    const client = new Client(webSocket, onMessage);
    try {
      await within(once(webSocket, "open"), "a connection", OPEN_DEADLINE_MS);
    } catch (error) {
      webSocket.terminate();
      throw error;
    }
    return client;
  }

  get isOpen(): boolean {
    return this.#webSocket.readyState === WebSocket.OPEN;
  }

  /**
   * Joins a topic.
   *
   * @param onAnswer - called before any message that follows the answer
   */
  join(
    topic: string,
    payload: unknown = {},
    onAnswer: (answer: Answer) => void = () => undefined,
  ): Promise<Answer> {
    this.#joinRefs.set(topic, String(this.#ref + 1));
    return this.#request(topic, "phx_join", payload, onAnswer);
  }

  /** Sends a request and returns its answer, whenever that comes. */
  call(topic: string, event: string, payload: unknown = {}): Promise<Answer> {
    return this.#request(topic, event, payload, () => undefined);
  }

  /** Resolves with the next message of a topic and event, apart from answers. */
  next(topic: string, event: string): Promise<Received> {
    return new Promise((resolve) => this.#expecting.set(`${topic} ${event}`, resolve));
  }

  /** Resolves when the server has taken everything that was sent before. */
  async flush(): Promise<void> {
    await this.call("phoenix", "heartbeat");
  }

  /** Sends a message that needs no answer. */
  push(topic: string, event: string, payload: unknown = {}): void {
    if (this.isOpen) this.#send(topic, event, payload, null);
  }

  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  /** Closes the connection, and cuts it if the server does not close it too. */
  close(): void {
    this.#webSocket.close(1_000);
    setTimeout(() => this.#webSocket.terminate(), CLOSE_DEADLINE_MS).unref();
  }

  /** Ends the TCP connection, with a reset or without. */
  cut(isReset: boolean): void {
    const tcp = Reflect.get(this.#webSocket, "_socket") as
      | { resetAndDestroy(): void }
      | null
      | undefined;
    if (isReset) tcp?.resetAndDestroy();
    this.#webSocket.terminate();
  }

  #request(
    topic: string,
    event: string,
    payload: unknown,
    onAnswer: (answer: Answer) => void,
  ): Promise<Answer> {
    this.#ref += 1;
    const ref = String(this.#ref);
    const answered = new Promise<Answer>((resolve) => {
      this.#waiting.set(ref, (answer) => {
        onAnswer(answer);
        resolve(answer);
      });
    });
    if (this.isOpen) this.#send(topic, event, payload, ref);
    else this.#settle(ref, CLOSED);
    return answered;
  }

  #send(topic: string, event: string, payload: unknown, ref: string | null): void {
    const joinRef = this.#joinRefs.get(topic) ?? null;
    this.#webSocket.send(JSON.stringify([joinRef, ref, topic, event, payload]));
  }

  #onFrame(text: string): void {
    const [, ref, topic, event, payload] = JSON.parse(text) as [
      unknown,
      string | null,
      string,
      string,
      unknown,
    ];
    if (event === "phx_reply" && ref !== null && this.#waiting.has(ref)) {
      this.#settle(ref, payload as Answer);
      return;
    }
    const message = { ref, topic, event, payload };
    const key = `${topic} ${event}`;
    this.#expecting.get(key)?.(message);
    this.#expecting.delete(key);
    this.#onMessage(message);
  }

  #settle(ref: string, answer: Answer): void {
    const settle = this.#waiting.get(ref);
    this.#waiting.delete(ref);
    settle?.(answer);
  }
}
