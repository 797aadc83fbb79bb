/**
 * One stream of logical replication: the messages of a slot, and what is confirmed to the server.
 *
 * The package `pg-logical-replication` decodes the messages, but does not open the connection, for three reasons. Its
 * own connection confirms one byte more than was processed, which can skip a transaction that begins there. Its timer
 * confirms messages that were received, but not processed. And it throws within an event of the socket if a message
 * cannot be decoded.
 *
 *   'w' start, end, time, message   -> onMessage
 *   'k' end, time, reply?           -> onKeepalive; a reply if it is asked for
 *   'r' written, flushed, applied   <- what `confirm` was called with, every STATUS_MS
 *
 * Runs on: shard, if it leads.
 * Full:    `pause` stops reading from the socket. The server then waits. A status
 *          every STATUS_MS shows it that this end is alive.
 */

import type { Client } from "pg";

import { asError } from "../../error-report.ts";
import type { PostgresAddress } from "../address.ts";
import { closeConnection, protocolOf, type ProtocolConnection } from "../connection.ts";
import { openConnection } from "./connection.ts";
import { formatPosition, NO_POSITION } from "./positions.ts";
import { identifier, literal } from "./sql-text.ts";

/** What a stream calls, also while `open` has not resolved yet. If one of these throws, the stream fails. */
export interface StreamHandler {
  /** Handles a message of the output plugin, which is valid during the call only. */
  onMessage(message: Buffer, stream: ReplicationStream): void;
  /** Notes that the server has sent everything up to a position. */
  onKeepalive(end: bigint): void;
}

/** Which slot is read, from where. */
export interface StreamStart {
  readonly slot: string;
  readonly publication: string;
  /** Nothing that was committed before is sent again. Before what is confirmed, it has no effect. */
  readonly from: (system: SystemIdentity) => bigint;
}

/** Which database this is: another timeline means that positions may have been used twice. */
export interface SystemIdentity {
  readonly system: string;
  readonly timeline: string;
}

/** Half the shortest `wal_sender_timeout` that makes sense is more than this. */
const STATUS_MS = 1_000;
const XLOG_DATA = 0x77;
const KEEPALIVE = 0x6b;
const STATUS = 0x72;
const DATA_HEADER_BYTES = 25;
const REPLY_OFFSET = 17;
const STATUS_BYTES = 34;
/** Midnight of 2000-01-01 (ms since 1970), from which PostgreSQL counts. */
const POSTGRES_EPOCH_MS = 946_684_800_000;

/** A stream of logical replication. */
export class ReplicationStream {
  readonly #client: Client;
  readonly #connection: ProtocolConnection;
  readonly #handler: StreamHandler;
  readonly #onEnd: (error: Error) => void;
  #confirmed = NO_POSITION;
  #status: NodeJS.Timeout | undefined = undefined;
  #isOpen = true;

  private constructor(client: Client, handler: StreamHandler, onEnd: (error: Error) => void) {
    this.#client = client;
    this.#connection = protocolOf(client);
    this.#handler = handler;
    this.#onEnd = onEnd;
  }

  /**
   * Starts to read a slot.
   *
   * @param onEnd - called once if the stream fails, also before this resolves
   */
  static async open(
    address: PostgresAddress,
    name: string,
    start: StreamStart,
    handler: StreamHandler,
    onEnd: (error: Error) => void,
  ): Promise<ReplicationStream> {
    let fail = onEnd;
    const client = await openConnection(address, "replication", name, (error) => fail(error));
    const stream = new ReplicationStream(client, handler, onEnd);
    fail = (error) => stream.#fail(error);
    try {
      await stream.#start(start);
    } catch (error) {
      await stream.close();
      throw error;
    }
    return stream;
  }

  async #start({ slot, publication, from }: StreamStart): Promise<void> {
    const { rows } = await this.#client.query<{ systemid: string; timeline: number }>(
      "IDENTIFY_SYSTEM",
    );
    const { systemid = "", timeline = 0 } = rows[0] ?? {};
    this.#confirmed = from({ system: systemid, timeline: String(timeline) });
    const options = `proto_version '1', publication_names ${literal(identifier(publication))}`;
    const at = formatPosition(this.#confirmed);
    const started = new Promise<void>((resolve) => {
      this.#connection.on("replicationStart", resolve);
    });
    this.#connection.on("copyData", ({ chunk }) => this.#onData(chunk));
    const over = this.#client.query(
      `START_REPLICATION SLOT ${identifier(slot)} LOGICAL ${at} (${options})`,
    );
    const ended = new Error("the server ended the replication");
    over.then(
      () => this.#fail(ended),
      (error: unknown) => this.#fail(asError(error)),
    );
    await Promise.race([started, over]);
    this.#status = setInterval(() => this.#sendStatus(true), STATUS_MS);
  }

  /** Stops reading from the socket. */
  pause(): void {
    if (this.#isOpen) this.#connection.stream.pause();
  }

  resume(): void {
    if (this.#isOpen) this.#connection.stream.resume();
  }

  /** Confirms that everything before a position has been processed: the server never sends it again. */
  confirm(position: bigint): void {
    if (position > this.#confirmed) this.#confirmed = position;
  }

  get confirmed(): bigint {
    return this.#confirmed;
  }

  /** Sends the last confirmation, and closes the connection. */
  async close(): Promise<void> {
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    clearInterval(this.#status);
    if (wasOpen && this.#status !== undefined) this.#sendStatus(false);
    await closeConnection(this.#client);
  }

  #onData(chunk: Buffer): void {
    if (!this.#isOpen) return;
    try {
      if (chunk[0] === XLOG_DATA) {
        this.#handler.onMessage(chunk.subarray(DATA_HEADER_BYTES), this);
      } else if (chunk[0] === KEEPALIVE) this.#onKeepalive(chunk);
    } catch (error) {
      this.#fail(asError(error));
    }
  }

  #onKeepalive(chunk: Buffer): void {
    this.#handler.onKeepalive(chunk.readBigUInt64BE(1));
    if (chunk[REPLY_OFFSET] === 1) this.#sendStatus(false);
  }

  /** @param isAsking - whether the server is to answer, which tells how far it has sent */
  #sendStatus(isAsking: boolean): void {
    const status = Buffer.alloc(STATUS_BYTES);
    status[0] = STATUS;
    status.writeBigUInt64BE(this.#confirmed, 1);
    status.writeBigUInt64BE(this.#confirmed, 9);
    status.writeBigUInt64BE(this.#confirmed, 17);
    status.writeBigInt64BE(BigInt(Date.now() - POSTGRES_EPOCH_MS) * 1_000n, 25);
    status[STATUS_BYTES - 1] = isAsking ? 1 : 0;
    this.#connection.sendCopyFromChunk(status);
  }

  #fail(error: Error): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearInterval(this.#status);
    this.#onEnd(error);
  }
}
