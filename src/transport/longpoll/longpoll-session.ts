/**
 * A long-poll session: a connection whose frames are buffered until its client polls.
 *
 *   frames -> buffer -> taken by a poll -> in flight -> delivered, and forgotten
 *                ^                             |
 *                +------ request aborted ------+
 *
 * The newest poll receives the next batch; older polls wait until the end of their window. While a
 * batch is in flight all polls wait, because the next batch depends on whether it was delivered. If
 * it remains unknown whether the batch was delivered, the session ends and its client joins again,
 * so that no frame is lost silently or delivered twice.
 *
 * The messages of a POST are handled in order. On a serial socket, each message waits until the
 * previous one is done, which means that a join that holds up the socket has settled and the
 * channels' frames have been sent. When the budget of the turn is spent, the other messages wait for later turns.
 *
 * Runs on: the shard on which the session was opened.
 * Slow: the session ends if a frame is sent while more than `maxBackpressureBytes` wait. The client
 *       notices this with its next request, and reconnects.
 * Full: a POST with a message that takes longer than the window is answered with 408. Its remaining
 *       messages are not handled, and the client reconnects. If more than `maxWaitingBytes` of POSTs wait, the
 *       session ends.
 */

import type { Connection, RoomWaiter } from "../../channel/connection.ts";
import { CLOSE, NO_CLOSE_FRAME } from "../../protocol/reserved.ts";
import type { ServedSocket } from "../../socket/served-socket.ts";
import type { ConnectionSet } from "../connection-set.ts";
import type { SlowConnection } from "../slow-clients.ts";
import type { Turn } from "../turn.ts";
import { framesOf, NO_TEXT, type BodyFrame } from "./body.ts";
import { STATUS, type Caller } from "./request.ts";

/** State shared by all sessions of a mount. */
export interface LongPollKind {
  readonly sessions: ConnectionSet<LongPollSession>;
  /** Maximum time that a request may wait. */
  readonly windowMs: number;
  /** Bytes of a session's POSTs that may wait. */
  readonly maxWaitingBytes: number;
  /** Largest message of a client that has not joined a channel. */
  readonly maxUnjoinedFrameBytes: number;
  /** Its budget is shared by all clients of the shard. */
  readonly turn: Pick<Turn, "isSpent" | "later">;
}

/** A session without polls is inactive after this many windows. */
const INACTIVE_AFTER_WINDOWS = 1.5;
const NONE: readonly string[] = [];

/** A long-poll session. */
export class LongPollSession implements Connection, SlowConnection {
  readonly id: number;
  readonly secret: string;
  readonly kind: LongPollKind;
  socket: ServedSocket | undefined = undefined;
  isOpen = true;
  #buffer: string[] = [];
  #inFlight: readonly string[] = NONE;
  /** Length of the buffer and the batch in flight, in UTF-16 units. */
  #length = 0;
  /** Waiting polls and the end of their windows (ms, as `performance.now`), the newest last. */
  readonly #polls = new Map<Caller, number>();
  /** POSTs with messages that are not handled yet, and the bytes of their bodies. */
  readonly #posts = new Set<LongPollPost>();
  #postBytes = 0;
  #newest: Caller | undefined = undefined;
  #polledAtMs = performance.now();
  #isFlushScheduled = false;
  #isTooSlow = false;
  #roomWaiters = new Set<RoomWaiter>();

  /** @param secret - known to the session's client only */
  constructor(id: number, secret: string, kind: LongPollKind) {
    this.id = id;
    this.secret = secret;
    this.kind = kind;
  }

  get transport(): string {
    return "longpoll";
  }

  get native(): undefined {
    return undefined;
  }

  get hasRoom(): boolean {
    return this.#length < this.kind.sessions.maxBackpressureBytes / 4;
  }

  get heldBytes(): number {
    return this.#length + this.#postBytes;
  }

  /** Always 0, because a drain does not wait for a session, whose client joins again anyway. */
  get bufferedBytes(): number {
    return 0;
  }

