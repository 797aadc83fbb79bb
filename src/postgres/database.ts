/**
 * One connection to the database, which is opened again whenever it breaks.
 *
 * All statements run on this connection, one after the other, and notifications arrive on it. After each connect,
 * `onConnected` finds out what was missed. A statement that was running when the connection broke may have been
 * executed or not, so the caller must be able to repeat it.
 *
 * Runs on: shard; main, for `simurgh postgres`.
 * Order: statements run in the order of the calls.
 * Full: nothing is queued while there is no connection: `query` rejects.
 */

import type { Client, QueryConfig } from "pg";

import { Backoff } from "../backoff.ts";
import { codeOf, makeError, type SimurghError } from "../errors.ts";
import { errorText } from "../error-report.ts";
import type { PostgresAddress } from "./address.ts";
import { closeConnection, CONNECT_MS, newClient, refusalOf } from "./connection.ts";
import { SET_PATH } from "./library.ts";

/** A value of a statement. */
export type SqlValue = string | number | boolean | null | Uint8Array | readonly SqlValue[];

/** Runs statements. */
export interface Queries {
  /**
   * @param name - of a statement that is run often, which the server then keeps prepared
   * @throws SIM_ERR_DATABASE (rejects) without a connection or an answer; or the server's error
   */
  query<Row extends object>(
    sql: string,
    values?: readonly SqlValue[],
    name?: string,
  ): Promise<readonly Row[]>;
}

/** What the owner of a database is told. */
export interface DatabaseListener {
  /**
   * Called after each connect, before `query` is available to others. If it rejects, the connection is opened
   * again later.
   */
  onConnected?(queries: Queries): Promise<void>;
  /** Called when a connection breaks, once for each. */
  onLost?(): void;
  /** Called for each notification of a channel that `onConnected` listens to. Must not throw. */
  onNotification?(channel: string, payload: string): void;
  /** Called with a line for the log when connecting fails, and when it works again. A failure is not repeated. */
  onReport?(report: string): void;
}

/** Time limits (ms), shorter in tests. */
export interface DatabasePatience {
  readonly connectMs: number;
  /** Time limit of a statement. The server cancels the statement a little earlier. */
  readonly answerMs: number;
  readonly firstRetryMs: number;
  readonly mostRetryMs: number;
}

const PATIENCE: DatabasePatience = {
  connectMs: CONNECT_MS,
  answerMs: 15_000,
  firstRetryMs: 100,
  mostRetryMs: 5_000,
};
/** Part of `answerMs` after which the server cancels a statement. */
const SERVER_SHARE = 0.8;

/** A connection, and what waits for it. */
interface Open {
  readonly client: Client;
  /** The end of the last statement. */
  tail: Promise<unknown>;
  readonly lost: AbortController;
}

/** A database. */
export class Database implements Queries {
  readonly address: PostgresAddress;
  readonly #name: string;
  readonly #listener: DatabaseListener;
  readonly #patience: DatabasePatience;
  readonly #backoff: Backoff;
  #open: Open | undefined = undefined;
  #isReady = false;
  #isStopped = false;
  #retry: NodeJS.Timeout | undefined = undefined;
  #report = "";

  /** @param name - shown by PostgreSQL as application_name */
  constructor(
    address: PostgresAddress,
    name: string,
    listener: DatabaseListener = {},
    patience: Partial<DatabasePatience> = {},
  ) {
    this.address = address;
    this.#name = name;
    this.#listener = listener;
    this.#patience = { ...PATIENCE, ...patience };
    this.#backoff = new Backoff(this.#patience.firstRetryMs, this.#patience.mostRetryMs);
  }

