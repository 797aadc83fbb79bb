/**
 * Holds sessions for a shard, and connects them with the database.
 *
 * Each statement for its sessions is a step of one loop over one connection, so no statement overtakes another:
 *
 *   - `lease`    renew the lease, before everything else
 *   - `writer`   write what sessions have done and sent
 *   - here       look for sessions with rows, and free the sessions of holders that died
 *   - `claims`   claim sessions that have no holder
 *   - `reader`   fetch rows, measure outboxes, and find out which sessions were deleted
 *   - here       end sessions whose program is away, and delete those that have ended
 *
 * Notifications say which session has new rows. They are lost when the connection breaks, so the holder also looks
 * after each connect, and at intervals.
 *
 * If the lease is not renewed in time, all sessions end here and the holder goes on under another name. The database
 * refuses what is still written for them, since each write compares the holder and the epoch in its transaction.
 *
 * Runs on: shard; one for each.
 * Owns: the sessions it holds.
 * Full: beyond `maxSessions`, sessions are left to other holders.
 */

import type { TransportHost } from "../../raw.ts";
import type { PostgresAddress } from "../address.ts";
import {
  Database,
  type DatabaseListener,
  type DatabasePatience,
  type Queries,
} from "../database.ts";
import { checkSchema } from "../migrations.ts";
import { Claims, type ClaimedSession } from "./claims.ts";
import { Lease } from "./lease.ts";
import type { TransportSettings } from "./options.ts";
import { Reader } from "./reader.ts";
import { Session, type SessionOwner } from "./session.ts";
import { statementsFor, type Statements } from "./statements.ts";
import { StepLoop } from "./step-loop.ts";
import { Writer } from "./writer.ts";

/** Maximum number of ended sessions that are deleted in one statement. */
const MAX_DELETED = 500;
/** Part of the lease after which it is renewed. */
const RENEWED = 1 / 3;
/** Maximum interval of looks for what is overdue (ms). */
const OVERDUE_MS = 30_000;
/** Interval of looks for late replies, and minimum interval of those for what is overdue (ms). */
const LATE_MS = 500;
/** Maximum time limit of a statement (ms). */
const ANSWER_MS = 15_000;

