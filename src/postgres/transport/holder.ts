/**
 * Holds sessions for a shard: claims them under a lease, reads their rows, and writes what follows from these.
 *
 * Everything the database does for a holder is one loop over one connection (`pump`), so nothing overtakes anything:
 *
 *   - renew the lease, before anything else
 *   - write what sessions have done and sent
 *   - look for sessions with rows, and free those of holders that died
 *   - claim sessions that have no holder, after a claim without an answer was undone
 *   - fetch rows of sessions that have some, and can take them
 *   - look how full outboxes are, which sessions were deleted, and what is overdue
 *
 * Notifications say which session to look at. They can be lost with the connection, so all is looked at again after
 * each connect, and now and then.
 *
 * A lease that could not be renewed in time is lost: the sessions end here, as another holder may have them already,
 * and the holder goes on under another name. Whatever it still writes for them is refused by the database, which
 * compares the holder and the epoch in the same transaction.
 *
 * Runs on: shard; one for each.
 * Owns: the sessions it holds.
 * Full: beyond `maxSessions`, sessions are left to other holders.
 */

import { randomBytes } from "node:crypto";

import { Backoff } from "../../backoff.ts";
import { codeOf } from "../../errors.ts";
import type { TransportHost } from "../../raw.ts";
import { messageOf } from "../../error-report.ts";
import type { PostgresAddress } from "../address.ts";
import { Database, type DatabasePatience, type Queries } from "../database.ts";
import { checkSchema } from "../migrations.ts";
import type { TransportSettings } from "./options.ts";
import type { StoredJoin } from "./outcome.ts";
import { Session, type InboxRow, type SessionOwner, type SessionRow } from "./session.ts";
import { statementsFor, type Statements } from "./statements.ts";
import { Writer } from "./writer.ts";

/** Sessions that are claimed at once, so that others get some of many. */
const CLAIMED = 64;
/** Sessions whose rows are fetched at once, rows of each, and their bytes. */
const FETCHED = 128;
const FETCHED_ROWS = 256;
const FETCHED_BYTES = 65_536;
const LOOKED_AT = 10_000;
/** Sessions whose outboxes are measured at once. */
const MEASURED = 500;
/** Bytes of stored joins that are read at once. */
const JOIN_BYTES = 4_194_304;
const NO_SESSION = "00000000-0000-0000-0000-000000000000";
const REMOVED = 500;
/** Part of the lease after which it is renewed. */
const RENEWED = 1 / 3;
/** Time between looks at what is overdue, if nothing is overdue earlier, and at replies that are late (ms). */
const OVERDUE_MS = 30_000;
const LATE_MS = 500;
/** Time until a step that failed is tried again: at first, and at most (ms). */
const AGAIN_MS = 200;
const MOST_AGAIN_MS = 5_000;

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

interface JoinRow {
  readonly session: string;
  readonly topic: string;
  readonly join_ref: string | null;
  readonly ref: string | null;
  readonly payload: string;
  readonly history: StoredJoin["history"];
  /** Of the payload (bytes). */
  readonly length: number;
  readonly number: string;
}

/** Something that the loop does when it is due. */
interface Step {
  readonly isDue: () => boolean;
  readonly run: () => Promise<void>;
}

