/**
 * A client's connection in a test: sends messages, and records everything that it receives.
 *
 * Runs on: the thread of a test.
 */

import { makeError } from "../errors.ts";
import { EVENT } from "../protocol/reserved.ts";
import type { SoloChannel, SoloClient, SoloConnection } from "../solo/solo-connection.ts";
import type { ShardContext } from "../solo/solo-shard.ts";
import { fail } from "./failure.ts";
import { clientFrame, readFrame } from "./frames.ts";
import { Inbox } from "./inbox.ts";
import type { LogLine, TestApp } from "./test-app.ts";

/** A message that the server sent to the client: a push, or a broadcast on a joined topic. */
export interface TestMessage {
  /** `joinRef` of the channel that pushed it; null for a broadcast. */
  readonly joinRef: string | null;
  readonly topic: string;
  readonly event: string;
  readonly payload: unknown;
}

/** A reply. */
export interface TestReply {
  /** `ok`, `error`, or a custom status. */
  readonly status: string;
  readonly response: unknown;
}

/** A connection. Created by `connect`. */
export class TestSocket implements SoloClient {
  /**
   * Default time limit of assertions on this connection (ms). Under virtual time: real time allowed
   * for threads, files and networks.
   */
  readonly timeoutMs: number;
  /** All frames from the server, in order; binary frames as hex. */
  readonly frames: string[] = [];
  /** Messages from the server that are not replies. */
  readonly inbox = new Inbox<TestMessage>();
  /** Code with which the server closed the connection; at most one. */
  readonly closes = new Inbox<number>();
  /** Channels that this connection has joined, including those that have ended. */
  readonly channels = new Set<SoloChannel>();
  readonly app: TestApp;
  readonly #pushes = new Map<string, TestPush>();
  readonly #logStart: number;
  #connection: SoloConnection | undefined;
  #nextRef = 1;

  constructor(app: TestApp, timeoutMs: number) {
    this.app = app;
    this.timeoutMs = timeoutMs;
    this.#logStart = app.log.length;
  }

  /** The socket's id, or null. */
  get id(): string | null {
    return this.connection.socketId;
  }

  /** Assigns returned by `connect`. A channel's assigns are on `TestChannel`. */
  get assigns(): Readonly<Record<string, unknown>> {
    return this.connection.assigns as Readonly<Record<string, unknown>>;
  }

  /** The shard's context, which broadcasts and disconnects as in the app. */
  get context(): ShardContext {
    return this.app.shard.context;
  }

  /** False after either side has closed the connection. */
  get isOpen(): boolean {
    return this.connection.isOpen;
  }

  /** Warnings and errors that the app has logged since this connection was opened. */
  get log(): readonly LogLine[] {
    return this.app.log.slice(this.#logStart);
  }

  /** The server's side of the connection. */
  get connection(): SoloConnection {
    if (this.#connection) return this.#connection;
    throw makeError("SIM_ERR_INTERNAL", "a test's socket without its connection");
  }

  /** Sets the server's side. Called once, after `connect` has accepted the connection. */
  attach(connection: SoloConnection): void {
    this.#connection = connection;
  }

  /** Returns a ref that has not been used yet. */
  takeRef(): string {
    const ref = String(this.#nextRef);
    this.#nextRef += 1;
    return ref;
  }

  /** Sends a message, as a frame of version 2. */
  push(joinRef: string | null, topic: string, event: string, payload: unknown): TestPush {
    const ref = event === EVENT.join && joinRef !== null ? joinRef : this.takeRef();
    const push = new TestPush(this, ref, topic, event);
    this.#pushes.set(ref, push);
    this.connection.receive(clientFrame(joinRef, ref, topic, event, payload));
    return push;
  }

  onFrame(frame: string | Uint8Array): void {
    this.frames.push(typeof frame === "string" ? frame : Buffer.from(frame).toString("hex"));
    const { joinRef, ref, topic, event, payload } = readFrame(frame);
    if (event === EVENT.reply) {
      this.#pushes.get(String(ref))?.replies.add(payload as TestReply);
    } else {
      this.inbox.add({ joinRef, topic, event, payload });
    }
  }

  onClose(code: number): void {
    this.closes.add(code);
  }
}

/** A message sent by a test, with its replies. */
export class TestPush {
  readonly socket: TestSocket;
  /** The ref that the replies carry on the wire. */
  readonly ref: string;
  readonly topic: string;
  readonly event: string;
  readonly replies = new Inbox<TestReply>();

  constructor(socket: TestSocket, ref: string, topic: string, event: string) {
    this.socket = socket;
    this.ref = ref;
    this.topic = topic;
    this.event = event;
  }

  /**
   * The first reply. Rejects with an AssertionError if none arrives within the socket's
   * `timeoutMs`.
   */
  get reply(): Promise<TestReply> {
    return this.firstReply();
  }

  /** Returns the first reply without removing it for assertions. Rejects as `reply` does. */
  async firstReply(): Promise<TestReply> {
    const { socket } = this;
    const wait = { timeoutMs: undefined, patienceMs: socket.timeoutMs };
    const reply = await this.replies.first(socket.app.time.waiting(wait));
    if (reply) return reply;
    return fail(socket, {
      operator: "reply",
      message: `"${this.event}" to ${this.topic} must be replied to ${socket.app.time.shown(wait)}`,
    });
  }
}
