/**
 * An innocent client of one shard: sends a numbered request at a fixed pace, whether or not the
 * last one was answered, and checks that each is answered once and in order.
 *
 * Runs on: any thread that nothing else keeps busy, or its latencies would be those of the thread.
 */

import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { within } from "../../test/support/deadline.ts";
import { CANARY_PATH } from "./canary-mount.ts";

const TOPIC = "canary:1";
const PHX_ERROR = `["c","c","${TOPIC}","phx_error"`;
/** More attempts than a server with 64 shards needs to deal one connection to each. */
const MAX_ATTEMPTS = 400;
const RECONNECT_MS = 100;
const MAX_FAULTS = 10;
const OPEN_DEADLINE_MS = 10_000;

/** What a canary saw since the last report. */
export interface CanaryReport {
  readonly shard: number;
  readonly sent: number;
  /** Time from each request to its answer, in ms. */
  readonly latencies: readonly number[];
  /** Answers that were wrong, doubled or out of order. */
  readonly faults: readonly string[];
  /** Requests that have waited for their answer for longer than the deadline. */
  readonly unanswered: number;
  /** How it was told that it may have missed something: close codes, or phx_error. */
  readonly closes: readonly (number | "phx_error")[];
  /** Requests whose connection closed before they were answered. */
  readonly cutOff: number;
}

/** A client that sends and checks. */
export class Canary {
  readonly #port: number;
  readonly #everyMs: number;
  #webSocket: WebSocket | undefined = undefined;
  #shard: number;
  /** Times of the requests that wait for an answer, by number. */
  readonly #waiting = new Map<number, number>();
  #number = 0;
  #sent = 0;
  #cutOff = 0;
  #latencies: number[] = [];
  #faults: string[] = [];
  #closes: (number | "phx_error")[] = [];
  #isStopped = false;

  private constructor(port: number, shard: number, everyMs: number) {
    this.#port = port;
    this.#shard = shard;
    this.#everyMs = everyMs;
  }

  /** Connects to a shard, or to any if none is given, and begins. */
  static async start(port: number, shard: number | undefined, everyMs: number): Promise<Canary> {
    const canary = new Canary(port, shard ?? -1, everyMs);
    for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
      const joined = await canary.#connect();
      if (shard === undefined || joined === shard) {
        void canary.#run();
        return canary;
      }
      canary.#drop();
    }
    throw new Error(`no connection reached shard ${shard}`);
  }

  get shard(): number {
    return this.#shard;
  }

  /**
   * Returns what it saw since the last report.
   *
   * @param deadlineMs - how old an unanswered request may be
   */
  report(deadlineMs: number): CanaryReport {
    const late = performance.now() - deadlineMs;
    const report: CanaryReport = {
      shard: this.#shard,
      sent: this.#sent,
      latencies: this.#latencies,
      faults: this.#faults,
      unanswered: [...this.#waiting.values()].filter((at) => at < late).length,
      closes: this.#closes,
      cutOff: this.#cutOff,
    };
    [this.#latencies, this.#faults, this.#closes] = [[], [], []];
    [this.#sent, this.#cutOff] = [0, 0];
    return report;
  }

  /** Stops sending, waits until all is answered or the deadline has passed, and disconnects. */
  async stop(deadlineMs: number): Promise<void> {
    this.#isStopped = true;
    const deadline = performance.now() + deadlineMs;
    while (this.#waiting.size > 0 && performance.now() < deadline) await sleep(10);
    this.#drop();
  }

  async #run(): Promise<void> {
    let due = performance.now();
    while (!this.#isStopped) {
      if (this.#webSocket?.readyState === WebSocket.OPEN) this.#send();
      else await this.#reconnect();
      due = Math.max(due + this.#everyMs, performance.now() - this.#everyMs);
      await sleep(Math.max(0, due - performance.now()));
    }
  }

  #send(): void {
    this.#number += 1;
    this.#sent += 1;
    this.#waiting.set(this.#number, performance.now());
    const n = this.#number;
    this.#webSocket?.send(JSON.stringify(["c", String(n), TOPIC, "echo", { n }]));
  }

  async #reconnect(): Promise<void> {
    try {
      this.#shard = await this.#connect();
    } catch {
      // The server is restarting, or it refuses connections.
      await sleep(RECONNECT_MS);
    }
  }

  /** Connects and joins. @returns the shard */
  async #connect(): Promise<number> {
    const url = `ws://127.0.0.1:${this.#port}${CANARY_PATH}/websocket?vsn=2.0.0`;
    const webSocket = new WebSocket(url, { perMessageDeflate: false });
    webSocket.on("error", () => undefined);
    try {
      await within(once(webSocket, "open"), "the canary's connection", OPEN_DEADLINE_MS);
      webSocket.send(JSON.stringify(["c", "0", TOPIC, "phx_join", {}]));
      const [data] = (await within(once(webSocket, "message"), "its join", OPEN_DEADLINE_MS)) as [
        Buffer,
      ];
      const [, , , , payload] = JSON.parse(data.toString()) as [0, 0, 0, 0, JoinReply];
      webSocket.on("message", (message: Buffer) => this.#onFrame(webSocket, message.toString()));
      webSocket.once("close", (code) => this.#onEnd(webSocket, code));
      this.#webSocket = webSocket;
      return payload.response.shard;
    } catch (error) {
      webSocket.terminate();
      throw error;
    }
  }

  #drop(): void {
    const webSocket = this.#webSocket;
    this.#webSocket = undefined;
    webSocket?.terminate();
  }

  /** The connection, or its channel, has ended. */
  #onEnd(webSocket: WebSocket, how: number | "phx_error"): void {
    if (webSocket !== this.#webSocket) return;
    this.#drop();
    this.#closes.push(how);
    this.#cutOff += this.#waiting.size;
    this.#waiting.clear();
  }

  #onFrame(webSocket: WebSocket, text: string): void {
    if (text.startsWith(PHX_ERROR)) {
      this.#onEnd(webSocket, "phx_error");
      return;
    }
    const [expected] = this.#waiting.keys();
    const answer = JSON.stringify([
      "c",
      String(expected),
      TOPIC,
      "phx_reply",
      { status: "ok", response: { n: expected } },
    ]);
    if (expected === undefined || text !== answer) {
      if (this.#faults.length < MAX_FAULTS) {
        this.#faults.push(`got ${text.slice(0, 200)} instead of the answer to ${expected}`);
      }
      return;
    }
    this.#latencies.push(performance.now() - (this.#waiting.get(expected) as number));
    this.#waiting.delete(expected);
  }
}

interface JoinReply {
  readonly response: { readonly shard: number };
}
