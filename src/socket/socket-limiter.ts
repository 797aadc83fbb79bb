/**
 * Applies the limits of a socket to the connections of its mount: per connection, id and address.
 *
 * A message counts towards `messages` and `bytes`; a join also counts towards `joins`. A refused
 * message does not count against the connection's own limits. It does count against shared limits
 * that it passed before another limit refused it.
 *
 * Runs on: shard; one instance per mount with limits.
 * Owns: the buckets of a socket. They are created by its first message, or when it opens if messages
 *       are limited per address, since the address is known only then.
 */

import { addressKey } from "../limits/address-key.ts";
import { OwnLimits, type Counted } from "../limits/own-limits.ts";
import type { LimitScope, Refusals } from "../limits/refusals.ts";
import { SharedLimits, type RateTable, type RateKey } from "../limits/shared-limits.ts";
import type { ConnectRequest } from "./connect-request.ts";
import type { SocketLimits } from "./limits.ts";
import { bucketsOf, type LimitedSocket, type SocketBuckets } from "./socket-buckets.ts";

/** A socket, as seen by its limiter. */
export interface IdentifiedSocket extends LimitedSocket {
  readonly id: string | null;
}

/** The limits of a mount's connections. */
export class SocketLimiter {
  readonly closesFloods: boolean;
  /** Scope of the limit that refused most recently, and the quantity that it limits. */
  scope: LimitScope = "socket";
  refusedBy: Counted = "messages";
  readonly #own: OwnLimits;
  readonly #perId: SharedLimits | undefined;
  readonly #perAddress: SharedLimits | undefined;
  readonly #addressOf: ((request: ConnectRequest) => string | null) | undefined;
  readonly #countsBytes: boolean;
  readonly #refusals: Refusals;
  readonly #path: string;

  constructor(path: string, limits: SocketLimits, table: RateTable, refusals: Refusals) {
    const { perId, perAddress, flood } = limits;
    this.#own = new OwnLimits("limits", limits);
    const { clock } = refusals;
    this.#perId = perId && new SharedLimits(`id of ${path}`, perId, table, clock);
    this.#perAddress =
      perAddress && new SharedLimits(`address of ${path}`, perAddress, table, clock);
    this.#addressOf = limits.address?.bind(limits);
    this.closesFloods = flood === "close";
    this.#countsBytes = [this.#own, this.#perId, this.#perAddress].some((of) => of?.countsBytes);
    this.#refusals = refusals;
    this.#path = path;
  }

  /** True if the transport must provide the peer's address. */
  get wantsPeer(): boolean {
    return this.#perAddress !== undefined && this.#addressOf === undefined;
  }

  /** True if a limit uses the table that all shards share. */
  get isShared(): boolean {
    return this.#perId !== undefined || this.#perAddress !== undefined;
  }

  /**
   * Returns the address for a client's limits, or null if there are none. A missing address is reported.
   *
   * @throws whatever the user's function throws
   */
  addressOf(request: ConnectRequest, peerAddress: string | null): string | null {
    if (!this.#perAddress) return null;
    const address: unknown = this.#addressOf ? this.#addressOf(request) : peerAddress;
    if (typeof address === "string" && address.trim() !== "") return addressKey(address);
    this.#refusals.addressMissing(this.#path);
    return null;
  }

  /**
   * Counts a connection attempt from an address. @returns 0 if it passes; otherwise the time to
   * wait (ms)
   */
  connectFrom(address: string | null): number {
    if (!this.#perAddress || address === null) return 0;
    return this.#connect(this.#perAddress, "address", address, null);
  }

  /**
   * Counts a connection attempt with an id. @returns 0 if it passes; otherwise the time to wait
   * (ms)
   */
  connectAs(id: string | null): number {
    return this.#perId && id !== null ? this.#connect(this.#perId, "id", id, id) : 0;
  }

  /** Called when a connection is open, with its address, which is not known later. */
  opened(socket: LimitedSocket, address: string | null): void {
    if (address === null || this.#perAddress?.countsMessages !== true) return;
    bucketsOf(socket).addressKey = this.#perAddress.keyOf(address);
  }

  /** Reports whether a message of this many bytes could pass the connection's own limits. */
  mayPass({ own }: SocketBuckets, nowMs: number, bytes: number): boolean {
    return this.#own.waitMs(own, nowMs, bytes, false) === 0;
  }

  /**
   * Counts a message if it is within all limits.
   *
   * @returns 0 if it is; otherwise the time until it would pass the limit that refused it (ms)
   */
  take(
    socket: IdentifiedSocket,
    nowMs: number,
    isJoin: boolean,
    frame: string | Uint8Array,
  ): number {
    const buckets = bucketsOf(socket);
    const bytes = this.#countsBytes ? bytesOf(frame) : 0;
    let waitMs = this.#own.waitMs(buckets.own, nowMs, bytes, isJoin);
    if (waitMs > 0) {
      this.scope = "socket";
      this.refusedBy = this.#own.refusedBy(buckets.own, nowMs, isJoin);
      return waitMs;
    }
    waitMs = this.#takeShared("address", buckets.addressKey, nowMs, bytes, isJoin);
    if (waitMs === 0) {
      waitMs = this.#takeShared("id", this.#idKey(socket, buckets), nowMs, bytes, isJoin);
    }
    if (waitMs === 0) this.#own.spend(buckets.own, nowMs, bytes, isJoin);
    return waitMs;
  }

  #takeShared(
    scope: "address" | "id",
    key: RateKey | undefined,
    nowMs: number,
    bytes: number,
    isJoin: boolean,
  ): number {
    const limits = scope === "id" ? this.#perId : this.#perAddress;
    if (!limits || !key) return 0;
    const waitMs = limits.take(key, nowMs, bytes, isJoin);
    if (waitMs === 0) return 0;
    this.scope = scope;
    this.refusedBy = limits.refusedBy;
    return waitMs;
  }

  #idKey({ id }: IdentifiedSocket, buckets: SocketBuckets): RateKey | undefined {
    if (id === null || this.#perId?.countsMessages !== true) return undefined;
    buckets.idKey ??= this.#perId.keyOf(id);
    return buckets.idKey;
  }

  #connect(limits: SharedLimits, scope: LimitScope, key: string, id: string | null): number {
    const retryAfterMs = limits.takeConnect(key, this.#refusals.clock());
    if (retryAfterMs === 0) return 0;
    const nothing = { connection: undefined, topic: undefined, event: undefined };
    this.#refusals.connectRefused({ scope, counted: "connects", id, retryAfterMs, ...nothing });
    return retryAfterMs;
  }
}

function bytesOf(frame: string | Uint8Array): number {
  return typeof frame === "string" ? Buffer.byteLength(frame) : frame.length;
}
