/**
 * The identity of a connection, as decided by `connect` before the connection is open.
 *
 * Request parameters and connect info are not kept: `connect` copies anything that is needed later
 * into the assigns.
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
  /** Address for the rate limits, if the mount limits addresses. */
  readonly address: string | null;
  /** Time at which the connection expires (ms since 1970); absent if it never expires. */
  readonly expiresAtMs?: number;
}

/** The identity of a raw socket. */
export interface RawIdentity {
  readonly mount: RawSocketMount;
  readonly state: unknown;
  readonly id: string | null;
  /** Time at which the connection expires (ms since 1970); absent if it never expires. */
  readonly expiresAtMs?: number;
}

/** The identity of a socket of either kind. */
export type AnyIdentity = Identity | RawIdentity;
