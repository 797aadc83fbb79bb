/**
 * A session: a connection whose frames become numbered events of one stream after another.
 *
 *   frames -> events that wait -> sent -> forgotten: the client has received them, or has read for long enough since
 *                  ^                |
 *                  +-- the client reconnects with the number of an earlier event
 *
 * Runs on: the shard on which the session was opened. Its streams and POSTs may reach any shard.
 * Owns: its `TransportConnection`, and everything that is kept for the client.
 * Order: events leave in the order of their numbers; a client that resumes gets each number once.
 * Slow: unsent events count as `bufferedBytes`, even while the client has no stream. The rules for slow clients apply.
 *       Once the connection has ended, they are held for at most `resumeMs`; without a stream, only up to `keptBytes`.
 * Full: of the events that were sent, `keptBytes` are kept. A client that reconnects with an older number has lost its
 *       session.
 */

import type { TransportClient, TransportConnection } from "../custom/definition.ts";
import { closeEvent } from "./event.ts";
import { KeptEvents } from "./kept-events.ts";
import { PostQueue } from "./post-queue.ts";
import type { EventSink, FrameEncoder } from "./session-ends.ts";
import type { SseOptions } from "./sse-options.ts";

/** Bytes that are written at a time. */
const BATCH_BYTES = 65_536;
/** Clients take a stream for cut if nothing has arrived for this many heartbeats. */
const SILENT_HEARTBEATS = 2.5;
/** Closes that the client does not see, because it does not read. */
const NO_CLOSE_FRAME = 1_006;

/** The part of a connection that a session uses. */
export type SessionConnection = Pick<
  TransportConnection,
  "number" | "isOpen" | "receive" | "drained" | "kept" | "closed"
>;

/** What a session needs. */
export interface SessionParts {
  readonly options: SseOptions;
  /** The topics of a stream of topics; undefined if it carries frames. */
  readonly topics: readonly string[] | undefined;
  /** Called once, when the session is over. */
  readonly onEnd: (session: SseSession) => void;
}

/** A session. */
export class SseSession implements TransportClient {
  readonly options: SseOptions;
  readonly topics: readonly string[] | undefined;
  readonly #onEnd: (session: SseSession) => void;
  readonly #events = new KeptEvents();
  readonly #posts: PostQueue;
  readonly #flush = (): void => this.flush();
  #connection: SessionConnection | undefined = undefined;
  #encoder: FrameEncoder | undefined = undefined;
  #sink: EventSink | undefined = undefined;
  /** Frames sent before `begin`. */
  #early: (string | Uint8Array)[] | undefined = [];
  #isFlushScheduled = false;
  /** The last text of the stream, once the connection has ended. */
  #farewell: string | undefined = undefined;
  #isOver = false;
  #quietSinceMs = performance.now();
  /** An event that had been sent at this time. */
  #marked = { number: 0, atMs: 0 };

  constructor({ options, topics, onEnd }: SessionParts) {
    this.options = options;
    this.topics = topics;
    this.#onEnd = onEnd;
    const receive = (frame: string | Uint8Array): boolean => this.receive(frame);
    const kept = (bytes: number): void => this.#connection?.kept(bytes);
    this.#posts = new PostQueue(receive, options.resumeMs, kept);
  }

  /** Number of the session, once it has begun. */
  get number(): number {
    return this.#connection?.number ?? 0;
  }

  /** False once its connection has ended. */
  get isOpen(): boolean {
    return this.#connection?.isOpen === true;
  }

