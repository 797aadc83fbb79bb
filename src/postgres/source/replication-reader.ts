/**
 * Reads changes by logical replication, and publishes them.
 *
 *   stream -> decoder -> queue -> batch -> publisher --a second later--> confirmed, whole transactions
 *     ^                    |
 *     +--- paused if full -+
 *
 * A transaction is published while it still arrives, however large it is, and confirmed at its end. Changes that were
 * published but not confirmed are sent again to the next leader. If that is the same thread, it leaves them out.
 *
 * Runs on: shard, if it leads.
 * Full:    if about `maxInFlight` changes, or `batchBytes`, wait here, the stream is paused, and the server keeps the
 *          rest in its log.
 */

import { setTimeout as pause } from "node:timers/promises";

import type { Client } from "pg";

import { isError, makeError } from "../../errors.ts";
import type { Change } from "./change.ts";
import { ChangeQueue, type WaitingChange } from "./change-queue.ts";
import { pauseUntil } from "./leadership.ts";
import type { SourceSettings } from "./options.ts";
import { formatPosition, NO_POSITION, parsePosition } from "./positions.ts";
import type { Publisher } from "./publisher.ts";
import { loadDecoder, ReplicationDecoder, type Decoded } from "./replication-decoder.ts";
import { ReplicationFeed } from "./replication-feed.ts";
import { checkRunning, prepareReplication, typesOf } from "./replication-setup.ts";
import {
  ReplicationStream,
  type StreamHandler,
  type SystemIdentity,
} from "./replication-stream.ts";
import type { SourceReports } from "./reports.ts";
import { Unconfirmed } from "./unconfirmed.ts";
import { sqlStateOf } from "./sql-text.ts";
import { TableWatch } from "./table-checks.ts";

/** Interval at which positions are confirmed and the lag is measured. */
const MEASURE_MS = 500;
/** Time for the end of a transaction to arrive after its last change (ms). */
const END_MS = 200;
const OBJECT_IN_USE = "55006";

/** Reads the slot of a source. */
export class ReplicationReader {
  readonly #settings: SourceSettings;
  readonly #publisher: Publisher;
  readonly #reports: SourceReports;
  /** The database of the following positions. */
  #system: SystemIdentity | undefined = undefined;
  /** Everything before it was confirmed by this thread; a server that crashed may have forgotten it. */
  #confirmed = NO_POSITION;
  /** Ends of transactions that this thread published. */
  readonly #unconfirmed = new Unconfirmed<bigint>();
  /** The last change that this thread published. */
  #published = { commit: NO_POSITION, number: -1 };
  /** True if the end of its transaction was not read yet. */
  #isMidway = false;

  constructor(settings: SourceSettings, publisher: Publisher, reports: SourceReports) {
    this.#settings = settings;
    this.#publisher = publisher;
    this.#reports = reports;
  }

  /** Reads until the signal is aborted. @throws SIM_ERR_SOURCE_SETUP, SIM_ERR_SOURCE_SLOT, errors of the database */
  async lead(client: Client, signal: AbortSignal, lost: AbortSignal): Promise<void> {
    const plugin = await loadDecoder(this.#settings.publication);
    await prepareReplication(client, this.#settings, (error) => this.#reports.error(error));
    const decoder = new ReplicationDecoder(plugin, await typesOf(client));
    const queue = new ChangeQueue(this.#settings);
    const end = new ReadingEnd(signal, lost, () => queue.wake());
    const feed = new ReplicationFeed(decoder, {
      take: (decoded, bytes) => this.#take(queue, decoded, bytes),
      isFull: () => queue.isFull,
      loadTypes: async () => typesOf(client),
      loaded: () => queue.wake(),
      failed: end.fail,
    });
    if (signal.aborted) return;
    const stream = await this.#open(queue, feed, end);
    try {
      await Promise.all([
        this.#pump(stream, queue, feed, end).catch(end.fail),
        this.#measure(client, stream, queue, end.signal).catch(end.fail),
      ]);
      if (signal.aborted) {
        await this.#endTransaction(queue);
        // The node closes in an orderly way, so that everything reaches the other nodes.
        this.#confirm(stream, this.#unconfirmed.items);
      }
    } finally {
      await stream.close();
    }
    if (!signal.aborted) throw asReason(end.signal.reason);
  }

  async #open(
    queue: ChangeQueue,
    feed: ReplicationFeed,
    end: ReadingEnd,
  ): Promise<ReplicationStream> {
    const { address, name, slot, publication } = this.#settings;
    const from = (system: SystemIdentity): bigint => this.#startOn(system);
    const handler: StreamHandler = {
      onMessage: (bytes, source) => {
        if (!feed.take(bytes)) source.pause();
      },
      onKeepalive: (position) => {
        // The log up to here has no changes for this source, so all of it can be confirmed.
        if (queue.isIdle && feed.isIdle) this.#unconfirmed.add([position]);
      },
    };
    try {
      const start = { slot, publication, from };
      return await ReplicationStream.open(address, name, start, handler, end.fail);
    } catch (error) {
      if (sqlStateOf(error) !== OBJECT_IN_USE) throw error;
      const message = `slot ${slot} must be free, got one in use, by the former leader until the server notices that it is gone, or by another program`;
      throw makeError("SIM_ERR_DATABASE", message, { cause: error });
    }
  }

  /** Returns where to start on a database: what this thread knows of it only holds for the same timeline. */
  #startOn(system: SystemIdentity): bigint {
    if (system.system !== this.#system?.system || system.timeline !== this.#system.timeline) {
      this.#system = system;
      this.#confirmed = NO_POSITION;
      this.#unconfirmed.clear();
      this.#published = { commit: NO_POSITION, number: -1 };
    }
    return this.#confirmed;
  }

  #take(queue: ChangeQueue, decoded: Decoded, bytes: number): void {
    if ("end" in decoded) {
      queue.push({ decoded, bytes: 0 });
      return;
    }
    const { commit, number, table } = decoded;
    const published = this.#published;
    if (commit < published.commit) return;
    if (commit === published.commit && number <= published.number) return;
    if (!this.#settings.tables.has(table)) return;
    queue.push({ decoded, bytes: "change" in decoded ? bytes : 0 });
  }

  async #pump(
    stream: ReplicationStream,
    queue: ChangeQueue,
    feed: ReplicationFeed,
    end: ReadingEnd,
  ): Promise<void> {
    while (!end.signal.aborted) {
      const batch = queue.take();
      if (batch.length === 0) {
        feed.takeHeld();
        if (!feed.isHolding) stream.resume();
        await queue.filled();
        continue;
      }
      const count = await this.#publish(batch, end.lost);
      this.#note(batch.slice(0, count));
      // If the lead was lost, the queue stays busy, so that no keepalive confirms what was not published.
      if (count === batch.length) queue.published();
    }
  }