/** The sessions of a shard. */
export class Holder implements SessionOwner {
  readonly settings: TransportSettings;
  readonly #host: TransportHost;
  readonly #schema: string;
  readonly #statements: Statements;
  readonly #report: (text: string) => void;
  readonly #sessions = new Map<string, Session>();
  readonly #database: Database;
  readonly #lease: Lease;
  readonly #claims: Claims;
  readonly #reader: Reader;
  readonly #writer: Writer<Session>;
  readonly #loop: StepLoop;
  #isLookDue = true;
  #isOverdueDue = false;
  isStopping = false;
  #isFinished = false;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(
    host: TransportHost,
    settings: TransportSettings,
    address: PostgresAddress,
    report: (text: string) => void,
    patience: Partial<DatabasePatience> = {},
  ) {
    const { leaseMs, maxRowBytes } = settings;
    const { schema } = address;
    this.#host = host;
    this.settings = settings;
    this.#schema = schema;
    this.#statements = statementsFor(schema);
    this.#report = report;
    // A statement that took longer than the lease would cost the lease.
    const limits = { answerMs: Math.min(ANSWER_MS, leaseMs / 2), ...patience };
    const name = `simurgh transport ${host.context.shard}`;
    this.#database = new Database(address, name, this.#databaseListener(), limits);
    const parts = [this.#database, this.#statements] as const;
    this.#lease = new Lease(...parts, { schema, leaseMs }, () => this.#lostLease());
    this.#claims = new Claims(...parts);
    this.#reader = new Reader(...parts, this.#sessions, maxRowBytes);
    this.#writer = new Writer(...parts);
    this.#loop = this.#makeLoop();
  }

  #makeLoop(): StepLoop {
    const lease = this.#lease;
    const claims = this.#claims;
    const reader = this.#reader;
    const writer = this.#writer;
    const mayClaim = (): boolean => claims.isDue && !claims.hasStrays && !this.isStopping;
    return new StepLoop({
      isReady: () => this.#database.isReady,
      report: this.#report,
      first: { isDue: () => lease.isDue, run: async () => lease.renew() },
      others: [
        { isDue: () => writer.isNeeded, run: async () => writer.write(lease.id) },
        { isDue: () => this.#isLookDue, run: async () => this.#look() },
        { isDue: () => claims.hasStrays, run: async () => this.#freeStrays() },
        { isDue: mayClaim, run: async () => this.#claim() },
        { isDue: () => reader.isFetchDue, run: async () => reader.fetch() },
        { isDue: () => reader.isMeasureDue, run: async () => reader.measure() },
        { isDue: () => reader.isCheckDue, run: async () => reader.checkHeld(lease.id) },
        { isDue: () => this.#isOverdueDue, run: async () => this.#endOverdue() },
      ],
    });
  }

  // -- its life ----------------------------------------------------------------------------------

  /** @throws SIM_ERR_DATABASE_REFUSED, SIM_ERR_DATABASE_SCHEMA, SIM_ERR_CLIENT_PACKAGE (rejects) */
  async start(): Promise<void> {
    const { leaseMs, pollMs, retentionMs, idleMs } = this.settings;
    await this.#database.start();
    const renewMs = leaseMs * RENEWED;
    this.#every(renewMs, () => {
      this.#lease.isDue = true;
    });
    this.#every(pollMs, () => {
      this.#claims.isDue = true;
      this.#isLookDue = true;
    });
    const soonestMs = Math.min(retentionMs, idleMs === 0 ? retentionMs : idleMs);
    this.#every(Math.max(LATE_MS, Math.min(OVERDUE_MS, soonestMs / 4)), () => {
      this.#isOverdueDue = true;
    });
    this.#every(Math.min(LATE_MS, renewMs), () => this.#checkTimes());
    this.#loop.wake();
  }

  #every(ms: number, due: () => void): void {
    const timer = setInterval(() => {
      due();
      this.#loop.wake();
    }, ms);
    this.#timers.push(timer);
  }

  #checkTimes(): void {
    const nowMs = performance.now();
    this.#lease.checkTime(nowMs);
    for (const session of this.#sessions.values()) session.checkLate(nowMs);
  }

  /**
   * Claims no more sessions. When the shard has ended those that are held, which may take long, they are left to other
   * holders and the connection is closed.
   */
  stop(): void {
    this.isStopping = true;
    for (const session of this.#sessions.values()) session.freeUnopened();
    // Without a connection, sessions cannot be given back. Others get them when the lease ends.
    if (this.#sessions.size === 0 || !this.#database.isReady) void this.#finish();
  }

  async #finish(): Promise<void> {
    if (this.#isFinished) return;
    this.#isFinished = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#loop.stop();
    if (this.#lease.isHeld && this.#database.isReady) {
      await this.#lease.end().catch(() => {});
    }
    await this.#database.stop();
  }

  #lostLease(): void {
    const count = this.#sessions.size;
    this.#claims.isDue = true;
    for (const session of this.#sessions.values()) session.lost();
    if (count > 0) {
      this.#report(`the lease was not renewed in time: ${count} sessions are left to other shards`);
    }
  }

  // -- what the database tells -------------------------------------------------------------------

  #databaseListener(): DatabaseListener {
    return {
      onConnected: async (queries) => this.#connected(queries),
      onReport: this.#report,
      onLost: () => {
        if (this.isStopping) void this.#finish();
      },
      onNotification: (_channel, payload) => this.#notified(payload),
    };
  }

  async #connected(queries: Queries): Promise<void> {
    await checkSchema(queries, this.#schema);
    await queries.query(`LISTEN "${this.#schema}_in"`);
    await this.#lease.connected(queries);
    this.#claims.isDue = true;
    this.#isLookDue = true;
    for (const session of this.#sessions.values()) this.#reader.noteSize(session);
    // The database is ready only after this function has returned.
    setImmediate(() => this.#loop.wake());
  }

  /**
   * Anyone may send notifications, so a false one must only cost a query.
   *
   * @param payload - the id of a session that has new rows or whose program has taken some, after a `-` if the session
   * was deleted; empty if there is a session without a holder
   */
  #notified(payload: string): void {
    if (payload === "") {
      this.#claims.isDue = true;
    } else {
      const isDeleted = payload.startsWith("-");
      const session = this.#sessions.get(isDeleted ? payload.slice(1) : payload);
      if (!session) return;
      if (isDeleted) this.#reader.noteDeletion(session);
      this.#reader.noteRows(session);
      if (session.isFilling) this.#reader.noteSize(session);
    }
    this.#loop.wake();
  }

  // -- steps of the loop -------------------------------------------------------------------------

  /** Frees the sessions of holders whose lease ended, and looks for rows of its own sessions. */
  async #look(): Promise<void> {
    this.#isLookDue = false;
    await this.#database.query(this.#statements.sweep);
    if (this.#sessions.size === 0) return;
    this.#reader.noteFilling();
    await this.#reader.findWaiting(this.#lease.id);
  }

  async #claim(): Promise<void> {
    const room = this.settings.maxSessions - this.#sessions.size;
    const claimed = await this.#claims.claim(this.#lease.id, room);
    if (claimed.length === 0) return;
    for (const one of claimed) this.#hold(one);
    this.#host.measure("sessions", this.#sessions.size);
  }

  #hold({ row, joins }: ClaimedSession): void {
    const session = new Session(this, row, joins);
    this.#sessions.set(row.id, session);
    this.#reader.noteRows(session);
    this.#reader.noteSize(session);
    if (this.isStopping) session.free();
    else void session.open();
  }

  async #freeStrays(): Promise<void> {
    await this.#claims.freeStrays(this.#lease.id, [...this.#sessions.keys()]);
  }

  /** Ends sessions that are idle or whose rows nobody takes, and deletes those that ended long ago. */
  async #endOverdue(): Promise<void> {
    const { idleMs, retentionMs } = this.settings;
    this.#isOverdueDue = false;
    const rows = await this.#database.query<{ id: string; is_idle: boolean }>(
      this.#statements.overdue,
      [this.#lease.id, idleMs, retentionMs],
    );
    for (const { id, is_idle: isIdle } of rows) this.#sessions.get(id)?.expire(isIdle);
    await this.#database.query(this.#statements.remove, [retentionMs, MAX_DELETED]);
  }

  // -- SessionOwner: for its sessions ------------------------------------------------------------

  get isWriting(): boolean {
    return this.#database.isReady;
  }

  connect: SessionOwner["connect"] = async (request) => this.#host.connect(request);

  hasWritten(session: Session): void {
    this.#writer.note(session);
    this.#loop.wake();
  }

  wantsRows(session: Session): void {
    if (this.#reader.mayHaveRows(session)) this.#loop.wake();
  }

  wantsSize(session: Session): void {
    this.#reader.noteSize(session);
    this.#loop.wake();
  }

  isOver(session: Session): void {
    if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id);
    this.#host.measure("sessions", this.#sessions.size);
    this.#writer.forget(session);
    this.#reader.forget(session);
    if (this.isStopping && this.#sessions.size === 0) void this.#finish();
  }

  report(text: string): void {
    this.#report(text);
  }
}
