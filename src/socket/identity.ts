/**
 * Who a connection belongs to, as `connect` decided, before the connection is open.
 *
 * Request parameters and connect info are not kept: `connect` puts what is needed into the assigns.
 *
 * Runs on: shard. Types only.
 */

import type { Serializer } from "../protocol/serializer.ts";
import type { RawSocketMount, SocketMount } from "./mount.ts";

/** The identity of a socket with channels. */
export interface Identity {
  readonly mount: SocketMount;
  readonly serializer: Serializer;
  readonly assigns: object;
  readonly id: string | null;
  /** Address that its rate limits are counted for, if its mount limits addresses. */
  readonly address: string | null;
  /** When the connection expires (ms since 1970); left out: never. */
  readonly expiresAtMs?: number;
}

/** The identity of a raw socket. */
export interface RawIdentity {
  readonly mount: RawSocketMount;
  readonly state: unknown;
  readonly id: string | null;
  /** When the connection expires (ms since 1970); left out: never. */
  readonly expiresAtMs?: number;
}

/** The identity of a socket of either kind. */
export type AnyIdentity = Identity | RawIdentity;
