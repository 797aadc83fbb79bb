/**
 * A client's connection in a test, and what came over it.
 *
 * Runs on: the thread of a test.
 */

import { makeError } from "../errors.ts";
import type { ShardContext } from "../solo/solo-shard.ts";
import type { SoloChannel, SoloClient, SoloConnection } from "../solo/solo-connection.ts";
import { EVENT } from "../protocol/reserved.ts";
import { clientFrame, readFrame } from "./frames.ts";
import { Inbox } from "./inbox.ts";
import type { LogLine, TestApp } from "./test-app.ts";
import { TestPush, type TestReply } from "./test-push.ts";

/** A message that came to the client: a push, or a broadcast of a topic that it has joined. */
export interface TestMessage {
  /** Of the join that it belongs to; null where it was broadcast. */
  readonly joinRef: string | null;
  readonly topic: string;
  readonly event: string;
  readonly payload: unknown;
}

/** A connection. `connect` makes one. */
export class TestSocket implements SoloClient {
  /**
   * How long assertions on it wait, where they are not told otherwise; under virtual time, how
   * long of the machine's what comes from threads, files and networks may take.
   */
  readonly timeoutMs: number;
  /** Frames that came, as they were; of a binary one the bytes as hex. */
  readonly frames: string[] = [];
  /** Messages that came, but for replies. */
  readonly inbox = new Inbox<TestMessage>();
  /** Codes with which the server closed the connection: one at most. */
  readonly closes = new Inbox<number>();
  /** Channels that were joined, whether they have ended or not. */
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

  /** What `connect` gave. A channel's own are at the channel. */
  get assigns(): Readonly<Record<string, unknown>> {
    return this.connection.assigns as Readonly<Record<string, unknown>>;
  }

  /** The context of the shard: it broadcasts and disconnects, as in the app. */
  get context(): ShardContext {
    return this.app.shard.context;
  }

  /** False once either side has closed it. */
  get isOpen(): boolean {
    return this.connection.isOpen;
  }

  /** What went wrong since it connected, as far as the log has it. */
  get log(): readonly LogLine[] {
    return this.app.log.slice(this.#logStart);
  }

  /** The connection within. */
  get connection(): SoloConnection {
    if (this.#connection) return this.#connection;
    throw makeError("SIM_ERR_INTERNAL", "a test's socket without its connection");
  }

  /** Takes its connection. */
  attach(connection: SoloConnection): void {
    this.#connection = connection;
  }

  /** Gives a ref that was not used. */
  takeRef(): string {
    const ref = String(this.#nextRef);
    this.#nextRef += 1;
    return ref;
  }

  /** Sends a message, as it goes over the wire. */
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
