/**
 * What a node publishes through its broker: a parcel that grows until the turn ends, and the messages that the
 * server has not acknowledged.
 *
 *   send --same turn, same channel--> parcel --turn ends, full, other channel--> published --answer--> accepted
 *                                       |                                            |
 *                                       +--connection lost--> lost <--refused, lost--+
 *
 * Runs on: link.
 * Order: messages leave in the order of the calls, across all channels.
 * Full: if more than `clusterQueueBytes` would wait, `send` throws. A single record may be larger.
 */

import { makeError } from "../../errors.ts";
import type { BrokerConnection } from "./broker.ts";
import { Parcel, type TakenParcel } from "./parcel.ts";

// Created once: while the server is down it is thrown for each broadcast, and its stack is never
// read.
const NO_CONNECTION = notSent("no connection to the server");
const NO_ROOM = notSent("clusterQueueBytes of what waits for the server's answer");

function notSent(got: string): Error {
  return makeError("SIM_ERR_NOT_SENT", `an adapter must be able to send, got ${got}`);
}

/** Receives what becomes of the messages of one connection. */
export interface OutboxReports {
  /** The server has accepted a message. */
  accepted(): void;
  /** A message may not have been delivered. */
  lost(parcel: TakenParcel): void;
  /** The server has refused a message, and the connection is still open. */
  refused(error: unknown): void;
}

interface Open {
  readonly connection: BrokerConnection;
  readonly reports: OutboxReports;
}

/** The messages of a node. */
export class Outbox {
  readonly #maxBytes: number;
  readonly #parcel: Parcel;
  #channel = "";
  #open: Open | undefined = undefined;
  /** Bytes and number of the messages that the server has not acknowledged. */
  #waitingBytes = 0;
  #waiting = 0;
  #onAnswered: (() => void) | undefined = undefined;

  /**
   * @param boot - identifies this node's run in its parcels
   * @param maxBytes - limit for what waits for the server's answer
   */
  constructor(boot: Buffer, maxBytes: number) {
    this.#parcel = new Parcel(boot);
    this.#maxBytes = maxBytes;
  }

  /** Sends through a connection from now on. */
  opened(connection: BrokerConnection, reports: OutboxReports): void {
    this.#open = { connection, reports };
  }

  /** Sends nothing from now on. What was not published is lost. */
  closed(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open && !this.#parcel.isEmpty) open.reports.lost(this.#parcel.take());
  }

  /** Sends a record. @throws SIM_ERR_NOT_SENT if there is no connection, or no room */
  send(channel: string, kind: number, topic: string, body: Uint8Array): void {
    if (!this.#open) throw NO_CONNECTION;
    if (channel !== this.#channel || this.#parcel.isFull) this.flush();
    const queuedBytes = this.#waitingBytes + this.#parcel.lengthWith(topic, body);
    const isOnly = this.#waiting === 0 && this.#parcel.isEmpty;
    if (queuedBytes > this.#maxBytes && !isOnly) throw NO_ROOM;
    // Flushed after the turn, so that everything else it sends is in the same parcel.
    if (this.#parcel.isEmpty) queueMicrotask(() => this.flush());
    this.#channel = channel;
    this.#parcel.add(kind, topic, body);
  }

  /** Sends a record, if possible. @returns false if there is no connection, or no room */
  trySend(channel: string, kind: number, topic: string, body: Uint8Array): boolean {
    try {
      this.send(channel, kind, topic, body);
      return true;
    } catch {
      return false;
    }
  }

  /** Publishes the parcel. */
  flush(): void {
    // Without a connection the parcel is empty: its contents were lost with the connection.
    if (this.#open && !this.#parcel.isEmpty) void this.#publish(this.#open, this.#parcel.take());
  }

  /** Waits until the server has answered everything. @param limitMs - maximum time to wait */
  async answered(limitMs: number): Promise<void> {
    if (this.#waiting === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#onAnswered = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #publish({ connection, reports }: Open, parcel: TakenParcel): Promise<void> {
    const { length } = parcel.bytes;
    this.#waitingBytes += length;
    this.#waiting += 1;
    let failure: { readonly error: unknown } | undefined;
    try {
      await connection.publish(this.#channel, parcel.bytes);
      reports.accepted();
    } catch (error) {
      failure = { error };
    }
    this.#waitingBytes -= length;
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#onAnswered?.();
    if (!failure) return;
    reports.lost(parcel);
    if (this.#open?.connection === connection) reports.refused(failure.error);
  }
}