  /** True while statements can be run. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /**
   * Connects. If the database is down, this is reported and tried again until `stop`.
   *
   * @throws SIM_ERR_DATABASE_REFUSED, SIM_ERR_DATABASE_SCHEMA, SIM_ERR_CLIENT_PACKAGE
   */
  async start(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      if (isFinal(error)) {
        await this.stop();
        throw error;
      }
      this.#again(error);
    }
  }

  /** Connects, once. @throws SIM_ERR_DATABASE_REFUSED, SIM_ERR_CLIENT_PACKAGE, or what made it fail */
  async connectOnce(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async query<Row extends object>(
    sql: string,
    values: readonly SqlValue[] = [],
    name?: string,
  ): Promise<readonly Row[]> {
    const open = this.#open;
    if (!open || !this.#isReady) throw this.#away("there is no connection");
    return this.#run<Row>(open, { text: sql, values: [...values], name });
  }

  /** Closes the connection once its statements have ended, and opens no other. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#isReady = false;
    clearTimeout(this.#retry);
    const open = this.#open;
    this.#open = undefined;
    if (!open) return;
    await open.tail;
    await closeConnection(open.client);
  }

  async #connect(): Promise<void> {
    const { connectMs, answerMs } = this.#patience;
    const client = await newClient(this.address, {
      application_name: this.#name,
      connectionTimeoutMillis: connectMs,
      statement_timeout: Math.floor(answerMs * SERVER_SHARE),
      // Shorter, so that a statement that waits for a lock fails with an error that says so.
      lock_timeout: Math.floor(answerMs * SERVER_SHARE * SERVER_SHARE),
    });
    const open: Open = { client, tail: Promise.resolve(), lost: new AbortController() };
    client.on("error", (error) => this.#lost(open, error));
    client.on("end", () => this.#lost(open, new Error("the server closed the connection")));
    client.on("notification", ({ channel, payload = "" }) =>
      this.#listener.onNotification?.(channel, payload),
    );
    if (this.#isStopped) return;
    this.#open = open;
    try {
      await client.connect();
      await this.#run(open, { text: SET_PATH });
      await this.#listener.onConnected?.({
        query: async (sql, values = [], name) =>
          this.#run(open, { text: sql, values: [...values], name }),
      });
    } catch (error) {
      if (this.#open === open) this.#open = undefined;
      open.lost.abort();
      void closeConnection(client);
      throw refusalOf(this.address, error) ?? error;
    }
    if (this.#open !== open) return;
    this.#isReady = true;
    this.#backoff.reset();
    if (this.#report !== "") this.#listener.onReport?.(`connected to ${this.address.shown}`);
    this.#report = "";
  }

  /** Runs a statement after those before it. */
  async #run<Row extends object>(open: Open, statement: QueryConfig): Promise<readonly Row[]> {
    const running = open.tail.then(async () => {
      if (open.lost.signal.aborted) throw this.#away("the connection broke");
      return this.#answer<Row>(open, statement);
    });
    open.tail = running.catch(() => {});
    return running;
  }

  async #answer<Row extends object>(open: Open, statement: QueryConfig): Promise<readonly Row[]> {
    const { answerMs } = this.#patience;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const error = this.#away(`there was no answer within ${answerMs} ms`);
        this.#lost(open, error);
        reject(error);
      }, answerMs);
    });
    try {
      const answer = open.client.query<Row>(statement);
      return (await Promise.race([answer, late])).rows;
    } finally {
      clearTimeout(timer);
    }
  }

  #lost(open: Open, error: unknown): void {
    if (open.lost.signal.aborted) return;
    open.lost.abort();
    void closeConnection(open.client);
    if (this.#open !== open) return;
    this.#open = undefined;
    const wasReady = this.#isReady;
    this.#isReady = false;
    // Until it is ready, `#connect` rejects with the failure, and its caller reports it.
    if (!wasReady || this.#isStopped) return;
    this.#listener.onLost?.();
    this.#again(error);
  }

  #again(error: unknown): void {
    if (this.#isStopped) return;
    const report = errorText(error);
    if (report !== this.#report) {
      this.#listener.onReport?.(`no connection to ${this.address.shown}, trying again: ${report}`);
    }
    this.#report = report;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#reconnect(), this.#backoff.nextMs());
  }

  async #reconnect(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      this.#again(error);
    }
  }

  #away(why: string): SimurghError {
    return makeError("SIM_ERR_DATABASE", `the database ${this.address.shown} must answer: ${why}`);
  }
}

/** Errors after which trying again would be pointless. */
const FINAL_ERRORS = [
  "SIM_ERR_DATABASE_REFUSED",
  "SIM_ERR_DATABASE_SCHEMA",
  "SIM_ERR_CLIENT_PACKAGE",
];

function isFinal(error: unknown): boolean {
  return FINAL_ERRORS.includes(codeOf(error) ?? "");
}