/** The sessions of a shard. */
export class Holder implements SessionOwner {
  readonly settings: TransportSettings;
  readonly #host: TransportHost;
  readonly #schema: string;
  readonly #statements: Statements;
  readonly #database: Database;
  readonly #report: (text: string) => void;
  readonly #sessions = new Map<string, Session>();
  readonly #writer: Writer<Session>;
  /** Its name, another one after each lease that was lost. */
  #id = newId();
  /** The name whose notifications this connection gets. */
  #listensAs: string | undefined = undefined;
  /** When the lease was renewed last, or rather when that was asked for (ms, as `performance.now`). */
  #renewedAtMs = -Infinity;
  #isRegistered = false;
  /** Sessions that have rows, sessions whose outbox may be full, and what else is to be done. */
  readonly #waiting = new Set<Session>();
  readonly #unsized = new Set<Session>();
  /** Sessions that may have been deleted. */
  readonly #unsure = new Set<Session>();
  #isRenewalDue = true;
  #isClaimDue = true;
  #isLookDue = true;
  #isOverdueDue = false;
  /** Sessions that are claimed at once. */
  #claimed = CLAIMED;
  /** Whether there may be sessions that were claimed, but whose claim was not answered. */
  #hasStrays = false;
  #isPumping = false;
  isStopping = false;
  #isFinished = false;
  #again: NodeJS.Timeout | undefined = undefined;
  readonly #backoff = new Backoff(AGAIN_MS, MOST_AGAIN_MS);
  #failure = "";
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #steps: readonly Step[] = [
    { isDue: () => this.#writer.isNeeded, run: async () => this.#writer.write(this.#id) },
    { isDue: () => this.#isLookDue, run: async () => this.#look() },
    { isDue: () => this.#hasStrays, run: async () => this.#freeStrays() },
    { isDue: () => this.#mayClaim, run: async () => this.#claim() },
    { isDue: () => this.#hasTaker, run: async () => this.#fetch() },
    { isDue: () => this.#unsized.size > 0, run: async () => this.#measure() },
    { isDue: () => this.#unsure.size > 0, run: async () => this.#checkDeleted() },
    { isDue: () => this.#isOverdueDue, run: async () => this.#checkOverdue() },
  ];
  #turn = 0;

  constructor(
    host: TransportHost,
    settings: TransportSettings,
    address: PostgresAddress,
    report: (text: string) => void,
    patience: Partial<DatabasePatience> = {},
  ) {
    this.#host = host;
    this.settings = settings;
    this.#schema = address.schema;
    this.#statements = statementsFor(address.schema);
    this.#report = report;
    const listener = {
      onConnected: async (queries: Queries) => this.#connected(queries),
      onReport: report,
      onLost: () => {
        if (this.isStopping) void this.#finish();
      },
      onNotification: (_channel: string, payload: string) => this.#notified(payload),
    };
    this.#database = new Database(
      address,
      `simurgh transport ${host.context.shard}`,
      listener,
      // A statement must not take longer than the lease allows.
      { answerMs: Math.min(15_000, settings.leaseMs / 2), ...patience },
    );
    this.#writer = new Writer(this.#database, this.#statements);
  }

  /** @throws SIM_ERR_DATABASE_REFUSED, SIM_ERR_DATABASE_SCHEMA, SIM_ERR_CLIENT_PACKAGE (rejects) */
  async start(): Promise<void> {
    const { leaseMs, pollMs, retentionMs, idleMs } = this.settings;
    await this.#database.start();
    this.#every(leaseMs * RENEWED, () => {
      this.#isRenewalDue = true;
    });
    this.#every(pollMs, () => {
      this.#isClaimDue = true;
      this.#isLookDue = true;
    });
    const soonestMs = Math.min(retentionMs, idleMs === 0 ? retentionMs : idleMs) / 4;
    this.#every(Math.max(LATE_MS, Math.min(OVERDUE_MS, soonestMs)), () => {
      this.#isOverdueDue = true;
    });
    this.#every(Math.min(LATE_MS, leaseMs * RENEWED), () => this.#checkTimes());
    this.#wake();
  }

