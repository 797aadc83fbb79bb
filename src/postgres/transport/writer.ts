/**
 * Writes what sessions have done and sent: many sessions in one statement, which is one transaction.
 *
 *   noted --batch--> on its way --answer: written----------------------> done
 *                       |  \------answer: not held by us any more------> lost
 *                       |   \-----no answer----------------------------> on its way, again with its number
 *                       |    `----answer: cannot be stored, alone again> the session ends
 *
 * Runs on: shard; one for each holder.
 * Order: what a session writes is written in order, since it has only one flight at a time.
 */

import { codeOf, isError } from "../../errors.ts";
import type { Queries } from "../database.ts";
import type { Flight } from "./outcome.ts";
import type { Statements } from "./statements.ts";

/** A session that writes. */
export interface WritingSession {
  readonly id: string;
  readonly epoch: string;
  /** Returns what is to be written: the same flight until it is answered, undefined if there is nothing to write. */
  flight(): Flight | undefined;
  written(): void;
  /** Another holder has the session, or it was deleted. */
  lost(): void;
  /** The database cannot hold what the session wrote. */
  unstorable(error: unknown): void;
}

/** Maximum size of a batch. */
const MAX_SESSIONS = 500;
const MAX_BYTES = 1_048_576;
/**
 * Errors that are the fault of what is written: data that a type cannot hold, a broken constraint, a statement or a
 * row that is too large.
 */
const FAULT_OF_DATA = /^(?:22|23|54)/;
/** Where PostgreSQL says that the queue of notifications is full, with the code of a row that is too large. */
const NOTIFICATIONS = "async.c";

/** Writes for the sessions of a holder. */
export class Writer<Session extends WritingSession> {
  readonly #database: Queries;
  readonly #statements: Statements;
  readonly #noted = new Set<Session>();

  constructor(database: Queries, statements: Statements) {
    this.#database = database;
    this.#statements = statements;
  }

  /** Whether a session may have something to write. */
  get isNeeded(): boolean {
    return this.#noted.size > 0;
  }

  /** Notes that a session may have something to write. */
  note(session: Session): void {
    this.#noted.add(session);
  }

  forget(session: Session): void {
    this.#noted.delete(session);
  }

  /**
   * Writes the sessions that were noted, up to a bound.
   *
   * @throws (rejects) if there is no answer. The next call then writes the same again
   */
  async write(holder: string): Promise<void> {
    const batch = this.#take();
    if (batch.size === 0) return;
    try {
      await this.#writeAll(holder, batch);
    } catch (error) {
      for (const session of batch.keys()) this.#noted.add(session);
      throw error;
    }
  }

  #take(): Map<Session, Flight> {
    const batch = new Map<Session, Flight>();
    let bytes = 0;
    for (const session of this.#noted) {
      if (batch.size >= MAX_SESSIONS || bytes >= MAX_BYTES) break;
      this.#noted.delete(session);
      const flight = session.flight();
      if (!flight) continue;
      batch.set(session, flight);
      bytes += flight.bytes;
    }
    return batch;
  }

  async #writeAll(holder: string, batch: ReadonlyMap<Session, Flight>): Promise<void> {
    try {
      await this.#writeBatch(holder, batch);
    } catch (error) {
      if (!isFaultOfData(error)) throw error;
      const [first] = batch.keys();
      if (batch.size === 1 && first) first.unstorable(error);
      // Nothing was written. Each session is written by itself, to find the one whose data is at fault.
      else
        for (const [one, flight] of batch) await this.#writeAll(holder, new Map([[one, flight]]));
    }
  }

  async #writeBatch(holder: string, batch: ReadonlyMap<Session, Flight>): Promise<void> {
    const { write } = this.#statements;
    const rows = await this.#database.query<{ id: string }>(
      write,
      [documentOf([...batch.values()]), holder],
      "simurgh_write",
    );
    const written = new Set(rows.map(({ id }) => id));
    const others = [...batch.keys()].filter(({ id }) => !written.has(id));
    const states = await this.#statesOf(holder, others);
    for (const [session, flight] of batch) {
      const state = states.get(session.id);
      const wasWritten = state?.epoch === session.epoch && Number(state.written) >= flight.number;
      // After its last write, a session has no holder. If the answer was lost, this looks like the loss of the session to
      // another holder. Both end the session here, so they need not be told apart.
      if (written.has(session.id) || wasWritten) session.written();
      else session.lost();
    }
  }

  async #statesOf(holder: string, sessions: readonly Session[]): Promise<Map<string, State>> {
    if (sessions.length === 0) return new Map();
    const ids = sessions.map(({ id }) => id);
    const rows = await this.#database.query<State>(this.#statements.held, [ids, holder]);
    return new Map(rows.map((row) => [row.id, row]));
  }
}

interface State {
  readonly id: string;
  readonly epoch: string;
  readonly written: string;
}

function isFaultOfData(error: unknown): boolean {
  return FAULT_OF_DATA.test(codeOf(error) ?? "") && fileOf(error) !== NOTIFICATIONS;
}

/** Returns the file of the server that an error is from. */
function fileOf(error: unknown): unknown {
  return isError(error) && "file" in error ? error.file : undefined;
}

function documentOf(flights: readonly Flight[]): string {
  const sessions = listed(flights.map(({ session }) => session));
  const handled = listed(flights.map((flight) => flight.handled));
  const messages = numbered(flights.flatMap((flight) => flight.messages));
  const joins = numbered(flights.flatMap((flight) => flight.joins));
  const positions = listed(flights.map((flight) => flight.positions));
  const left = listed(flights.map((flight) => flight.left));
  return `{"s":${sessions},"d":${handled},"o":${messages},"j":${joins},"p":${positions},"g":${left}}`;
}

function listed(texts: readonly string[]): string {
  return `[${texts.filter((text) => text !== "").join(",")}]`;
}

/** Adds its index to each object, since the rows of a list have no order in SQL. */
function numbered(texts: readonly string[]): string {
  return `[${texts.map((text, at) => `{"k":${at},${text}`).join(",")}]`;
}
