/**
 * One session: a row of the database, as a client of a socket.
 *
 *   opening --connect: ok--> rejoining --the stored joins were answered--> open
 *      |                         |                                          |
 *      +--refused----------------+-- the socket or the program ends it -----+--> ended, which is written
 *      +--the lease is lost------+------------------------------------------+--> lost: nothing more is written
 *      +--the shard closes-------+------------------------------------------+--> freed for another holder
 *
 * Its rows are passed on one after the other, each when the handler of the previous one has finished. The effects of a
 * row (its reply, other messages, and that it was handled) are one write. A row whose handler calls `replyLater` does
 * not hold up the others: it counts as handled when the reply is sent, or after `laterReplyMs`.
 *
 * The stored joins are passed on again before the first row. Their answers are left out of the outbox, since the program
 * has received them before. If a join is refused now, its channel ends.
 *
 * Runs on: shard.
 * Owns: the rows that were fetched, and the messages that are not in the outbox yet.
 * Full: while the outbox is full, no rows are passed on. Messages wait here and count as unsent, so that the socket's
 *       policy for slow clients applies.
 */

import type {
  TransportClient,
  TransportConnection,
  TransportDecision,
  TransportRequest,
} from "../../raw.ts";
import { LaterReplies } from "./later-replies.ts";
import type { PostgresInfo } from "./options.ts";
import { Outcome, type Flight, type StoredJoin } from "./outcome.ts";
import { frameOf, messageOf, storableJson, type RowMessage } from "./rows.ts";
import {
  historyIn,
  isOk,
  isReplyTo,
  messageOfJoin,
  reasonIn,
  SessionJoins,
} from "./session-joins.ts";
import type { WritingSession } from "./writer.ts";

/** A session, as claimed. */
export interface SessionRow {
  readonly id: string;
  readonly role: string;
  readonly path: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly state: "opening" | "open";
  readonly epoch: string;
  readonly written: string;
}

/** A row of the inbox. */
export interface InboxRow extends RowMessage {
  readonly id: string;
  readonly isTooLong: boolean;
}

/** How full the outbox is. */
export interface OutboxSize {
  readonly rows: number;
  readonly bytes: number;
}

/** What a session needs of its holder. */
export interface SessionOwner {
  readonly settings: {
    readonly paths: readonly string[];
    readonly outboxRows: number;
    readonly outboxBytes: number;
    readonly laterReplyMs: number;
  };
  /** True once the shard ends its sessions. */
  readonly isStopping: boolean;
  /** False while there is no connection to the database. */
  readonly isWriting: boolean;
  connect(request: TransportRequest): Promise<TransportDecision>;
  /** The session has something to write. */
  hasWritten(session: Session): void;
  /** The session can take rows. */
  wantsRows(session: Session): void;
  /** The session's outbox may be full. */
  wantsSize(session: Session): void;
  /** The session has ended here. */
  isOver(session: Session): void;
  report(text: string): void;
}

/** What is passed on: a row, or a stored join. */
interface Work extends RowMessage {
  /** Undefined for a stored join. */
  readonly id: string | undefined;
  /** True for a join of a topic that is joined already: the new channel replaces the old one. */
  readonly isRejoin: boolean;
  /** Set if the handler will reply later. */
  isLater: boolean;
}

/** Close codes (RFC 6455 §7.4.1). A shard that drains closes with 1012. */
const CODE = {
  normal: 1000,
  cut: 1006,
  tooLarge: 1009,
  internalError: 1011,
  restart: 1012,
} as const;
/** The version of the protocol in which rows are written. */
const VERSION = "2.0.0";
/** Bytes that may be on their way to an outbox that has room: as many as in a batch of the writer. */
const SOON_BYTES = 1_048_576;
const MAX_FAILURES = 4;
const FIRST_RETRY_MS = 500;

/** Tells a program that another shard has its session. */
const RESUMED: RowMessage = {
  joinRef: null,
  ref: null,
  topic: "phoenix",
  event: "resumed",
  payload: null,
  bytes: null,
};

/** A session. */
export class Session implements TransportClient, WritingSession {
  readonly id: string;
  readonly epoch: string;
  readonly joins: SessionJoins;
  readonly #row: SessionRow;
  readonly #owner: SessionOwner;
  #connection: TransportConnection | undefined = undefined;
  /** Stored joins and rows that were not passed on yet. */
  #rejoins: StoredJoin[];
  #rows: InboxRow[] = [];
  #current: Work | undefined = undefined;
  readonly #later = new LaterReplies();
  #outcome = new Outcome();
  #flight: Flight | undefined = undefined;
  #number: number;
  #size: OutboxSize = { rows: 0, bytes: 0 };
  #isPaused = false;
  #isPassing = false;
  /** True once it is known what the last write contains. */
  #isEnding = false;
  #isGone = false;
  #failures = 0;
  #unstorables = 0;
  #retry: NodeJS.Timeout | undefined = undefined;

