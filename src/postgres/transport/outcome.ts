/**
 * What a session has to write: rows that were handled, messages, joins, and its end. It is written in one transaction.
 *
 *   Outcome   grows until it is written
 *   Flight    an outcome on its way to the database. If the answer is lost it is sent again, and by its number the
 *             database recognizes one that it has already written
 *
 * Runs on: shard.
 * Owns: the messages that are not in the outbox yet.
 */

import type { RowMessage } from "./rows.ts";

/** A joined topic, as the next holder needs it. */
export interface StoredJoin {
  readonly topic: string;
  readonly joinRef: string | null;
  readonly ref: string | null;
  /** JSON text. */
  readonly payload: string;
  /** Position of the last kept message, if the join asked for the history. */
  history: HistoryPosition | null;
}

/** A position in the history of a topic. */
export interface HistoryPosition {
  readonly epoch: string;
  readonly offset: string;
}

/** How a session ends. */
export interface SessionEnd {
  readonly state: "refused" | "closed";
  readonly code: number | null;
  /** JSON text, or null. */
  readonly reason: string | null;
}

/** A session, as an outcome writes it. */
export interface WrittenSession {
  readonly id: string;
  readonly epoch: string;
  readonly joins: { get(topic: string): StoredJoin | undefined };
}

/** What one session adds to a batch, as JSON texts without brackets. Parts that it does not have are empty. */
export interface Flight {
  readonly number: number;
  readonly session: string;
  readonly handled: string;
  readonly messages: readonly string[];
  readonly joins: readonly string[];
  readonly positions: string;
  readonly left: string;
  readonly bytes: number;
  /** Whether the session has no holder afterwards. */
  readonly isLast: boolean;
}

interface Message {
  readonly row: RowMessage;
  readonly bytes: number;
}

interface HandledRow {
  readonly id: string;
  /** The number of messages before it, which are written with it at the latest. */
  readonly after: number;
}

/** What was not written yet. */
export class Outcome {
  /** Bytes of the messages. */
  bytes = 0;
  #handled: HandledRow[] = [];
  #messages: Message[] = [];
  readonly #joins = new Set<string>();
  readonly #positions = new Set<string>();
  #isOpened = false;
  #end: SessionEnd | undefined = undefined;
  #isFreed = false;

  get isEmpty(): boolean {
    const hasRows = this.#handled.length > 0 || this.#messages.length > 0;
    const hasJoins = this.#joins.size > 0 || this.#positions.size > 0;
    return !hasRows && !hasJoins && !this.#isOpened && !this.isLast;
  }

  /** Whether the session ends, or is left to another holder. */
  get isLast(): boolean {
    return this.#end !== undefined || this.#isFreed;
  }

  /** Whether it contains rows of the inbox that were handled, which the write will delete. */
  get hasHandled(): boolean {
    return this.#handled.length > 0;
  }

  /** Notes that a row of the inbox was handled. */
  handled(id: string): void {
    this.#handled.push({ id, after: this.#messages.length });
  }

  /** Adds a message. @param bytes - length of its frame, which the limits count */
  add(row: RowMessage, bytes: number): void {
    this.#messages.push({ row, bytes });
    this.bytes += bytes;
  }

  /** Notes that a topic was joined or left. */
  joined(topic: string): void {
    this.#joins.add(topic);
  }

  /** Notes that a kept message of a topic was sent. */
  passed(topic: string): void {
    this.#positions.add(topic);
  }

  opened(): void {
    this.#isOpened = true;
  }

  /** Leaves the session to another holder. */
  freed(): void {
    this.#isFreed = true;
  }

  /** Ends the session. @param isRead - false if its program does not read: nothing more is sent to it */
  ended(end: SessionEnd, isRead: boolean): void {
    this.#end = end;
    if (!isRead) this.#messages = [];
    const payload = end.state === "refused" ? (end.reason ?? "{}") : `{"code":${String(end.code)}}`;
    const row = {
      joinRef: null,
      ref: null,
      topic: "phoenix",
      event: end.state,
      payload,
      bytes: null,
    };
    this.add(row, payload.length);
  }

