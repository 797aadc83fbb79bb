/**
 * The lease of a holder: the name under which it holds sessions, for as long as it renews that in time.
 *
 *   not registered --register--> held --renewed in time-----------------------------------> held
 *         ^                       \---not renewed in time, or another holder ended it--+
 *         +---------------------------------- lost: it gets another name --------------+
 *
 * A lost lease is never resumed, because another holder may have the sessions already. A new name ensures that the
 * database refuses whatever is still written under the former one.
 *
 * Runs on: shard; one for each holder.
 */

import { randomBytes } from "node:crypto";

import type { Queries } from "../database.ts";
import type { Statements } from "./statements.ts";

/** The lease of a holder. */
export class Lease {
  readonly #queries: Queries;
  readonly #statements: Statements;
  readonly #schema: string;
  readonly #leaseMs: number;
  readonly #onLost: () => void;
  #id = newId();
  #isHeld = false;
  /** When the request was sent that renewed it last (ms, as `performance.now`): the answer may have taken long. */
  #renewedAtMs = -Infinity;
  /** The name whose notifications this connection receives. */
  #listensAs: string | undefined = undefined;
  /** Whether it is to be renewed, or registered. */
  isDue = true;

  /** @param onLost - called when the sessions must be given up */
  constructor(
    queries: Queries,
    statements: Statements,
    { schema, leaseMs }: { readonly schema: string; readonly leaseMs: number },
    onLost: () => void,
  ) {
    this.#queries = queries;
    this.#statements = statements;
    this.#schema = schema;
    this.#leaseMs = leaseMs;
    this.#onLost = onLost;
  }

  /** The name of the holder: another one after each lease that was lost. */
  get id(): string {
    return this.#id;
  }

  /** Whether the name is registered, and was not lost since. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Renews the lease, or registers the holder under a new name if it has none or was lost. */
  async renew(): Promise<void> {
    const askedAtMs = performance.now();
    if (this.#isHeld) {
      const values = [this.#id, this.#leaseMs];
      const [row] = await this.#queries.query(this.#statements.renew, values);
      // Another holder saw that the lease had ended, and took the sessions.
      if (!row) this.lose();
    }
    if (!this.#isHeld) await this.#register();
    this.#renewedAtMs = askedAtMs;
    this.isDue = false;
  }

  async #register(): Promise<void> {
    await this.#queries.query(this.#statements.register, [this.#id, this.#leaseMs]);
    // Notifications for the former name are about sessions that are not held any more.
    if (this.#listensAs !== undefined) {
      await this.#queries.query(`UNLISTEN "${this.#channelOf(this.#listensAs)}"`);
    }
    await this.#listen(this.#queries);
    this.#isHeld = true;
  }

  /** Listens on a new connection, which listens to nothing yet, and renews the lease soon. */
  async connected(queries: Queries): Promise<void> {
    this.#listensAs = undefined;
    if (this.#isHeld) await this.#listen(queries);
    this.isDue = true;
  }

  async #listen(queries: Queries): Promise<void> {
    const id = this.#id;
    await queries.query(`LISTEN "${this.#channelOf(id)}"`);
    this.#listensAs = id;
  }

  #channelOf(id: string): string {
    return `${this.#schema}_in:${id}`;
  }

  /** Loses the lease if it was not renewed in time. */
  checkTime(nowMs: number): void {
    if (this.#isHeld && nowMs - this.#renewedAtMs >= this.#leaseMs) this.lose();
  }

  /** Notes that the lease is lost, and calls `onLost`. */
  lose(): void {
    this.#isHeld = false;
    this.isDue = true;
    this.#id = newId();
    this.#onLost();
  }

  /** Ends the lease at once, so that others need not wait for its end. */
  async end(): Promise<void> {
    await this.#queries.query(this.#statements.leave, [this.#id]);
    await this.#queries.query(this.#statements.sweep);
  }
}

function newId(): string {
  return randomBytes(8).toString("hex");
}