  /**
   * Claims no more. Once the shard has ended its sessions, which may take long, they are left to others, and the
   * connection is closed.
   */
  stop(): void {
    this.isStopping = true;
    for (const session of this.#sessions.values()) session.freeUnopened();
    // What cannot be left to others now is left to them when the lease ends.
    if (this.#sessions.size === 0 || !this.#database.isReady) void this.#finish();
  }

  async #finish(): Promise<void> {
    if (this.#isFinished) return;
    this.#isFinished = true;
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#again);
    if (this.#isRegistered && this.#database.isReady) {
      await this.#leave().catch(() => {});
    }
    await this.#database.stop();
  }

  async #leave(): Promise<void> {
    await this.#database.query(this.#statements.leave, [this.#id]);
    await this.#database.query(this.#statements.sweep);
  }

  // -- SessionOwner: for its sessions ------------------------------------------------------------

  get isWriting(): boolean {
    return this.#database.isReady;
  }

  connect: SessionOwner["connect"] = async (request) => this.#host.connect(request);

  hasWritten(session: Session): void {
    this.#writer.note(session);
    this.#wake();
  }

  wantsRows(session: Session): void {
    if (this.#waiting.has(session)) this.#wake();
  }

  wantsSize(session: Session): void {
    this.#unsized.add(session);
    this.#wake();
  }

  isOver(session: Session): void {
    if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id);
    this.#host.measure("sessions", this.#sessions.size);
    this.#writer.forget(session);
    this.#waiting.delete(session);
    this.#unsized.delete(session);
    this.#unsure.delete(session);
    if (this.isStopping && this.#sessions.size === 0) void this.#finish();
  }

  report(text: string): void {
    this.#report(text);
  }

  // -- what wakes it -----------------------------------------------------------------------------

  async #connected(queries: Queries): Promise<void> {
    await checkSchema(queries, this.#schema);
    await queries.query(`LISTEN "${this.#schema}_in"`);
    this.#listensAs = undefined;
    if (this.#isRegistered) await this.#listen(queries);
    this.#isRenewalDue = true;
    this.#isClaimDue = true;
    this.#isLookDue = true;
    for (const session of this.#sessions.values()) this.#unsized.add(session);
    // Not ready before this has returned.
    setImmediate(() => this.#wake());
  }

  async #listen(queries: Queries): Promise<void> {
    const id = this.#id;
    await queries.query(`LISTEN "${this.#schema}_in:${id}"`);
    this.#listensAs = id;
  }

  /** Anyone may send notifications, so a false one must only cost a look. */
  #notified(id: string): void {
    if (id === "") {
      this.#isClaimDue = true;
    } else {
      const session = this.#sessions.get(id.startsWith("-") ? id.slice(1) : id);
      if (!session) return;
      if (id.startsWith("-")) this.#unsure.add(session);
      this.#waiting.add(session);
      if (session.isFilling) this.#unsized.add(session);
    }
    this.#wake();
  }

  #every(ms: number, due: () => void): void {
    const timer = setInterval(() => {
      due();
      this.#wake();
    }, ms);
    this.#timers.push(timer);
  }

  #checkTimes(): void {
    const nowMs = performance.now();
    if (this.#isRegistered && nowMs - this.#renewedAtMs >= this.settings.leaseMs) this.#loseLease();
    for (const session of this.#sessions.values()) session.checkLate(nowMs);
  }

  #loseLease(): void {
    const count = this.#sessions.size;
    this.#isRegistered = false;
    this.#isRenewalDue = true;
    this.#isClaimDue = true;
    this.#id = newId();
    for (const session of this.#sessions.values()) session.lost();
    if (count > 0) {
      this.#report(`the lease was not renewed in time: ${count} sessions are left to other shards`);
    }
  }

  // -- the loop ----------------------------------------------------------------------------------

  #wake(): void {
    if (this.#isPumping || !this.#database.isReady) return;
    this.#isPumping = true;
    void this.#pump();
  }

  async #pump(): Promise<void> {
    // Whoever wakes it may have more to do in this turn.
    await Promise.resolve();
    try {
      for (let step = this.#nextStep(); step; step = this.#nextStep()) await step();
      this.#backoff.reset();
      this.#failure = "";
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#isPumping = false;
    }
  }

  /** Tries again later. What is due stays due, or will be again. */
  #failed(error: unknown): void {
    const failure = messageOf(error);
    // The database has reported a connection that broke, and connects again.
    const isKnown = codeOf(error) === "SIM_ERR_DATABASE" || failure === this.#failure;
    if (!isKnown) this.#report(`trying again: ${failure}`);
    this.#failure = failure;
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#wake(), this.#backoff.nextMs());
  }

  /** Returns what is to be done next: the lease first, and everything else in turn, so that nothing starves. */
  #nextStep(): (() => Promise<void>) | undefined {
    if (!this.#database.isReady) return undefined;
    if (this.#isRenewalDue) return async () => this.#renew();
    for (let count = 0; count < this.#steps.length; count += 1) {
      const step = this.#steps[this.#turn];
      this.#turn = (this.#turn + 1) % this.#steps.length;
      if (step?.isDue()) return step.run;
    }
    return undefined;
  }

  get #hasTaker(): boolean {
    for (const session of this.#waiting) if (session.takesRows) return true;
    return false;
  }

  /** Sessions that have rows and can take them, as many as one query fetches for. */
  #takers(): Session[] {
    const takers: Session[] = [];
    for (const session of this.#waiting) {
      if (takers.length === FETCHED) break;
      if (session.takesRows) takers.push(session);
    }
    return takers;
  }

  async #renew(): Promise<void> {
    const { leaseMs } = this.settings;
    const askedAtMs = performance.now();
    if (this.#isRegistered) {
      const [row] = await this.#database.query(this.#statements.renew, [this.#id, leaseMs]);
      // Another holder has seen that it ended.
      if (!row) this.#loseLease();
    }
    if (!this.#isRegistered) {
      await this.#database.query(this.#statements.register, [this.#id, leaseMs]);
      // What the former name is told is of no use any more.
      if (this.#listensAs !== undefined) {
        await this.#database.query(`UNLISTEN "${this.#schema}_in:${this.#listensAs}"`);
      }
      await this.#listen(this.#database);
      this.#isRegistered = true;
    }
    this.#renewedAtMs = askedAtMs;
    this.#isRenewalDue = false;
  }

  /** Looks for sessions that wait, and for holders whose lease ended. */
  async #look(): Promise<void> {
    this.#isLookDue = false;
    await this.#database.query(this.#statements.sweep);
    if (this.#sessions.size === 0) return;
    for (const session of this.#sessions.values()) {
      if (session.isFilling) this.#unsized.add(session);
    }
    const values = [this.#id, LOOKED_AT];
    const rows = await this.#database.query<{ id: string }>(this.#statements.waiting, values);
    for (const { id } of rows) {
      const session = this.#sessions.get(id);
      if (session) this.#waiting.add(session);
    }
  }

  get #mayClaim(): boolean {
    return this.#isClaimDue && !this.#hasStrays && !this.isStopping;
  }

  async #claim(): Promise<void> {
    this.#isClaimDue = false;
    const claimed = this.#claimed;
    const most = Math.min(claimed, this.settings.maxSessions - this.#sessions.size);
    if (most <= 0) return;
    this.#hasStrays = true;
    // Should it fail, fewer are claimed next time: they may be more than the database, or we, can bear.
    this.#claimed = Math.ceil(claimed / 2);
    const rows = await this.#database.query<SessionRow>(this.#statements.claim, [this.#id, most]);
    const joins = await this.#joinsOf(rows);
    this.#claimed = Math.min(CLAIMED, claimed * 2);
    this.#hasStrays = false;
    if (rows.length === 0) return;
    if (rows.length === most) this.#isClaimDue = true;
    for (const row of rows) {
      const session = new Session(this, row, joins.get(row.id) ?? []);
      this.#sessions.set(row.id, session);
      this.#waiting.add(session);
      this.#unsized.add(session);
      if (this.isStopping) session.free();
      else void session.open();
    }
    this.#host.measure("sessions", this.#sessions.size);
  }

  /** Leaves sessions to others that were claimed without an answer, so that nobody here knows them. */
  async #freeStrays(): Promise<void> {
    await this.#database.query(this.#statements.strays, [this.#id, [...this.#sessions.keys()]]);
    this.#hasStrays = false;
    this.#isClaimDue = true;
  }