  /** Begins, with the connection that was opened for it. */
  begin(connection: SessionConnection, encoder: FrameEncoder): void {
    this.#connection = connection;
    this.#encoder = encoder;
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const frame of early) this.send(frame);
  }

  // -- TransportClient: for the connection -------------------------------------------------------

  send(frame: string | Uint8Array): void {
    if (!this.#encoder) {
      this.#early?.push(frame);
      return;
    }
    const event = this.#encoder.encode(frame, this.#events.last + 1);
    if (event === undefined) return;
    this.#events.push(event);
    this.#scheduleFlush();
  }

  close(code: number, text: string): void {
    if (this.#farewell !== undefined) return;
    this.#stop();
    this.#farewell = closeEvent(code, text);
    this.#quietSinceMs = performance.now();
    if (code === NO_CLOSE_FRAME) this.#end("cut");
    else if (this.#sink) this.flush();
    else this.#endIfTooMuch();
  }

  resume(): void {
    this.#posts.resume();
  }

  get bufferedBytes(): number {
    return this.#events.waitingBytes + (this.#sink?.bufferedBytes ?? 0);
  }

  get heldBytes(): number {
    return this.#events.heldBytes + this.#posts.waitingBytes;
  }

  // -- for streams -------------------------------------------------------------------------------

  /** Whether a client that has received events up to this one can go on. */
  canResume(after: number): boolean {
    return !this.#isOver && this.#events.has(after);
  }

  /** Sends what follows an event to a new stream. The previous stream ends. `canResume` must have returned true. */
  attach(sink: EventSink, after: number): void {
    this.#sink?.end("replaced", "");
    this.#events.rewind(after);
    this.#sink = sink;
    this.noteSign();
    this.#marked = { number: 0, atMs: performance.now() };
    this.#scheduleFlush();
  }

  /** Notes that the client of a stream is gone. */
  detach(sink: EventSink): void {
    if (this.#sink !== sink) return;
    this.#sink = undefined;
    this.noteSign();
    if (this.#farewell !== undefined) this.#endIfTooMuch();
  }

  /** Sends what waits, as far as the stream takes it. */
  flush(): void {
    this.#isFlushScheduled = false;
    const sink = this.#sink;
    if (!sink) return;
    const events = this.#events;
    while (sink.isReady && events.hasWaiting) {
      sink.write(events.take(BATCH_BYTES));
      // Between two reads, a stream on another shard is not present. If `check` always ran then, a busy client would
      // look gone.
      this.noteSign();
    }
    events.trim(this.options.keptBytes + sink.bufferedBytes);
    if (this.#farewell === undefined) this.#connection?.drained();
    else if (sink.isReady && !events.hasWaiting) this.#end("over");
  }

  // -- for requests ------------------------------------------------------------------------------

  /** Passes a frame to the connection. @returns false if the caller must wait for `resume` before the next one */
  receive(frame: string | Uint8Array): boolean {
    const connection = this.#connection;
    return connection?.isOpen === true ? connection.receive(frame) : true;
  }

  /** Hands over the frames of a POST. @returns the status of the answer */
  async post(body: string, number: number | undefined): Promise<number> {
    return this.#posts.post(body, number);
  }

  /** Ends the session, because its client has gone away. */
  leave(code: number): void {
    this.#stop();
    this.#connection?.closed(code);
    this.#farewell ??= "";
    this.#end("over");
  }

  /** Ends the session if its client has been away for too long, and forgets what was sent long ago. */
  check(nowMs: number): void {
    const { resumeMs } = this.options;
    const sink = this.#sink;
    if (this.#farewell !== undefined) {
      if (nowMs - this.#quietSinceMs >= resumeMs) this.#end("cut");
    } else if (sink?.isPresent === true) {
      this.#quietSinceMs = nowMs;
      this.#age(sink, nowMs);
    } else if (nowMs - this.#quietSinceMs >= resumeMs) this.leave(NO_CLOSE_FRAME);
  }

  /** Notes that the client is there. This does not extend the `resumeMs` that it has after the end of the connection. */
  noteSign(): void {
    if (this.#farewell === undefined) this.#quietSinceMs = performance.now();
  }

  #age(sink: EventSink, nowMs: number): void {
    const { number, atMs } = this.#marked;
    const { resumeMs, heartbeatMs } = this.options;
    // A client notices after SILENT_HEARTBEATS that its stream was cut, and then has `resumeMs` to reconnect.
    if (nowMs - atMs < resumeMs + SILENT_HEARTBEATS * heartbeatMs || sink.bufferedBytes > 0) return;
    this.#events.forget(number);
    this.#marked = { number: this.#events.sent, atMs: nowMs };
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled || !this.#sink) return;
    this.#isFlushScheduled = true;
    // Deferred, so that all events of one turn of the loop are written together.
    setImmediate(this.#flush);
  }

  /** Ends a session without connection and stream that holds much, since the rules for slow clients do not cover it. */
  #endIfTooMuch(): void {
    if (this.heldBytes > this.options.keptBytes) this.#end("cut");
  }

  #stop(): void {
    this.#posts.stop();
    this.#encoder?.stop();
  }

  #end(why: "over" | "cut"): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.end(why, this.#farewell ?? "");
    this.#over();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onEnd(this);
  }
}
