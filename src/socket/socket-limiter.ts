/**
 * Holds the connections of a mount to the limits of its socket.
 *
 * A heartbeat and a leave cost nothing. Everything else that a client sends costs a message and its
 * bytes, a join costs a join as well, of its connection, its id and its address; what one of them
 * refuses costs the others nothing, but for what shared ones have taken already.
 *
 *   within the limits                                    -> on its way
 *   beyond, with a ref, as long as it may be told (answers) -> answered `rate_limited`
 *   beyond, without a ref                                -> dropped: nobody waits for an answer
 *   beyond those answers, so the client floods           -> dropped, or the connection is closed;
 *                                                           long frames are not even read
 *
 * Runs on: shard; one for each mount with limits.
 * Owns: the buckets of a socket, from its first message on, or with a key of its address from the
 *       start.
 */

import { addressKey } from "../limits/address-key.ts";
import { isFlooding, tryTakeAnswer } from "../limits/answers.ts";
import { OwnLimits, type Counted } from "../limits/own-limits.ts";
import type { LimitScope, Refusals } from "../limits/refusals.ts";
import { SharedLimits, type RateTable } from "../limits/shared-limits.ts";
import { EVENT, PHOENIX_TOPIC } from "../protocol/reserved.ts";
import type { Message } from "../protocol/message.ts";
import type { ConnectRequest } from "./definition.ts";
import type { SocketLimits } from "./limits.ts";
import type { Socket } from "./socket.ts";
import { bucketsOf } from "./socket-buckets.ts";

/** A frame of a flooding client that is no longer may be a heartbeat, and is read. */
const SHORT_FRAME = 256;

/** What becomes of a message. */
export type Admission = "admitted" | "refused" | "dropped" | "flood";

/** What a SocketLimiter is made of. */
export interface SocketLimiterParts {
  readonly path: string;
  readonly limits: SocketLimits;
  readonly table: RateTable;
  readonly refusals: Refusals;
}

/** The limits of a mount's connections. */
export class SocketLimiter {
  readonly #own: OwnLimits;
  readonly #perId: SharedLimits | undefined;
  readonly #perAddress: SharedLimits | undefined;
  readonly #addressOf: SocketLimits["address"];
  readonly #closesFloods: boolean;
  readonly #countsBytes: boolean;
  readonly #refusals: Refusals;
  /** After which time what was refused last would have passed (ms). */
  retryAfterMs = 0;

  constructor({ path, limits, table, refusals }: SocketLimiterParts) {
    const { perId, perAddress, address, flood } = limits;
    this.#own = new OwnLimits("limits", limits);
    this.#perId = perId && new SharedLimits(`id of ${path}`, perId, table);
    this.#perAddress = perAddress && new SharedLimits(`address of ${path}`, perAddress, table);
    this.#addressOf = address?.bind(limits);
    this.#closesFloods = flood === "close";
    this.#countsBytes = [this.#own, this.#perId, this.#perAddress].some((of) => of?.countsBytes);
    this.#refusals = refusals;
  }

  /** True where the transport must say what a client's address is. */
  get wantsPeer(): boolean {
    return this.#perAddress !== undefined && this.#addressOf === undefined;
  }

  /** True where limits use the table that shards share. */
  get isShared(): boolean {
    return this.#perId !== undefined || this.#perAddress !== undefined;
  }