  async #joinsOf(claimed: readonly SessionRow[]): Promise<Map<string, StoredJoin[]>> {
    const joins = new Map<string, StoredJoin[]>();
    const ids = claimed.filter(({ state }) => state === "open").map(({ id }) => id);
    if (ids.length === 0) return joins;
    let last = { session: NO_SESSION, number: "0" };
    for (let bytes = JOIN_BYTES; bytes >= JOIN_BYTES;) {
      const values = [ids, JOIN_BYTES, last.session, last.number];
      const rows = await this.#database.query<JoinRow>(this.#statements.joins, values);
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

  async #fetch(): Promise<void> {
    const sessions = this.#takers();
    for (const session of sessions) this.#waiting.delete(session);
    const wanted = sessions.map(({ id, laterRows }) => {
      return `{"id":"${id}","most":${FETCHED_ROWS},"skip":[${laterRows.join(",")}]}`;
    });
    const values = [`[${wanted.join(",")}]`, FETCHED_BYTES, this.settings.maxRowBytes];
    let rows: readonly FetchedRow[];
    try {
      rows = await this.#database.query<FetchedRow>(
        this.#statements.fetch,
        values,
        "simurgh_fetch",
      );
    } catch (error) {
      for (const session of sessions) this.#waiting.add(session);
      throw error;
    }
    for (const [id, own] of grouped(rows)) {
      const session = this.#sessions.get(id);
      if (!session) continue;
      // There may be more, which this look has left out.
      this.#waiting.add(session);
      session.take(own);
    }
  }

  async #measure(): Promise<void> {
    const sessions = [...this.#unsized].slice(0, MEASURED);
    const ids = sessions.map(({ id }) => id);
    const rows = await this.#database.query<{ id: string; rows: number; bytes: number }>(
      this.#statements.sizes,
      [ids],
    );
    for (const session of sessions) this.#unsized.delete(session);
    for (const { id, ...size } of rows) this.#sessions.get(id)?.setSize(size);
  }

  async #checkDeleted(): Promise<void> {
    const sessions = [...this.#unsure];
    const ids = sessions.map(({ id }) => id);
    const rows = await this.#database.query<{ id: string }>(this.#statements.held, [ids, this.#id]);
    const held = new Set(rows.map(({ id }) => id));
    for (const session of sessions) {
      this.#unsure.delete(session);
      if (!held.has(session.id)) session.lost();
    }
  }

  async #checkOverdue(): Promise<void> {
    const { idleMs, retentionMs } = this.settings;
    this.#isOverdueDue = false;
    const rows = await this.#database.query<{ id: string; is_idle: boolean }>(
      this.#statements.overdue,
      [this.#id, idleMs, retentionMs],
    );
    for (const { id, is_idle: isIdle } of rows) this.#sessions.get(id)?.expire(isIdle);
    await this.#database.query(this.#statements.remove, [retentionMs, REMOVED]);
  }
}

/** The rows of each session, which follow each other. */
function grouped(rows: readonly FetchedRow[]): Map<string, InboxRow[]> {
  const groups = new Map<string, InboxRow[]>();
  for (const { session, join_ref: joinRef, is_too_long: isTooLong, ...row } of rows) {
    const own = groups.get(session) ?? [];
    own.push({ ...row, joinRef, isTooLong });
    groups.set(session, own);
  }
  return groups;
}

function newId(): string {
  return randomBytes(8).toString("hex");
}
