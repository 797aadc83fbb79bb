/**
 * A program that only speaks SQL: it opens a session of the transport, sends rows, and takes those of its outbox.
 *
 * Runs on: the test's thread.
 */

import { once } from "node:events";

import type { Client } from "pg";

import { within } from "./deadline.ts";
import type { TestPostgres } from "./postgres.ts";

/** A row of the outbox. */
export interface OutboxRow {
  readonly id: string;
  readonly join_ref: string | null;
  readonly ref: string | null;
  readonly topic: string;
  readonly event: string;
  readonly payload: unknown;
  readonly bytes: Buffer | null;
}

/** A session. */
export class SqlSession {
  readonly client: Client;
  readonly id: string;
  #ref = 0;
  /** Rows that were taken, and not returned yet. */
  readonly #rows: OutboxRow[] = [];

  private constructor(client: Client, id: string) {
    this.client = client;
    this.id = id;
  }

  static async open(
    postgres: TestPostgres,
    role: string,
    params: object = {},
    claims: object = {},
  ): Promise<SqlSession> {
    const client = await postgres.connect(role);
    return SqlSession.over(client, params, claims);
  }

  /** Opens a session over a connection, which its `end` ends. */
  static async over(client: Client, params: object = {}, claims: object = {}): Promise<SqlSession> {
    const { rows } = await client.query<{ id: string }>(
      "SELECT simurgh.open('/socket', $1, $2) AS id",
      [params, claims],
    );
    const id = rows[0]?.id ?? "";
    await client.query(`LISTEN "simurgh:${id}"`);
    return new SqlSession(client, id);
  }

  /** Sends a row. @returns its ref */
  async send(topic: string, event: string, payload: object = {}): Promise<string> {
    this.#ref += 1;
    const ref = String(this.#ref);
    const values = [this.id, topic, event, payload, ref, "1"];
    await this.client.query("SELECT simurgh.send($1, $2, $3, $4, $5, $6)", values);
    return ref;
  }

  /** Sends a row, and returns the response of its reply. */
  async call(topic: string, event: string, payload: object = {}): Promise<unknown> {
    const ref = await this.send(topic, event, payload);
    const row = await this.next((one) => one.event === "phx_reply" && one.ref === ref);
    const { status, response } = row.payload as { status: string; response: unknown };
    if (status !== "ok") throw new Error(`${event}: ${JSON.stringify(response)}`);
    return response;
  }

  /** Joins a topic. */
  async join(topic: string, payload: object = {}): Promise<unknown> {
    return this.call(topic, "phx_join", payload);
  }

  /** Takes the next row that matches; others stay. */
  async next(matches: (row: OutboxRow) => boolean = () => true): Promise<OutboxRow> {
    return within(this.#next(matches), `a row for the session ${this.id}`);
  }

  async #next(matches: (row: OutboxRow) => boolean): Promise<OutboxRow> {
    for (;;) {
      const at = this.#rows.findIndex(matches);
      const [found] = at < 0 ? [] : this.#rows.splice(at, 1);
      if (found) return found;
      // Listened for first, so that what comes after the look is noticed.
      const notified = once(this.client, "notification");
      notified.catch(() => {});
      const taken = await this.take();
      if (taken.length === 0) await notified;
      this.#rows.push(...taken);
    }
  }

  /** Takes what is in the outbox. */
  async take(most = 100): Promise<OutboxRow[]> {
    const { rows } = await this.client.query<OutboxRow>("SELECT * FROM simurgh.take($1, $2)", [
      this.id,
      most,
    ]);
    return rows;
  }

  async end(): Promise<void> {
    await this.client.end();
  }
}
