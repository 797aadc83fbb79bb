/**
 * A client of the transport under test that speaks Phoenix's protocol: joins, pushes, and takes what arrives in order.
 *
 * Runs on: the thread of a test.
 */

import { AssertionError } from "node:assert";
import { isDeepStrictEqual } from "node:util";

import { EVENT } from "../../protocol/reserved.ts";
import { clientFrame, readFrame, type ServerMessage } from "../frames.ts";
import { fail as failWith, shown } from "../failure.ts";
import type { TransportEvents, TransportRefusal, TransportTestClient } from "./definition.ts";
import { inTime, Signal } from "./signal.ts";

/** The topic that talkers join. */
export const ROOM = "room:1";

/** How many of the last frames a failed case shows. */
const SHOWN_FRAMES = 5;
const MOST_CHARACTERS = 200;

/** The client of a case. */
export class Talker implements TransportEvents {
  /** Its parameter `user`. */
  readonly user: string;
  readonly #timeoutMs: number;
  readonly #signal = new Signal();
  readonly #frames: (string | Uint8Array)[] = [];
  readonly #lastFrames: string[] = [];
  #client: TransportTestClient | undefined;
  #refusal: TransportRefusal | undefined;
  #code: number | undefined;
  #hasFrameAfterEnd = false;
  /** Whether the client was asked to close. */
  #isClosing = false;
  #ref = 1;

  constructor(user: string, timeoutMs: number) {
    this.user = user;
    this.#timeoutMs = timeoutMs;
  }

  /** Sets the client, once the driver has begun to connect it. */
  begin(client: TransportTestClient): void {
    this.#client = client;
  }

  // -- events of the driver ----------------------------------------------------------------------

