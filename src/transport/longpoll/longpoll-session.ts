/**
 * One client that polls: a connection whose frames wait until a request fetches them.
 *
 *   frames -> buffer -> a poll takes all of it -> in flight -> delivered, and forgotten
 *                ^                                   |
 *                +------- its request was aborted ---+
 *
 * Of several polls the newest gets what comes; the others run to their windows. While a batch is in
 * flight a poll waits: whether the batch was delivered decides what it gets. If that cannot be known
 * the session ends, and its client joins again: nothing is lost in silence, or comes twice.
 *
 * The messages of a POST are handled one after the other. On a serial socket the next is handed over
 * when the one before is done with: the join that holds up everything has settled, and what the
 * channels make of it has left.
 *
 * Runs on: the shard that the session was opened on.
 * Slow: a frame that finds more than `maxBackpressureBytes` waiting ends the session: its client
 *       hears so from its next request, and connects again.
 * Full: a message of a POST that takes longer than the window ends the POST with 408. What comes
 *       behind it is not handled, and its client connects again.
 */

import type { Connection, RoomWaiter } from "../../channel/connection.ts";
import { CLOSE, NO_CLOSE_FRAME } from "../../protocol/reserved.ts";
import type { ServedSocket } from "../../socket/served-socket.ts";
import type { ConnectionSet } from "../connection-set.ts";
import type { SlowConnection } from "../slow-clients.ts";
import { framesOf, NO_TEXT, type BodyFrame } from "./body.ts";
import { STATUS, type Caller } from "./request.ts";

/** What a mount's sessions have in common. */
export interface LongPollKind {
  readonly sessions: ConnectionSet<LongPollSession>;
  /** How long a request may wait (ms). */
  readonly windowMs: number;
}

interface Waiting {
  readonly caller: Caller;
  readonly untilMs: number;
}

const WINDOWS_OF_LIFE = 1.5;
const NONE: readonly string[] = [];

/** A session, and its connection. */
export class LongPollSession implements Connection, SlowConnection {
  readonly id: number;
  readonly secret: string;
  readonly kind: LongPollKind;
  socket: ServedSocket | undefined = undefined;
  isOpen = true;
  #buffer: string[] = [];
  #inFlight: readonly string[] = NONE;
  /** Of the buffer and what is in flight. */
  #length = 0;
  /** All that wait, the newest last. */
  #polls: Waiting[] = [];
  /** Those whose messages are not all handled. */
  readonly #posts = new Set<LongPollPost>();
  #newest: Caller | undefined = undefined;
  #polledAtMs = performance.now();
  #isFlushScheduled = false;
  #isTooSlow = false;
  #roomWaiters: RoomWaiter[] = [];

  /** @param secret - what its client proves itself by */
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

  /** What waits for the client to fetch it, of text in UTF-16 units. */
  get bufferedLength(): number {
    return this.#length;
  }

  /** Nothing holds up the end of a session: for what its client has not fetched, it joins again. */
  get bufferedBytes(): number {
    return 0;
  }

