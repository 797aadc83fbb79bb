/**
 * Makes one thread of a cluster lead: the one whose session holds an advisory lock of the database.
 *
 *   away --connected--> waiting --locked--> leading
 *     ^                    |                   |
 *     +--- lost, failed ---+-------------------+    … again after a delay, which grows while it fails
 *
 * The lock belongs to a connection of its own. If the leader's thread, process, machine or connection ends, the database
 * ends the session and releases the lock, and another thread gets it. Threads try again at intervals instead of waiting
 * for the lock in the database, because a session that waits holds a snapshot, which keeps vacuum from removing rows.
 *
 * When the database restarts, all connections break. The thread that led should then lead again: it knows what it has
 * published, and another one would publish some of it twice. So a thread that found the lock held waits before it tries
 * again on a new connection, for longer than the leader probably needs to connect.
 *
 * Runs on: shard; one for each source.
 */

import { setTimeout as pause } from "node:timers/promises";

import type { Client } from "pg";

import { Backoff } from "../../backoff.ts";
import { messageOf } from "../../error-report.ts";
import { makeError } from "../../errors.ts";
import { closeConnection } from "../connection.ts";
import { openConnection } from "./connection.ts";
import type { SourceSettings } from "./options.ts";
import type { SourceReports } from "./reports.ts";
import { sqlStateOf } from "./sql-text.ts";

/** Interval at which threads that do not lead try to get the lock. */
const TRY_MS = 1_000;
/** How many times as long as that of this thread the delay of the former leader may be. */
const LEADER_DELAYS = 2;
const FIRST_RETRY_MS = 100;
const MOST_RETRY_MS = 10_000;
/** After an attempt that lasted this long, the delay starts again from its first value. */
const STABLE_MS = 10_000;

/** Number of tries after which a thread that waits looks who holds the lock. */
const TRIES_PER_CHECK = 60;

interface Holder {
  readonly own: string;
  readonly role: string;
  readonly pid: number;
}

/** Returns the session of another role that holds a lock. $1: what the key is made from */
const FOREIGN_HOLDER = `
  select session_user as own, s.usename as role, l.pid
    from pg_locks l
    join pg_stat_activity s on s.pid = l.pid
    cross join (select hashtextextended($1, 0) as key) k
   where l.locktype = 'advisory' and l.granted and l.objsubid = 1
     and l.database = (select oid from pg_database where datname = current_database())
     and (l.classid::bigint << 32 | l.objid::bigint) = k.key
     and s.usename <> session_user`;

/**
 * What a leader does, until its signal is aborted or it throws.
 *
 * @param lost - aborted before the signal if the connection was lost, and the lock with it; not if this thread stops
 */
export type Lead = (client: Client, signal: AbortSignal, lost: AbortSignal) => Promise<void>;

/** One thread's attempts to lead. */
export class Leadership {
  readonly #settings: SourceSettings;
  readonly #reports: SourceReports;
  readonly #lead: Lead;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined = undefined;
  /** Whether another thread led when this one last looked. */
  #hasFollowed = false;
  /** The delay before the current attempt (ms). That of the former leader is about as long. */
  #delayMs = 0;
  /** The most recent error, which is not reported again if the next attempt fails at once because of it. */
  #lastError = "";

  constructor(settings: SourceSettings, reports: SourceReports, lead: Lead) {
    this.#settings = settings;
    this.#reports = reports;
    this.#lead = lead;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Stops leading, and releases the lock. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const backoff = new Backoff(FIRST_RETRY_MS, MOST_RETRY_MS);
    while (!signal.aborted) {
      const startedMs = performance.now();
      let error: unknown;
      try {
        await this.#once(signal);
      } catch (thrown) {
        error = thrown;
      }
      if (performance.now() - startedMs > STABLE_MS) {
        backoff.reset();
        this.#lastError = "";
      }
      if (error !== undefined && !signal.aborted) this.#report(error);
      this.#delayMs = backoff.nextMs();
      await pauseUntil(this.#delayMs, signal);
    }
  }

  /** Connects, waits for the lock, and leads until something ends it. */
  async #once(stopping: AbortSignal): Promise<void> {
    const ending = new AbortController();
    const lost = new AbortController();
    const end = (): void => ending.abort(stopping.reason);
    stopping.addEventListener("abort", end, { once: true });
    const { address, name } = this.#settings;
    let client: Client | undefined;
    try {
      client = await openConnection(address, "queries", name, (error) => {
        lost.abort(error);
        ending.abort(error);
      });
      if (await this.#locked(client, ending.signal)) {
        this.#reports.set("isLeader", 1);
        await this.#lead(client, ending.signal, lost.signal);
      }
      ending.signal.throwIfAborted();
    } catch (error) {
      // Everything that uses a lost connection fails. The loss is the cause to report.
      throw ending.signal.aborted ? ending.signal.reason : this.#failure(error);
    } finally {
      stopping.removeEventListener("abort", end);
      this.#reports.set("isLeader", 0);
      ending.abort();
      if (client) await closeConnection(client);
    }
  }

  /** Returns an error with a code of ours: the server's own errors have others. */
  #failure(error: unknown): unknown {
    if (sqlStateOf(error) === undefined) return error;
    const message = `the database ${this.#settings.address.shown} must run the statements of a source, got ${messageOf(error)}`;
    return makeError("SIM_ERR_DATABASE", message, { cause: error });
  }

  /** @returns false if the signal is aborted first */
  async #locked(client: Client, signal: AbortSignal): Promise<boolean> {
    const query = "select pg_try_advisory_lock(hashtextextended($1, 0)) as locked";
    const { name, address } = this.#settings;
    const key = `simurgh source ${address.schema} ${name}`;
    if (this.#hasFollowed) await pauseUntil(TRY_MS + LEADER_DELAYS * this.#delayMs, signal);
    for (let tries = 0; !signal.aborted; tries += 1) {
      const { rows } = await client.query<{ locked: boolean }>(query, [key]);
      this.#hasFollowed = rows[0]?.locked !== true;
      if (!this.#hasFollowed) return true;
      if (tries % TRIES_PER_CHECK === 0) await this.#checkHolder(client, key);
      await pauseUntil(TRY_MS / 2 + (Math.random() * TRY_MS) / 2, signal);
    }
    return false;
  }

  /** Reports a lock that another role holds. Every role that may log in can take it, which stops the source. */
  async #checkHolder(client: Client, key: string): Promise<void> {
    const { rows } = await client.query<Holder>(FOREIGN_HOLDER, [key]);
    const [holder] = rows;
    if (!holder) return;
    const rule = `the lock of the source must be held by a server that logs in as ${holder.own}`;
    const got = `role ${holder.role} (pid ${holder.pid})`;
    const help = `unless that is a server of yours: select pg_terminate_backend(${holder.pid})`;
    this.#report(makeError("SIM_ERR_SOURCE_SETUP", `${rule}, got ${got}; ${help}`));
  }

  #report(error: unknown): void {
    const text = String(error);
    if (text === this.#lastError) return;
    this.#lastError = text;
    this.#reports.error(error);
  }
}

/** Waits for a time, or until a signal is aborted. */
export async function pauseUntil(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(ms, undefined, { signal });
  } catch {
    // Aborted.
  }
}
