/**
 * Claims sessions that have no holder, together with the joins that their former holder has stored.
 *
 * The answer to a claim can be lost. The database then has sessions as held by this holder that nobody here knows,
 * called strays. They are freed before anything else is claimed.
 *
 * Runs on: shard; one for each holder.
 * Full: each claim that fails halves the number of sessions of the next one: so many may be more than the database
 *       or this thread can bear.
 */

import type { Queries } from "../database.ts";
import type { StoredJoin } from "./outcome.ts";
import type { SessionRow } from "./session.ts";
import type { Statements } from "./statements.ts";

/** Maximum number of sessions in one claim, so that other holders get some of many. */
const MAX_CLAIMED = 64;
/** Bytes of stored joins that one query reads. */
const JOIN_BYTES = 4_194_304;
/** An id before those of all sessions. */
const NO_SESSION = "00000000-0000-0000-0000-000000000000";

/** A session that was claimed. */
export interface ClaimedSession {
  readonly row: SessionRow;
  readonly joins: readonly StoredJoin[];
}

interface JoinRow {
  readonly session: string;
  readonly topic: string;
  readonly join_ref: string | null;
  readonly ref: string | null;
  readonly payload: string;
  readonly history: StoredJoin["history"];
  /** Length of the payload (bytes). */
  readonly length: number;
  readonly number: string;
}

/** The claims of a holder. */
export class Claims {
  readonly #queries: Queries;
  readonly #statements: Statements;
  /** Maximum number of sessions in the next claim. */
  #most = MAX_CLAIMED;
  #hasStrays = false;
  /** Whether there may be sessions without a holder. */
  isDue = true;

  constructor(queries: Queries, statements: Statements) {
    this.#queries = queries;
    this.#statements = statements;
  }

  /** Whether the answer to a claim was lost, so that `freeStrays` must be called before the next one. */
  get hasStrays(): boolean {
    return this.#hasStrays;
  }

  /** Claims sessions, as many as there are, but at most `room`. */
  async claim(holder: string, room: number): Promise<readonly ClaimedSession[]> {
    this.isDue = false;
    const most = this.#most;
    const wanted = Math.min(most, room);
    if (wanted <= 0) return [];
    this.#hasStrays = true;
    this.#most = Math.ceil(most / 2);
    const rows = await this.#queries.query<SessionRow>(this.#statements.claim, [holder, wanted]);
    const joins = await this.#joinsOf(rows);
    this.#most = Math.min(MAX_CLAIMED, most * 2);
    this.#hasStrays = false;
    if (rows.length === wanted) this.isDue = true;
    return rows.map((row) => ({ row, joins: joins.get(row.id) ?? [] }));
  }

  /** Frees all sessions of a holder but those that it knows. */
  async freeStrays(holder: string, known: readonly string[]): Promise<void> {
    await this.#queries.query(this.#statements.strays, [holder, known]);
    this.#hasStrays = false;
    this.isDue = true;
  }

  /** Reads the stored joins of sessions, in several queries if there are many. */
  async #joinsOf(claimed: readonly SessionRow[]): Promise<Map<string, StoredJoin[]>> {
    const joins = new Map<string, StoredJoin[]>();
    const ids = claimed.filter(({ state }) => state === "open").map(({ id }) => id);
    if (ids.length === 0) return joins;
    let last = { session: NO_SESSION, number: "0" };
    for (let bytes = JOIN_BYTES; bytes >= JOIN_BYTES;) {
      const values = [ids, JOIN_BYTES, last.session, last.number];
      const rows = await this.#queries.query<JoinRow>(this.#statements.joins, values);
      bytes = 0;
      for (const row of rows) {
        const { session, topic, join_ref: joinRef, ref, payload, history } = row;
        const own = joins.get(session) ?? [];
        own.push({ topic, joinRef, ref, payload, history });
        joins.set(session, own);
        bytes += row.length;
        last = row;
      }
    }
    return joins;
  }
}
