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
import { Changes } from "./changes.ts";

const TOPIC = "canary:1";
const PHX_ERROR = `["c","c","${TOPIC}","phx_error"`;
/** More attempts than a server with 64 shards needs to deal one connection to each. */
const MAX_ATTEMPTS = 400;
const RECONNECT_MS = 100;
const MAX_FAULTS = 10;
const OPEN_DEADLINE_MS = 10_000;

/** What canaries saw. */
export interface Sightings {
  sent: number;
  /** Requests whose connection closed before they were answered. */
  cutOff: number;
  /** Time from each request to its answer, in ms. */
  readonly latencies: number[];
  /** Answers that were wrong, doubled or out of order. */
  readonly faults: string[];
  /** How a canary learned that it may have missed something: close codes, or phx_error. */
  readonly closes: (number | "phx_error")[];
}

/** Returns the sightings of canaries that have seen nothing yet. */
export function noSightings(): Sightings {
  return { sent: 0, cutOff: 0, latencies: [], faults: [], closes: [] };
}

/** What a canary saw since the last report. */
export interface CanaryReport extends Sightings {
  /** Requests that have waited for their answer for longer than the deadline. */
  readonly unanswered: number;
}

/** A client that sends and checks. */
export class Canary {
  readonly #port: number;
  readonly #everyMs: number;
  #webSocket: WebSocket | undefined = undefined;
  /** Times of the requests that wait for an answer, by number. */
  readonly #waiting = new Map<number, number>();
  readonly #changes = new Changes();
  #number = 0;
  #seen = noSightings();
  #isStopped = false;

  private constructor(port: number, everyMs: number) {
    this.#port = port;
    this.#everyMs = everyMs;
  }

  /** Connects to a shard, and begins. */
  static async start(port: number, shard: number, everyMs: number): Promise<Canary> {
    const canary = new Canary(port, everyMs);
    for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
      if ((await canary.#connect()) === shard) {
        void canary.#run();
        return canary;
      }
      canary.#drop();
    }
    throw new Error(`no connection reached shard ${shard}`);
  }

  /**
   * Returns what it saw since the last report.
   *
   * @param deadlineMs - how old an unanswered request may be
   */
  report(deadlineMs: number): CanaryReport {
    const late = performance.now() - deadlineMs;
    const unanswered = [...this.#waiting.values()].filter((at) => at < late).length;
    const report: CanaryReport = { ...this.#seen, unanswered };
    this.#seen = noSightings();
    return report;
  }

  /** Stops sending, waits until all is answered or the deadline has passed, and disconnects. */
  async stop(deadlineMs: number): Promise<void> {
    this.#isStopped = true;
    await this.#changes.untilOr(() => this.#waiting.size === 0, deadlineMs);
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
    this.#seen.sent += 1;
    this.#waiting.set(this.#number, performance.now());
    const n = this.#number;
    this.#webSocket?.send(JSON.stringify(["c", String(n), TOPIC, "echo", { n }]));
  }

  async #reconnect(): Promise<void> {
    try {
      await this.#connect();
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
    this.#seen.closes.push(how);
    this.#seen.cutOff += this.#waiting.size;
    this.#waiting.clear();
    this.#changes.changed();
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
      if (this.#seen.faults.length < MAX_FAULTS) {
        this.#seen.faults.push(`got ${text.slice(0, 200)} instead of the answer to ${expected}`);
      }
      return;
    }
    this.#seen.latencies.push(performance.now() - (this.#waiting.get(expected) as number));
    this.#waiting.delete(expected);
    this.#changes.changed();
  }
}

interface JoinReply {
  readonly response: { readonly shard: number };
}