  /**
   * Gives the address by which a client is limited, or null.
   *
   * @throws what the user's function throws
   */
  addressOf(request: ConnectRequest, peerAddress: string | null): string | null {
    if (!this.#perAddress) return null;
    const address: unknown = this.#addressOf ? this.#addressOf(request) : peerAddress;
    return typeof address === "string" && address !== "" ? addressKey(address) : null;
  }

  /** Takes a request to connect from an address. @returns 0, or after how many ms to come again */
  connectFrom(address: string | null): number {
    if (!this.#perAddress || address === null) return 0;
    return this.#connect(this.#perAddress, "address", address, null);
  }

  /** Takes a request to connect with an id. @returns 0, or after how many ms to come again */
  connectAs(id: string | null): number {
    if (!this.#perId || id === null) return 0;
    return this.#connect(this.#perId, "id", id, id);
  }

  /** A connection is open. Its address is not known later on. */
  opened(socket: Socket, address: string | null): void {
    if (address === null || this.#perAddress?.countsMessages !== true) return;
    bucketsOf(socket).addressKey = this.#perAddress.keyOf(address);
  }

  /** True for a frame of a flooding client that is not worth reading, which was counted. */
  isUnread({ buckets }: Socket, { length }: string | Uint8Array): boolean {
    if (!buckets || length <= SHORT_FRAME) return false;
    const nowMs = this.#refusals.clock();
    if (!isFlooding(buckets.own, nowMs)) return false;
    // A text has at least as many bytes as units.
    if (this.#own.waitMs(buckets.own, nowMs, length, false) === 0) return false;
    this.#refusals.ignored();
    return true;
  }

  /** Says what becomes of a message; where it is refused, `retryAfterMs` says when it would not be. */
  admit(socket: Socket, message: Message, frame: string | Uint8Array): Admission {
    const { event, topic } = message;
    if (event === EVENT.leave || (event === EVENT.heartbeat && topic === PHOENIX_TOPIC)) {
      return "admitted";
    }
    const nowMs = this.#refusals.clock();
    const buckets = bucketsOf(socket);
    const bytes = this.#countsBytes ? bytesOf(frame) : 0;
    const isJoin = event === EVENT.join;
    let waitMs = this.#own.waitMs(buckets.own, nowMs, bytes, isJoin);
    if (waitMs > 0) {
      const counted = this.#own.refusedBy(buckets.own, nowMs, isJoin);
      return this.#refuse(socket, message, "socket", counted, waitMs);
    }
    const { addressKey: keyOfAddress } = buckets;
    if (this.#perAddress && keyOfAddress) {
      waitMs = this.#perAddress.take(keyOfAddress, nowMs, bytes, isJoin);
      if (waitMs > 0) {
        return this.#refuse(socket, message, "address", this.#perAddress.refusedBy, waitMs);
      }
    }
    if (this.#perId?.countsMessages === true && socket.id !== null) {
      buckets.idKey ??= this.#perId.keyOf(socket.id);
      waitMs = this.#perId.take(buckets.idKey, nowMs, bytes, isJoin);
      if (waitMs > 0) return this.#refuse(socket, message, "id", this.#perId.refusedBy, waitMs);
    }
    this.#own.spend(buckets.own, nowMs, bytes, isJoin);
    return "admitted";
  }

  #refuse(
    socket: Socket,
    { ref, topic, event }: Message,
    scope: LimitScope,
    counted: Counted,
    retryAfterMs: number,
  ): Admission {
    if (!tryTakeAnswer(bucketsOf(socket).own, this.#refusals.clock())) {
      this.#refusals.ignored();
      return this.#closesFloods ? "flood" : "dropped";
    }
    this.retryAfterMs = retryAfterMs;
    const { id, connection } = socket;
    const about = { scope, counted, connection: connection.id, id, topic, event, retryAfterMs };
    this.#refusals.refused(about);
    return ref === null ? "dropped" : "refused";
  }

  #connect(limits: SharedLimits, scope: LimitScope, key: string, id: string | null): number {
    const nowMs = this.#refusals.clock();
    const retryAfterMs = limits.takeConnect(key, nowMs);
    if (retryAfterMs === 0) return 0;
    const nothing = { connection: undefined, topic: undefined, event: undefined };
    this.#refusals.connectRefused({ scope, counted: "connects", id, retryAfterMs, ...nothing });
    return retryAfterMs;
  }
}

function bytesOf(frame: string | Uint8Array): number {
  return typeof frame === "string" ? Buffer.byteLength(frame) : frame.length;
}