  send(frame: string | Uint8Array): void {
    if (!this.isOpen || this.#isTooSlow) return;
    if (this.#length > this.kind.sessions.maxBackpressureBytes) {
      // Not at once: the caller may be going through the channels that would end.
      this.#isTooSlow = true;
      setImmediate(() => this.#cutAsSlow());
      return;
    }
    // As in Phoenix: the bytes of a binary frame are in the batch as if they were text.
    const text = typeof frame === "string" ? frame : textOf(frame);
    this.#buffer.push(text);
    this.#length += text.length;
    this.kind.sessions.sent(text.length);
    this.#scheduleFlush();
  }

  // The batch has no place for the difference: Phoenix writes both as text.
  sendEncoded(payload: Uint8Array): void {
    this.send(payload);
  }

  awaitRoom(waiter: RoomWaiter): void {
    this.#roomWaiters.push(waiter);
  }

  cork(work: () => void): void {
    work();
  }

  /** Ends the session: requests that wait are told that it is gone. No code reaches a client here. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#newest = undefined;
    for (const { caller } of this.#polls.splice(0)) caller.answer(STATUS.gone, "");
    for (const post of this.#posts) post.finish(STATUS.late);
    this.#buffer = [];
    this.#inFlight = NONE;
    this.#roomWaiters = [];
    this.kind.sessions.remove(this);
  }

  /** Ends the session of a client that does not fetch what waits for it. */
  cut(): void {
    this.socket?.end(NO_CLOSE_FRAME, { shutdown: "closed" });
  }

  /** Takes a poll: what waits at once, else what comes within the window. */
  poll(caller: Caller): void {
    this.#polledAtMs = performance.now();
    this.#polls.push({ caller, untilMs: this.#polledAtMs + this.kind.windowMs });
    this.#newest = caller;
    this.#flush();
  }

  /** Forgets a caller: its request was aborted. */
  forget(caller: Caller): void {
    this.#polls = this.#polls.filter((waiting) => waiting.caller !== caller);
    for (const post of this.#posts) if (post.caller === caller) post.forget();
    if (this.#newest === caller) this.#newest = undefined;
  }

  /** Takes the messages of a POST, and answers when they are handled. */
  post(caller: Caller, body: Uint8Array, hasLines: boolean): void {
    const post = new LongPollPost(caller, this, body, hasLines);
    this.#posts.add(post);
    post.run();
  }

  /** Forgets a POST that needs nothing more. */
  finished(post: LongPollPost): void {
    this.#posts.delete(post);
  }

  /** Hands a frame of the client to the socket. */
  receive(frame: string | Uint8Array): void {
    const { socket } = this;
    if (!socket) return;
    this.kind.sessions.received(frame.length);
    if (typeof frame === "string") socket.receiveText(frame);
    else socket.receiveBytes(frame);
    if (socket.isHeldUp) socket.onIdle ??= () => this.#resumePosts();
  }

  /** Ends the session of a client that sent what is no frame. */
  refuse(): void {
    this.socket?.end(CLOSE.internalError, { shutdown: "closed" });
  }

  /** Answers requests whose window is over. */
  look(nowMs: number): void {
    const polls = this.#polls.filter(({ untilMs }) => nowMs >= untilMs);
    for (const { caller } of polls) {
      this.forget(caller);
      this.#polledAtMs = nowMs;
      caller.answer(STATUS.none, "[]");
    }
    for (const post of this.#posts) post.look(nowMs);
  }

  /** Reports whether no poll has come for so long that none will. */
  isInactive(nowMs: number): boolean {
    const lifeMs = this.kind.windowMs * WINDOWS_OF_LIFE;
    return this.#polls.length === 0 && nowMs - this.#polledAtMs >= lifeMs;
  }

  #resumePosts(): void {
    for (const post of this.#posts) post.resume();
  }

  // What a turn of the loop makes leaves in one batch.
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
      for (const waiter of this.#roomWaiters.splice(0)) waiter.resume();
    } else {
      this.#buffer = [...batch, ...this.#buffer];
    }
    this.#flush();
  }
}

/** A POST whose messages are being handled. */
class LongPollPost {
  readonly caller: Caller;
  readonly #session: LongPollSession;
  readonly #frames: Iterator<BodyFrame>;
  /** What is handed over next. */
  #next: IteratorResult<BodyFrame>;
  #untilMs = 0;
  #isDone = false;
  #isScheduled = false;

  constructor(caller: Caller, session: LongPollSession, body: Uint8Array, hasLines: boolean) {
    this.caller = caller;
    this.#session = session;
    this.#frames = framesOf(body, hasLines);
    this.#next = this.#frames.next();
  }

  /** Hands over messages, as far as that is to be done now. */
  run(): void {
    const { socket, kind } = this.#session;
    while (!this.#isDone) {
      if (!this.#hasMore()) this.finish(STATUS.done);
      else if (!this.#handOver()) this.finish(STATUS.badLine);
      else {
        if (!socket?.isSerial || (!this.#hasMore() && !socket.isHeldUp)) continue;
        this.#untilMs = performance.now() + kind.windowMs;
        if (!socket.isHeldUp) this.resume();
        return;
      }
    }
  }

  /** Goes on in the next turn of the loop. */
  resume(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.run();
    });
  }

  /** Answers, and hands over nothing more. */
  finish(status: number): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#session.finished(this);
    this.caller.answer(status, "");
  }

  /** Forgets the client, which is gone. What it sent is handled all the same, as far as it was. */
  forget(): void {
    this.#isDone = true;
    this.#session.finished(this);
  }

  /** Gives up a message that takes too long. */
  look(nowMs: number): void {
    if (nowMs >= this.#untilMs) this.finish(STATUS.late);
  }

  #hasMore(): boolean {
    return this.#next.done !== true;
  }

  /** @returns false if the next line is no frame */
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
