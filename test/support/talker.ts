/**
 * A client that checks what it receives: consecutive numbers from each speaker.
 *
 * Runs on: the main thread of the tests.
 */

import { once } from "node:events";
import { WebSocket } from "ws";

import { within } from "./deadline.ts";

const DEADLINE_MS = 20_000;

/** The reply of `chatApp` to its join. */
export interface Joined {
  readonly version: number;
  readonly shard: number;
}

/** A connection joined to one topic that sends numbers and listens. */
export class Talker {
  readonly name: string;
  joined: Joined = { version: 0, shard: -1 };
  /** The last number that it sent. */
  said = 0;
  /** The last number received from each speaker. */
  readonly heard = new Map<string, number>();
  /** The first number received from each speaker. */
  readonly first = new Map<string, number>();
  /** Unexpected messages. */
  readonly wrong: string[] = [];
  closeCode: number | undefined;
  readonly closed: Promise<number>;
  readonly #webSocket: WebSocket;
  readonly #topic: string;
  readonly #filler: string;
  #look: () => void = () => undefined;

  private constructor(webSocket: WebSocket, topic: string, name: string, fillerBytes: number) {
    this.name = name;
    this.#webSocket = webSocket;
    this.#topic = topic;
    this.#filler = "x".repeat(fillerBytes);
    webSocket.on("error", () => undefined);
    webSocket.on("message", (data: Buffer) => this.#onFrame(data.toString()));
    this.closed = once(webSocket, "close").then(([code]) => {
      this.closeCode = code as number;
      this.#look();
      return this.closeCode;
    });
  }

  /** Connects and joins. */
  static async join(
    port: number,
    topic: string,
    name: string,
    fillerBytes = 0,
    params = "",
  ): Promise<Talker> {
    const url = `ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0${params}`;
    return Talker.#join(new WebSocket(url), topic, name, fillerBytes);
  }

  /** Connects to a server with a certificate, and joins. */
  static async joinSecurely(
    port: number,
    topic: string,
    name: string,
    ca: string,
  ): Promise<Talker> {
    const url = `wss://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`;
    return Talker.#join(new WebSocket(url, { ca }), topic, name, 0);
  }

  static async #join(
    webSocket: WebSocket,
    topic: string,
    name: string,
    fillerBytes: number,
  ): Promise<Talker> {
    const talker = new Talker(webSocket, topic, name, fillerBytes);
    await within(once(webSocket, "open"), `the connection of ${name}`, DEADLINE_MS);
    webSocket.send(JSON.stringify(["j", "j", topic, "phx_join", {}]));
    await talker.until(() => talker.joined.shard >= 0, `the join of ${name}`);
    return talker;
  }

  get isOpen(): boolean {
    return this.closeCode === undefined;
  }

  /** Sends the next number if it is still connected. */
  say(): void {
    if (this.#webSocket.readyState !== WebSocket.OPEN) return;
    this.said += 1;
    this.push("shout", { from: this.name, n: this.said, filler: this.#filler });
  }

  push(event: string, payload: object): void {
    this.#webSocket.send(JSON.stringify(["j", "1", this.#topic, event, payload]));
  }

  /** Waits until a condition is true, checking it after each message. */
  async until(isSo: () => boolean, what: string): Promise<void> {
    if (isSo()) return;
    const so = new Promise<void>((resolve) => {
      this.#look = (): void => {
        if (isSo()) resolve();
      };
    });
    await within(so, what, DEADLINE_MS).catch((cause: unknown) => {
      const heard = JSON.stringify(Object.fromEntries(this.heard));
      const state = `closed=${this.closeCode} wrong=${this.wrong.join("; ")} heard=${heard}`;
      throw new Error(`${this.name}: ${String(cause)}, ${state}`, { cause });
    });
  }

  /** Waits until it has received a number from a speaker. */
  async hears(name: string, n: number): Promise<void> {
    await this.until(
      () => !this.isOpen || (this.heard.get(name) ?? 0) >= n,
      `number ${n} of ${name}`,
    );
  }

  cut(): void {
    this.#webSocket.terminate();
  }

  #onFrame(text: string): void {
    const [, ref, , event, payload] = JSON.parse(text) as [unknown, unknown, string, string, never];
    if (event === "shout") this.#hear(payload);
    else if (event === "phx_reply" && ref === "j") {
      this.joined = (payload as { response: Joined }).response;
    } else if (event !== "phx_reply") this.wrong.push(`${event} ${JSON.stringify(payload)}`);
    this.#look();
  }

  #hear({ from, n }: { readonly from: string; readonly n: number }): void {
    const last = this.heard.get(from);
    if (last === undefined) this.first.set(from, n);
    else if (n !== last + 1) this.wrong.push(`${this.name} heard ${n} from ${from} after ${last}`);
    this.heard.set(from, n);
  }
}