  /** @returns number of entries, from the first one, that need not be sent again */
  async #publish(batch: readonly WaitingChange[], lost: AbortSignal): Promise<number> {
    const changes: Change[] = [];
    const places: number[] = [];
    for (const [at, { decoded }] of batch.entries()) {
      if (!("change" in decoded)) continue;
      changes.push(decoded.change);
      places.push(at);
    }
    const [first] = changes;
    if (first === undefined) return batch.length;
    this.#reports.set("lagMs", Math.max(0, Date.now() - first.time.getTime()));
    return places[await this.#publisher.publish(changes, lost)] ?? batch.length;
  }

  /** Notes what was published or left out, and the ends of whole transactions. */
  #note(done: readonly WaitingChange[]): void {
    let end: bigint | undefined;
    for (const { decoded } of done) {
      this.#isMidway = !("end" in decoded);
      if ("end" in decoded) {
        end = decoded.end;
        continue;
      }
      this.#published = { commit: decoded.commit, number: decoded.number };
      if ("failure" in decoded) this.#reports.error(decoded.failure);
    }
    if (end !== undefined) this.#unconfirmed.add([end]);
  }

  /**
   * Notes the end of the transaction that was published last, if nothing else of it follows. Only whole transactions can be
   * confirmed: without its end, the next leader would publish it again.
   */
  async #endTransaction(queue: ChangeQueue): Promise<void> {
    if (!this.#isMidway) return;
    await Promise.race([queue.filled(), pause(END_MS)]);
    const [next] = queue.take();
    if (next && "end" in next.decoded) this.#note([next]);
  }

  #confirm(stream: ReplicationStream, positions: readonly bigint[]): void {
    const last = positions.at(-1);
    if (last === undefined) return;
    stream.confirm(last);
    this.#confirmed = stream.confirmed;
    this.#unconfirmed.confirmed(positions.length);
  }

  /**
   * Confirms what is due, looks at the tables, and measures how far the source is behind, which also shows whether the
   * leader's session still lives.
   */
  async #measure(
    client: Client,
    stream: ReplicationStream,
    queue: ChangeQueue,
    signal: AbortSignal,
  ): Promise<void> {
    const watch = new TableWatch(this.#reports, async () => checkRunning(client, this.#settings));
    while (!signal.aborted) {
      this.#confirm(stream, this.#unconfirmed.due());
      await watch.look();
      const { rows } = await client.query<{ at: string }>(
        "select pg_current_wal_lsn()::text as at",
      );
      const at = parsePosition(rows[0]?.at ?? formatPosition(NO_POSITION));
      const lag = stream.confirmed === NO_POSITION ? NO_POSITION : at - stream.confirmed;
      this.#reports.set("lagBytes", lag > NO_POSITION ? Number(lag) : 0);
      if (queue.isIdle) this.#reports.set("lagMs", 0);
      await pauseUntil(MEASURE_MS, signal);
    }
  }
}

/** How the reading of one lead ends: by the signal of the lead, or because something failed. */
class ReadingEnd {
  readonly #ending = new AbortController();
  readonly #losing = new AbortController();
  readonly #onEnd: () => void;

  /** @param onEnd - called when the reading is to end */
  constructor(signal: AbortSignal, lost: AbortSignal, onEnd: () => void) {
    this.#onEnd = onEnd;
    const ended = (): void => (lost.aborted ? this.fail(signal.reason) : this.#end(signal.reason));
    signal.addEventListener("abort", ended, { once: true });
  }

  /** Aborted when the reading is to end. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Aborted if another thread may lead already, so that nothing more must be published here. */
  get lost(): AbortSignal {
    return this.#losing.signal;
  }

  /** Ends the reading because the connection, and so the lead, was lost. */
  readonly fail = (reason: unknown): void => {
    this.#losing.abort(reason);
    this.#end(reason);
  };

  #end(reason: unknown): void {
    this.#ending.abort(reason);
    this.#onEnd();
  }
}

function asReason(reason: unknown): Error {
  return isError(reason) ? reason : new Error(String(reason));
}
