/**
 * Reads what the database has for the sessions of a holder: many sessions in one statement.
 *
 *   noted as           read by        what the session gets
 *   waiting for rows   `fetch`        rows of its inbox, once it can take them
 *   maybe full         `measure`      the size of its outbox
 *   maybe deleted      `checkHeld`    `lost`, if the database does not have it for this holder any more
 *
 * Runs on: shard; one for each holder.
 * Order: the rows of a session are read in the order of their ids.
 */

import type { Queries } from "../database.ts";
import type { InboxRow, Session } from "./session.ts";
import type { Statements } from "./statements.ts";

/** Sessions in one fetch, rows of each, and bytes of each. */
const FETCHED_SESSIONS = 128;
const FETCHED_ROWS = 256;
const FETCHED_BYTES = 65_536;
/** Sessions with rows that one query finds. */
const MAX_FOUND = 10_000;
/** Sessions whose outboxes one query measures. */
const MAX_MEASURED = 500;

/** A row of the inbox, as fetched. */
interface FetchedRow {
  readonly session: string;
  readonly id: string;
  readonly join_ref: string | null;
  readonly ref: string | null;
  readonly topic: string;
  readonly event: string;
  readonly payload: string | null;
  readonly bytes: Uint8Array | null;
  readonly is_too_long: boolean;
}

/** Reads for the sessions of a holder. */
export class Reader {
  readonly #queries: Queries;
  readonly #statements: Statements;
  readonly #sessions: ReadonlyMap<string, Session>;
  readonly #maxRowBytes: number;
  readonly #waiting = new Set<Session>();
  readonly #maybeFull = new Set<Session>();
  readonly #maybeDeleted = new Set<Session>();

  /** @param sessions - those that are held, by id */
  constructor(
    queries: Queries,
    statements: Statements,
    sessions: ReadonlyMap<string, Session>,
    maxRowBytes: number,
  ) {
    this.#queries = queries;
    this.#statements = statements;
    this.#sessions = sessions;
    this.#maxRowBytes = maxRowBytes;
  }

  /** Notes that a session may have rows in its inbox. */
  noteRows(session: Session): void {
    this.#waiting.add(session);
  }

  /** Notes that the outbox of a session may be full. */
  noteSize(session: Session): void {
    this.#maybeFull.add(session);
  }

  /** Notes that a session may have been deleted. */
  noteDeletion(session: Session): void {
    this.#maybeDeleted.add(session);
  }

  /** Notes the outboxes that may soon be full. */
  noteFilling(): void {
    for (const session of this.#sessions.values()) {
      if (session.isFilling) this.#maybeFull.add(session);
    }
  }

  forget(session: Session): void {
    this.#waiting.delete(session);
    this.#maybeFull.delete(session);
    this.#maybeDeleted.delete(session);
  }

  /** Whether a session may have rows in its inbox. */
  mayHaveRows(session: Session): boolean {
    return this.#waiting.has(session);
  }

  /** Whether there is a session for `fetch`. */
  get isFetchDue(): boolean {
    for (const session of this.#waiting) if (session.takesRows) return true;
    return false;
  }

  /** Whether there is a session for `measure`. */
  get isMeasureDue(): boolean {
    return this.#maybeFull.size > 0;
  }

  /** Whether there is a session for `checkHeld`. */
  get isCheckDue(): boolean {
    return this.#maybeDeleted.size > 0;
  }

  /** Finds the sessions of a holder that have rows in their inbox, in case a notification was lost. */
  async findWaiting(holder: string): Promise<void> {
    const values = [holder, MAX_FOUND];
    const rows = await this.#queries.query<{ id: string }>(this.#statements.waiting, values);
    for (const { id } of rows) {
      const session = this.#sessions.get(id);
      if (session) this.#waiting.add(session);
    }
  }

  /** Fetches rows of sessions that wait for some, and can take them. */
  async fetch(): Promise<void> {
    const takers = this.#takers();
    for (const session of takers) this.#waiting.delete(session);
    let rows: readonly FetchedRow[];
    try {
      rows = await this.#rowsOf(takers);
    } catch (error) {
      for (const session of takers) this.#waiting.add(session);
      throw error;
    }
    for (const [id, own] of grouped(rows)) {
      const session = this.#sessions.get(id);
      if (!session) continue;
      // It may have more rows than one query reads.
      this.#waiting.add(session);
      session.take(own);
    }
  }

  /** Returns sessions that wait for rows and can take them, as many as one query reads. */
  #takers(): Session[] {
    const takers: Session[] = [];
    for (const session of this.#waiting) {
      if (takers.length === FETCHED_SESSIONS) break;
      if (session.takesRows) takers.push(session);
    }
    return takers;
  }

  async #rowsOf(sessions: readonly Session[]): Promise<readonly FetchedRow[]> {
    const wanted = sessions.map(({ id, laterRows }) => {
      return `{"id":"${id}","most":${FETCHED_ROWS},"skip":[${laterRows.join(",")}]}`;
    });
    const values = [`[${wanted.join(",")}]`, FETCHED_BYTES, this.#maxRowBytes];
    return this.#queries.query<FetchedRow>(this.#statements.fetch, values, "simurgh_fetch");
  }

  /** Tells sessions how full their outboxes are. */
  async measure(): Promise<void> {
    const sessions = [...this.#maybeFull].slice(0, MAX_MEASURED);
    const ids = sessions.map(({ id }) => id);
    const rows = await this.#queries.query<{ id: string; rows: number; bytes: number }>(
      this.#statements.sizes,
      [ids],
    );
    for (const session of sessions) this.#maybeFull.delete(session);
    for (const { id, ...size } of rows) this.#sessions.get(id)?.setSize(size);
  }

  /** Ends sessions here that the database does not have for this holder any more. */
  async checkHeld(holder: string): Promise<void> {
    const sessions = [...this.#maybeDeleted];
    const ids = sessions.map(({ id }) => id);
    const rows = await this.#queries.query<{ id: string }>(this.#statements.held, [ids, holder]);
    const held = new Set(rows.map(({ id }) => id));
    for (const session of sessions) {
      this.#maybeDeleted.delete(session);
      if (!held.has(session.id)) session.lost();
    }
  }
}

/** Returns the rows of each session, in their order. */
function grouped(rows: readonly FetchedRow[]): Map<string, InboxRow[]> {
  const groups = new Map<string, InboxRow[]>();
  for (const { session, join_ref: joinRef, is_too_long: isTooLong, ...row } of rows) {
    const own = groups.get(session) ?? [];
    own.push({ ...row, joinRef, isTooLong });
    groups.set(session, own);
  }
  return groups;
}