  frame(frame: string | Uint8Array): void {
    if (this.#code !== undefined) this.#hasFrameAfterEnd = true;
    this.#frames.push(frame);
    this.#lastFrames.push(shownFrame(frame));
    if (this.#lastFrames.length > SHOWN_FRAMES) this.#lastFrames.shift();
    this.#signal.notify();
  }

  refused(refusal: TransportRefusal): void {
    this.#refusal ??= refusal;
    this.#signal.notify();
  }

  closed(code: number): void {
    this.#code ??= code;
    this.#signal.notify();
  }

  // -- what a client does ------------------------------------------------------------------------

  /** Joins a topic. Returns the response. */
  async join(topic = ROOM): Promise<unknown> {
    return this.reply(
      await this.push(EVENT.join, {}, topic),
      "ok",
      `the reply to the join of ${topic}`,
    );
  }

  /** Pushes an event. Returns its ref. */
  async push(event: string, payload: unknown = {}, topic = ROOM): Promise<string> {
    const ref = String((this.#ref += 1));
    await this.send(clientFrame("1", ref, topic, event, payload));
    return ref;
  }

  /** Pushes an event and returns the response of its reply, which must be the next message. */
  async request(event: string, payload: unknown = {}): Promise<unknown> {
    return this.reply(await this.push(event, payload));
  }

  async send(frame: string | Uint8Array): Promise<void> {
    await this.#settled("send", this.driver.send(frame));
  }

  /** Sends messages after the end of the connection. The client may refuse to, at once. */
  async pushLate(count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      try {
        await this.push("say", { n });
      } catch (error) {
        if (error instanceof AssertionError) throw error;
      }
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#settled("close", this.driver.close());
  }

  /** Closes the connection if it is open, at the end of a case. Drivers need not support a second close. */
  async leave(): Promise<void> {
    if (this.#client && !this.#isOver && !this.#isClosing) await this.close();
  }

  async cut(): Promise<void> {
    await this.#call("cut");
  }

  async pause(): Promise<void> {
    await this.#call("pause");
  }

  async resume(): Promise<void> {
    await this.#call("resume");
  }

  // -- what it must get --------------------------------------------------------------------------

  /** Takes the next frame. */
  async nextFrame(what: string): Promise<string | Uint8Array> {
    await this.#signal.until(() => this.#frames.length > 0 || this.#isOver, this.#timeoutMs);
    const frame = this.#frames.shift();
    if (frame !== undefined) return frame;
    return this.fail(`${this.user} must get ${what}${this.#within}, got ${this.#state}`);
  }

  /** Takes the next message. */
  async next(what: string): Promise<ServerMessage> {
    const frame = await this.nextFrame(what);
    try {
      return readFrame(frame);
    } catch (error) {
      return this.fail(
        `${this.user} must get ${what} as a frame of Phoenix's protocol, got ${shownFrame(frame)} (${String(error)})`,
      );
    }
  }

  /** Takes the next message, which must be this event. Returns its payload. */
  async expect(event: string, what = `the event ${event}`): Promise<unknown> {
    const message = await this.next(what);
    this.equal(message.event, event, `the next message of ${this.user}, ${what},`);
    return message.payload;
  }

  /** Takes the next message, which must be the reply to a push. Returns its response. */
  async reply(ref: string, status = "ok", what = `the reply to message ${ref}`): Promise<unknown> {
    const message = await this.next(what);
    this.equal(
      [message.event, message.ref],
      [EVENT.reply, ref],
      `the next message of ${this.user}, ${what},`,
    );
    const reply = message.payload as { readonly status: string; readonly response: unknown };
    this.equal(reply.status, status, `the status of ${what}`);
    return reply.response;
  }

  /** Waits until the connection has ended. Frames that have not been taken are dropped. Returns the code. */
  async ended(): Promise<number> {
    await this.#signal.until(() => this.#isOver, this.#timeoutMs);
    if (this.#hasFrameAfterEnd)
      this.fail(`${this.user} must get nothing after the end of its connection, got a frame`);
    return (
      this.#code ??
      this.fail(`the connection of ${this.user} must end${this.#within}, got ${this.#state}`)
    );
  }

  /** Waits for the refusal. */
  async refusal(): Promise<TransportRefusal> {
    await this.#signal.until(() => this.#isOver, this.#timeoutMs);
    return (
      this.#refusal ??
      this.fail(
        `${this.user} must learn that it may not connect${this.#within}, got ${this.#state}`,
      )
    );
  }

  /** Number of frames that have arrived and were not taken. */
  get unread(): number {
    return this.#frames.length;
  }

  /** Asserts that two values are equal. */
  equal(actual: unknown, expected: unknown, what: string): void {
    if (isDeepStrictEqual(actual, expected)) return;
    this.fail(`${what} must be ${shownShort(expected)}, got ${shownShort(actual)}`, {
      actual,
      expected,
    });
  }

  fail(
    message: string,
    values: { readonly actual?: unknown; readonly expected?: unknown } = {},
  ): never {
    return failWith(
      { frames: this.#lastFrames, log: [] },
      { operator: "transportCases", message, ...values },
    );
  }

  async #call(name: "cut" | "pause" | "resume"): Promise<void> {
    const { driver } = this;
    if (!driver[name]) this.fail(`the client must have ${name}, or the suite must run without it`);
    await this.#settled(name, driver[name]());
  }

  async #settled(name: string, result: unknown): Promise<void> {
    if (await inTime(result, this.#timeoutMs)) return;
    this.fail(`${name} of ${this.user} must settle${this.#within}, got nothing`);
  }

  private get driver(): TransportTestClient {
    return this.#client ?? this.fail("connect must return a client, got nothing");
  }

  get #isOver(): boolean {
    return this.#code !== undefined || this.#refusal !== undefined;
  }

  get #within(): string {
    return ` within ${this.#timeoutMs} (ms)`;
  }

  get #state(): string {
    if (this.#refusal !== undefined) return `the refusal "${this.#refusal}"`;
    return this.#code === undefined ? "nothing" : `the end of the connection with ${this.#code}`;
  }
}

/** Formats a frame for a message. */
function shownFrame(frame: string | Uint8Array): string {
  if (typeof frame === "string") return cut(frame);
  return cut(`hex ${Buffer.from(frame.subarray(0, MOST_CHARACTERS)).toString("hex")}`);
}

function shownShort(value: unknown): string {
  return cut(shown(value));
}

function cut(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}