  /**
   * Splits off as much as the outbox has room for. Joins and handled rows are written with the messages that follow from
   * them, or earlier; the end of the session is written last.
   *
   * @returns the first part, which has at least one message if there is any
   */
  first(mostRows: number, mostBytes: number): Outcome {
    let count = 0;
    let bytes = 0;
    for (const message of this.#messages) {
      if (count > 0 && (count >= mostRows || bytes + message.bytes > mostBytes)) break;
      count += 1;
      bytes += message.bytes;
    }
    const first = new Outcome();
    first.bytes = bytes;
    first.#messages = this.#messages.splice(0, count);
    first.#handled = this.#handled.filter(({ after }) => after <= count);
    first.#isOpened = this.#isOpened;
    for (const topic of this.#joins) first.#joins.add(topic);
    for (const topic of this.#positions) first.#positions.add(topic);
    this.bytes -= bytes;
    this.#handled = this.#handled
      .filter(({ after }) => after > count)
      .map(({ id, after }) => ({ id, after: after - count }));
    this.#isOpened = false;
    this.#joins.clear();
    this.#positions.clear();
    return first;
  }

  /** Returns the outcome in the form in which it is written. It must not be changed afterwards. */
  toFlight(number: number, session: WrittenSession): Flight {
    const id = `"${session.id}"`;
    const of = (topics: Iterable<string>, write: (join: StoredJoin) => string): string[] =>
      [...topics].flatMap((topic) => session.joins.get(topic) ?? []).map(write);
    const left = [...this.#joins].filter((topic) => !session.joins.get(topic));
    const positions = [...this.#positions].filter((topic) => !this.#joins.has(topic));
    return {
      number,
      session: this.#sessionJson(number, session),
      handled: this.#handled.map((row) => `{"s":${id},"i":${row.id}}`).join(","),
      messages: this.#messages.map(({ row }) => messageJson(id, row)),
      joins: of(this.#joins, (join) => joinJson(id, join)),
      positions: of(positions, ({ topic, history }) => {
        return `{"s":${id},"t":${JSON.stringify(topic)},"h":${JSON.stringify(history)}}`;
      }).join(","),
      left: left.map((topic) => `{"s":${id},"t":${JSON.stringify(topic)}}`).join(","),
      bytes: this.bytes,
      isLast: this.isLast,
    };
  }

  #sessionJson(number: number, { id, epoch }: WrittenSession): string {
    const state = this.#end?.state ?? (this.#isOpened ? "open" : null);
    return JSON.stringify({
      id,
      epoch: Number(epoch),
      n: number,
      active: this.#handled.length > 0,
      state,
      code: this.#end?.code ?? null,
      reason: this.#end?.reason == null ? null : (JSON.parse(this.#end.reason) as unknown),
      free: this.isLast,
    });
  }
}

function messageJson(id: string, message: RowMessage): string {
  const { joinRef, ref, topic, event, payload, bytes } = message;
  const encoded = bytes ? Buffer.from(bytes).toString("base64") : null;
  const size = (payload?.length ?? 0) + (bytes?.length ?? 0) + topic.length + event.length;
  const [j, r, t, e, b] = [joinRef, ref, topic, event, encoded].map((part) => JSON.stringify(part));
  return `"s":${id},"j":${j},"r":${r},"t":${t},"e":${e},"p":${payload ?? "null"},"b":${b},"z":${size}}`;
}

function joinJson(id: string, { topic, joinRef, ref, payload, history }: StoredJoin): string {
  const [t, j, r, h] = [topic, joinRef, ref, history].map((part) => JSON.stringify(part));
  return `"s":${id},"t":${t},"j":${j},"r":${r},"p":${payload},"h":${h}}`;
}