  send(frame: string | Uint8Array): void {
    if (!this.isOpen || this.#isTooSlow) return;
    if (this.#length > this.kind.sessions.maxBackpressureBytes) {
      // Deferred, because the caller may be iterating over the channels that the cut ends.
      this.#isTooSlow = true;
      setImmediate(() => this.#cutAsSlow());
      return;
    }
    // As in Phoenix, a batch contains the bytes of a binary frame as if they were text.
    const text = typeof frame === "string" ? frame : textOf(frame);
    this.#buffer.push(text);
    this.#length += text.length;
    this.kind.sessions.sent(text.length);
    this.#scheduleFlush();
  }

  // A batch does not distinguish text from bytes, because Phoenix writes both as text.
  sendEncoded(payload: Uint8Array): void {
    this.send(payload);
  }

  awaitRoom(waiter: RoomWaiter): void {
    this.#roomWaiters.add(waiter);
  }

  stopAwaiting(waiter: RoomWaiter): void {
    this.#roomWaiters.delete(waiter);
  }

  cork(work: () => void): void {
    work();
  }

  /**
   * Ends the session, and tells waiting requests that the session is gone. Long-poll has no close
   * codes.
   */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#newest = undefined;
    const polls = [...this.#polls.keys()];
    this.#polls.clear();
    for (const caller of polls) caller.answer(STATUS.gone, "");
    for (const post of this.#posts) post.finish(STATUS.late);
    this.#buffer = [];
    this.#inFlight = NONE;
    this.#roomWaiters.clear();
    this.kind.sessions.remove(this);
  }

  /** Ends the session of a client that does not fetch its frames. */
  cut(): void {
    this.socket?.end(NO_CLOSE_FRAME, { shutdown: "closed" });
  }

  /**
   * Answers a poll at once if frames are waiting, otherwise when a frame is sent or the window
   * ends.
   */
  poll(caller: Caller): void {
    this.#polledAtMs = performance.now();
    this.#polls.set(caller, this.#polledAtMs + this.kind.windowMs);
    this.#newest = caller;
    this.#flush();
  }

  /** Forgets an aborted request. */
  forget(caller: Caller): void {
    this.#polls.delete(caller);
    for (const post of this.#posts) if (post.caller === caller) post.forget();
    if (this.#newest === caller) this.#newest = undefined;
  }

  /** Handles the messages of a POST, and then answers it. */
  post(caller: Caller, body: Uint8Array, hasLines: boolean): void {
    const post = new LongPollPost(caller, this, body, hasLines);
    this.#posts.add(post);
    this.#postBytes += post.bytes;
    post.run();
    if (this.#posts.size === 0) return;
    const { sessions, maxWaitingBytes } = this.kind;
    sessions.kept(post.bytes);
    if (this.#posts.size > 1 && this.#postBytes > maxWaitingBytes) this.socket?.waitTooMuch();
  }

  /** Forgets a POST that is done. */
  finished(post: LongPollPost): void {
    if (this.#posts.delete(post)) this.#postBytes -= post.bytes;
  }

  /** Passes a frame from the client to the socket. */
  receive(frame: string | Uint8Array): void {
    const { socket } = this;
    if (!socket) return;
    const { sessions, maxUnjoinedFrameBytes } = this.kind;
    sessions.received(frame.length);
    if (frame.length > maxUnjoinedFrameBytes && !socket.hasJoined) {
      socket.end(CLOSE.tooLarge, { shutdown: "closed" });
    } else if (typeof frame === "string") socket.receiveText(frame);
    else socket.receiveBytes(frame);
    if (socket.isHeldUp) socket.onIdle ??= () => this.#resumePosts();
  }

  /** Ends the session of a client that sent an invalid text frame. */
  refuse(): void {
    this.socket?.end(CLOSE.internalError, { shutdown: "closed" });
  }

  /** Answers requests whose window has ended. */
  check(nowMs: number): void {
    for (const [caller, untilMs] of this.#polls) {
      if (nowMs < untilMs) break;
      this.forget(caller);
      this.#polledAtMs = nowMs;
      caller.answer(STATUS.none, "[]");
    }
    for (const post of this.#posts) post.check(nowMs);
  }

  /** Reports whether the client has stopped polling. */
  isInactive(nowMs: number): boolean {
    const limitMs = this.kind.windowMs * INACTIVE_AFTER_WINDOWS;
    return this.#polls.size === 0 && nowMs - this.#polledAtMs >= limitMs;
  }

  #resumePosts(): void {
    for (const post of this.#posts) post.resume();
  }

  // Deferred, so that all frames of one turn of the loop are in one batch.
  #scheduleFlush(): void {
    if (this.#newest === undefined || this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    setImmediate(() => {
      this.#isFlushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const caller = this.#newest;
    if (caller === undefined || this.#buffer.length === 0 || this.#inFlight.length > 0) return;
    this.forget(caller);
    this.#polledAtMs = performance.now();
    const batch = this.#buffer;
    this.#buffer = [];
    this.#inFlight = batch;
    caller.answer(STATUS.messages, JSON.stringify(batch), (isDelivered) => {
      if (this.#inFlight !== batch) return;
      this.#inFlight = NONE;
      if (isDelivered === undefined) this.#endUnsure();
      else this.#settle(batch, isDelivered);
    });
  }

  #endUnsure(): void {
    this.kind.sessions.logger.log("batchUnsure", { connection: this.id });
    this.cut();
  }

  #cutAsSlow(): void {
    if (!this.socket || this.socket.isEnded) return;
    this.kind.sessions.slowClients.cut(this, "behind", this.#length);
  }

  #settle(batch: readonly string[], isDelivered: boolean): void {
    if (isDelivered) {
      for (const frame of batch) this.#length -= frame.length;
      const waiters = this.#roomWaiters;
      this.#roomWaiters = new Set();
      for (const waiter of waiters) waiter.resume();
    } else {
      this.#buffer = [...batch, ...this.#buffer];
    }
    this.#flush();
  }
}

/** A POST whose messages are being handled. */
class LongPollPost {
  readonly caller: Caller;
  /** Length of its body. */
  readonly bytes: number;
  readonly #session: LongPollSession;
  readonly #frames: Iterator<BodyFrame>;
  /** The next frame to pass to the socket. */
  #next: IteratorResult<BodyFrame>;
  #untilMs = 0;
  #isDone = false;
  #isScheduled = false;

  constructor(caller: Caller, session: LongPollSession, body: Uint8Array, hasLines: boolean) {
    this.caller = caller;
    this.bytes = body.length;
    this.#session = session;
    this.#frames = framesOf(body, hasLines);
    this.#next = this.#frames.next();
  }

  /** Passes on all messages or, on a serial socket, only the next one. */
  run(): void {
    const { socket, kind } = this.#session;
    // Starts the turn's time, unless it runs already.
    kind.turn.isSpent();
    while (!this.#isDone) {
      if (!this.#hasMore()) this.finish(STATUS.done);
      else if (!this.#handOver()) this.finish(STATUS.badLine);
      else {
        const isLast = !this.#hasMore();
        if (!socket?.isSerial || (isLast && !socket.isHeldUp)) {
          if (isLast || !kind.turn.isSpent()) continue;
          this.#untilMs ||= performance.now() + kind.windowMs;
          kind.turn.later(() => this.run());
          return;
        }
        this.#untilMs = performance.now() + kind.windowMs;
        if (!socket.isHeldUp) this.resume();
        return;
      }
    }
  }

  /** Continues in the next turn of the loop. */
  resume(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.run();
    });
  }

  /** Answers the request, and passes on no further messages. */
  finish(status: number): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#session.finished(this);
    this.caller.answer(status, "");
  }

  /** Forgets the request of a client that went away. Messages that were passed on are still handled. */
  forget(): void {
    this.#isDone = true;
    this.#session.finished(this);
  }

  /** Abandons a message that takes too long. */
  check(nowMs: number): void {
    if (nowMs >= this.#untilMs) this.finish(STATUS.late);
  }

  #hasMore(): boolean {
    return this.#next.done !== true;
  }

  /** @returns false if the next line is not a frame */
  #handOver(): boolean {
    const frame = this.#next.value as BodyFrame;
    const session = this.#session;
    if (frame === undefined) return false;
    if (frame === NO_TEXT) session.refuse();
    else if (session.isOpen) session.receive(frame);
    if (session.isOpen) this.#next = this.#frames.next();
    else this.finish(STATUS.late);
    return true;
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
}
