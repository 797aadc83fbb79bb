/**
 * One client that polls: a connection whose frames wait until a request fetches them.
 *
 *   frames -> buffer -> a poll takes all of it -> in flight -> delivered, and forgotten
 *                ^                                   |
 *                +------- its request was aborted ---+
 *
 * Of several polls the newest gets what comes; the others run to their windows. While a batch is in
 * flight a poll waits: whether the batch was delivered decides what it gets. Where that cannot be
 * known the session ends, and its client joins anew: nothing is lost in silence, or comes twice.
 *
 * Runs on: the shard that the session was opened on.
 * Slow: a frame that finds more than `maxBackpressureBytes` waiting ends the session: its client
 *       hears so from its next request, and connects anew.
 */

import type { Connection, RoomWaiter } from "../../channel/connection.ts";
import { CLOSE } from "../../protocol/reserved.ts";
import type { ServedSocket } from "../../socket/served-socket.ts";
import { STATUS, type Caller } from "./caller.ts";
import { LongPollPost, type PostTarget } from "./post.ts";

/** What a mount's sessions have in common. */
export interface SessionKind {
  /** How long a request may wait (ms). */
  readonly windowMs: number;
  /** What may wait for a client (UTF-16 units), before the frame that is too much. */
  readonly maxLength: number;
}

/** What sessions tell those who keep them. */
export interface SessionEvents {
  received(bytes: number): void;
  sent(length: number): void;
  /** The client does not fetch what waits for it. */
  slow(session: LongPollSession): void;
  /** Nobody can know whether the client got what it fetched. */
  unsure(session: LongPollSession): void;
  ended(session: LongPollSession): void;
}

interface Waiting {
  readonly caller: Caller;
  readonly untilMs: number;
}

const WINDOWS_OF_LIFE = 1.5;
const NONE: readonly string[] = [];

/** A session, and its connection. */
export class LongPollSession implements Connection, PostTarget {
  readonly id: number;
  readonly secret: string;
  readonly kind: SessionKind;
  readonly #events: SessionEvents;
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

  constructor(id: number, secret: string, kind: SessionKind, events: SessionEvents) {
    this.id = id;
    this.secret = secret;
    this.kind = kind;
    this.#events = events;
  }

  get transport(): string {
    return "longpoll";
  }

  get windowMs(): number {
    return this.kind.windowMs;
  }

  get isNative(): boolean {
    return false;
  }

  get isCompressed(): boolean {
    return false;
  }

  get hasRoom(): boolean {
    return this.#length < this.kind.maxLength / 4;
  }

  /** What waits for the client to fetch it, of text in UTF-16 units. */
  get bufferedLength(): number {
    return this.#length;
  }

  /** For a drain: nothing holds the session up. What it has not fetched its client is told to join for anew. */
  get bufferedBytes(): number {
    return 0;
  }

  send(frame: string | Uint8Array): void {
    if (!this.isOpen || this.#isTooSlow) return;
    if (this.#length > this.kind.maxLength) {
      // Not at once: whoever sends may be going through the channels that would end.
      this.#isTooSlow = true;
      setImmediate(() => this.#events.slow(this));
      return;
    }
    // As Phoenix does: the bytes of a binary frame stand in the batch as if they were text.
    const text = typeof frame === "string" ? frame : textOf(frame);
    this.#buffer.push(text);
    this.#length += text.length;
    this.#events.sent(text.length);
    this.#scheduleFlush();
  }

  // The batch has no place for the difference: Phoenix writes both as text.
  sendEncoded(payload: Uint8Array): void {
    this.send(payload);
  }

  /** There is no such thing here. */
  ping(): void {}

  // Not native: nobody calls these three.
  subscribe(): void {}
  unsubscribe(): void {}
  publish(): void {}

  awaitRoom(waiter: RoomWaiter): void {
    this.#roomWaiters.push(waiter);
  }

  cork(work: () => void): void {
    work();
  }

  /** Ends the session: who waits is told that it is gone. No code reaches a client here. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#newest = undefined;
    for (const { caller } of this.#polls.splice(0)) caller.answer(STATUS.gone, "");
    for (const post of this.#posts) post.finish(STATUS.late);
    this.#buffer = [];
    this.#inFlight = NONE;
    this.#roomWaiters = [];
    this.#events.ended(this);
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

  finished(post: LongPollPost): void {
    this.#posts.delete(post);
  }

  receive(frame: string | Uint8Array): void {
    const { socket } = this;
    if (!socket) return;
    this.#events.received(frame.length);
    if (typeof frame === "string") socket.receiveText(frame);
    else socket.receiveBytes(frame);
    if (socket.isHeldUp) socket.onIdle ??= () => this.#resumePosts();
  }

  refuse(): void {
    this.socket?.end(CLOSE.internalError, { shutdown: "closed" });
  }

  /** Answers those whose window is over. */
  look(nowMs: number): void {
    const polls = this.#polls.filter(({ untilMs }) => nowMs >= untilMs);
    for (const { caller } of polls) {
      this.forget(caller);
      this.#polledAtMs = nowMs;
      caller.answer(STATUS.none, "[]");
    }
    for (const post of this.#posts) post.look(nowMs);
  }

  /** True where no poll has come for so long that none will. */
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
      if (isDelivered === undefined) this.#events.unsure(this);
      else this.#settle(batch, isDelivered);
    });
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

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
}