  constructor(owner: SessionOwner, row: SessionRow, joins: readonly StoredJoin[]) {
    this.#owner = owner;
    this.#row = row;
    this.id = row.id;
    this.epoch = row.epoch;
    this.#number = Number(row.written);
    this.#rejoins = [...joins];
    this.joins = new SessionJoins(joins);
  }

  /** True if rows can be fetched: all that were fetched before are handled and written. */
  get takesRows(): boolean {
    const isFree = this.#connection !== undefined && !this.#isEnding && !this.#isFull;
    const hasNone = this.#rows.length === 0 && this.#rejoins.length === 0 && !this.#current;
    const isWritten = !this.#outcome.hasHandled && !this.#flight?.handled;
    return isFree && !this.#later.isFull && hasNone && isWritten;
  }

  /** Ids of rows that are still in the inbox, but must not be fetched again. */
  get laterRows(): readonly string[] {
    return this.#later.ids;
  }

  /** Whether its outbox may soon be full. */
  get isFilling(): boolean {
    const { outboxRows, outboxBytes } = this.#owner.settings;
    return this.#size.rows > outboxRows / 2 || this.#size.bytes > outboxBytes / 2;
  }

  get #isFull(): boolean {
    const { outboxRows, outboxBytes } = this.#owner.settings;
    return this.#size.rows >= outboxRows || this.#size.bytes >= outboxBytes;
  }

  // -- opening -----------------------------------------------------------------------------------

  /** Asks the socket, and opens the connection. */
  async open(): Promise<void> {
    const decision = await this.#decide();
    if (this.#isGone || this.#isEnding) return;
    switch (decision.result) {
      case "ok":
        this.#opened(decision);
        break;
      case "refused":
        this.#refuse(decision.reason);
        break;
      case "limited":
        this.#retry = setTimeout(() => void this.open(), decision.retryAfterMs);
        break;
      case "failed":
        this.#failed();
        break;
      case "unavailable":
        this.#retry = setTimeout(() => void this.open(), FIRST_RETRY_MS);
        break;
    }
  }

  async #decide(): Promise<TransportDecision> {
    const { path, role, claims, params } = this.#row;
    const refused = { result: "refused", reason: { reason: "no such socket" } } as const;
    if (!this.#owner.settings.paths.includes(path)) return refused;
    const postgres: PostgresInfo = { role, claims, session: this.id };
    try {
      return await this.#owner.connect({
        path,
        params: { ...params, vsn: VERSION },
        connectInfo: { postgres },
      });
    } catch (error) {
      this.#owner.report(`no socket for a session of ${path}: ${String(error)}`);
      return refused;
    }
  }

  #opened(decision: Extract<TransportDecision, { readonly result: "ok" }>): void {
    const connection = decision.open(this);
    // The shard may be closing, and then ends the connection within `open`.
    if (!connection.isOpen) return;
    this.#connection = connection;
    if (this.#row.state === "opening") {
      this.#outcome.opened();
    } else {
      this.#addJson(RESUMED, "{}");
    }
    this.#owner.hasWritten(this);
    this.#passOn();
  }

  #refuse(reason: unknown): void {
    const json = reason === undefined ? null : storableJson(JSON.stringify(reason));
    this.#end({ state: "refused", code: null, reason: json }, true);
  }

  /** Tries again a few times, because a service that `connect` uses may be unavailable for a moment. */
  #failed(): void {
    this.#failures += 1;
    if (this.#failures >= MAX_FAILURES) {
      this.#refuse({ reason: "connect failed" });
      return;
    }
    this.#retry = setTimeout(() => void this.open(), FIRST_RETRY_MS * this.#failures);
  }

  // -- rows --------------------------------------------------------------------------------------

  /** Takes rows that were fetched. */
  take(rows: readonly InboxRow[]): void {
    if (this.#isEnding || this.#isGone) return;
    this.#rows.push(...rows);
    this.#passOn();
  }

  #passOn(): void {
    // A handler may call this from within `receive`.
    if (this.#isPassing) return;
    this.#isPassing = true;
    try {
      for (let work = this.#next(); work; work = this.#next()) this.#pass(work);
    } finally {
      this.#isPassing = false;
    }
    if (this.takesRows) this.#owner.wantsRows(this);
  }

  #next(): Work | undefined {
    if (this.#current || this.#isPaused || this.#isEnding || this.#isGone) return undefined;
    const join = this.#rejoins.shift();
    if (join) return { ...messageOfJoin(join), id: undefined, isRejoin: true, isLater: false };
    if (this.#isFull) return undefined;
    const row = this.#rows.shift();
    if (!row) return undefined;
    if (row.isTooLong) this.#endHere(CODE.tooLarge);
    else if (row.topic === "phoenix" && row.event === "phx_close")
      this.#endHere(CODE.normal, row.id);
    else return { ...row, isRejoin: this.joins.get(row.topic) !== undefined, isLater: false };
    return undefined;
  }

  #pass(work: Work): void {
    const frame = frameOf(work);
    if (frame === undefined) {
      this.#endHere(CODE.internalError, work.id);
      return;
    }
    this.#current = work;
    if (this.#connection?.receive(frame) === false) this.#isPaused = true;
    this.#settle();
  }

  /** Notes that the current row was handled, if it was. */
  #settle(): void {
    const work = this.#current;
    if (!work || this.#isPaused || this.#isEnding) return;
    if (this.#connection?.isHandling(work.topic) === true) return;
    this.#current = undefined;
    if (work.id === undefined) return;
    if (work.isLater) this.#later.add(work, work.id, performance.now());
    else this.#handledRow(work.id);
  }

  #handledRow(id: string): void {
    this.#outcome.handled(id);
    this.#owner.hasWritten(this);
  }

  /** Completes rows whose reply is late, without waiting for it. */
  checkLate(nowMs: number): void {
    const { laterReplyMs } = this.#owner.settings;
    for (const id of this.#later.takeSince(nowMs - laterReplyMs)) this.#handledRow(id);
  }

  // -- TransportClient: for the shard ------------------------------------------------------------

  /**
   * Bytes that the database will not take soon. Those that are on their way do not count, like the bytes in the send
   * buffer of a socket. While the shard closes, none count, because all of them are written with the session's end.
   */
  get bufferedBytes(): number {
    if (this.#owner.isStopping) return 0;
    const waiting = this.#outcome.bytes + (this.#flight?.bytes ?? 0);
    return Math.max(0, waiting - this.#soonTaken);
  }

  get #soonTaken(): number {
    if (!this.#owner.isWriting || this.#isFull) return 0;
    return Math.min(SOON_BYTES, this.#owner.settings.outboxBytes - this.#size.bytes);
  }

  send(frame: string | Uint8Array): void {
    if (this.#isEnding || this.#isGone) return;
    const message = messageOf(frame);
    if (!message) throw new TypeError(`a frame must be of version ${VERSION} of the protocol`);
    if (this.#isAnswerToStored(message)) return;
    this.#follow(message);
    this.#add(message, frame.length);
  }

  /** @param code - 1006 if the client is too slow */
  close(code: number): void {
    const isOfShard = code === CODE.restart || (code === CODE.cut && this.#owner.isStopping);
    if (isOfShard) this.free();
    else this.#end({ state: "closed", code, reason: null }, code !== CODE.cut);
  }

  handled(): void {
    this.#settle();
    this.#passOn();
  }

  repliesLater(topic: string, ref: unknown): void {
    const work = this.#current;
    if (work && work.topic === topic && work.ref === ref) work.isLater = true;
  }

  /** The shard takes messages again. */
  resume(): void {
    this.#isPaused = false;
    this.handled();
  }

  #add(message: RowMessage, bytes: number): void {
    this.#outcome.add(message, bytes);
    this.#owner.hasWritten(this);
  }

  #addJson(message: RowMessage, payload: string): void {
    this.#add({ ...message, payload }, payload.length);
  }

  /** Handles an answer to a stored join, which does not go into the outbox. @returns false for other messages */
  #isAnswerToStored(message: RowMessage): boolean {
    const work = this.#current;
    if (!work || work.id !== undefined || !isReplyTo(message, work)) return false;
    const { topic } = work;
    const answer = message.payload ?? "{}";
    if (isOk(answer)) {
      this.joins.rejoined(topic, answer, this.#outcome);
      const history = historyIn(answer);
      if (history?.recovered === false) {
        this.#addJson({ ...message, ref: null, event: "history" }, JSON.stringify(history));
      }
    } else {
      this.joins.left(topic, this.#outcome);
      const end = { ...message, ref: message.joinRef, event: "phx_error" };
      this.#addJson(end, reasonIn(answer));
    }
    return true;
  }

  /** Updates the joins, and the rows that wait for a reply, by a message to the program. */
  #follow(message: RowMessage): void {
    switch (message.event) {
      case "phx_reply":
        this.#replied(message);
        break;
      case "phx_error":
        this.joins.left(message.topic, this.#outcome);
        break;
      case "phx_close":
        // A join of a joined topic ends the channel before it; only the newer one is stored.
        if (!this.#isReplaced(message)) this.joins.left(message.topic, this.#outcome);
        break;
      default:
        this.joins.passed(message, this.#outcome);
    }
  }

  #replied(message: RowMessage): void {
    const answered = this.#later.take(message);
    if (answered !== undefined) this.#handledRow(answered);
    const work = this.#current;
    if (work?.event !== "phx_join" || !isReplyTo(message, work)) return;
    if (isOk(message.payload)) this.joins.joined(work, message.payload ?? "", this.#outcome);
  }

  #isReplaced({ topic }: RowMessage): boolean {
    const work = this.#current;
    return work?.event === "phx_join" && work.topic === topic && work.isRejoin;
  }

  // -- WritingSession: for the writer ------------------------------------------------------------

  flight(): Flight | undefined {
    if (this.#flight) return this.#flight;
    if (this.#isGone || this.#outcome.isEmpty) return undefined;
    const part = this.#outcome.isLast ? this.#outcome : this.#firstPart();
    if (!part) {
      this.#owner.wantsSize(this);
      return undefined;
    }
    if (part === this.#outcome) this.#outcome = new Outcome();
    this.#number += 1;
    this.#flight = part.toFlight(this.#number, this);
    return this.#flight;
  }

  /** Returns as much of the outcome as the outbox has room for. */
  #firstPart(): Outcome | undefined {
    if (this.#isFull) return undefined;
    const { outboxRows, outboxBytes } = this.#owner.settings;
    return this.#outcome.first(outboxRows - this.#size.rows, outboxBytes - this.#size.bytes);
  }

  written(): void {
    const flight = this.#flight;
    if (!flight) return;
    this.#flight = undefined;
    if (flight.isLast) {
      this.#gone();
      return;
    }
    const { rows, bytes } = this.#size;
    this.setSize({ rows: rows + flight.messages.length, bytes: bytes + flight.bytes });
    if (!this.#outcome.isEmpty) this.#owner.hasWritten(this);
    this.#connection?.drained();
  }

  lost(): void {
    this.#flight = undefined;
    this.#connection?.closed();
    this.#gone();
  }

  unstorable(error: unknown): void {
    this.#owner.report(`a session wrote what the database cannot hold: ${String(error)}`);
    this.#flight = undefined;
    this.#isEnding = false;
    this.#unstorables += 1;
    if (this.#unstorables === 1) this.#endHere(CODE.internalError);
    // The database cannot hold its end either.
    else if (this.#unstorables === 2) this.free();
    else this.#gone();
  }

  /** Sets the size of the outbox, as read from the database. */
  setSize(size: OutboxSize): void {
    this.#size = size;
    if (this.#isFull) return;
    if (!this.#outcome.isEmpty) this.#owner.hasWritten(this);
    this.#passOn();
  }

  // -- ends --------------------------------------------------------------------------------------

  /** Leaves the session to another holder, if the shard has no connection of it to end. */
  freeUnopened(): void {
    if (!this.#connection) this.free();
  }

  /** Leaves the session to another holder, which handles the remaining rows. */
  free(): void {
    if (this.#isEnding || this.#isGone) return;
    this.#isEnding = true;
    clearTimeout(this.#retry);
    this.#outcome.freed();
    this.#owner.hasWritten(this);
  }

  /** Ends the session because its program sends nothing, or takes no rows. */
  expire(isIdle: boolean): void {
    this.#endHere(isIdle ? CODE.normal : CODE.cut);
  }

  /** Ends the session from this side. @param row - the row that asked for it */
  #endHere(code: number, row?: string): void {
    if (this.#isEnding || this.#isGone) return;
    if (row !== undefined) this.#outcome.handled(row);
    this.#end({ state: "closed", code, reason: null }, code !== CODE.cut);
    this.#connection?.closed(code);
  }

  #end(end: Parameters<Outcome["ended"]>[0], isRead: boolean): void {
    if (this.#isEnding || this.#isGone) return;
    this.#isEnding = true;
    clearTimeout(this.#retry);
    this.#outcome.ended(end, isRead);
    this.#owner.hasWritten(this);
  }

  #gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    clearTimeout(this.#retry);
    this.#owner.isOver(this);
  }
}
