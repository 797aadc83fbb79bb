/**
 * What rate limits keep of a connection.
 *
 * Runs on: the shard that owns the connection.
 */

import type { ChannelDefinition } from "../channel/definition.ts";
import { fullBuckets, type Buckets } from "../limits/own-limits.ts";
import { spentOn, type RateLimit } from "../limits/rate.ts";
import type { SharedKey } from "../limits/shared-limits.ts";

/** A connection's buckets, and where those are that it shares. */
export class SocketBuckets {
  readonly own: Buckets = fullBuckets();
  idKey: SharedKey | undefined = undefined;
  addressKey: SharedKey | undefined = undefined;
  /** When the bucket of joins is full, for each definition of channels that limits them. */
  joins: Map<ChannelDefinition, number> | undefined = undefined;
}

/** What has buckets, once it needs them. */
export interface LimitedSocket {
  buckets?: SocketBuckets;
}

/** Gives the buckets of a socket, and makes them the first time. */
export function bucketsOf(socket: LimitedSocket): SocketBuckets {
  socket.buckets ??= new SocketBuckets();
  return socket.buckets;
}

/**
 * Takes a join of a definition that limits them, if it is within that limit.
 *
 * @returns 0 where it passes; else the ms after which it would
 */
export function takeJoin(
  socket: LimitedSocket,
  definition: ChannelDefinition,
  limit: RateLimit,
  nowMs: number,
): number {
  const buckets = bucketsOf(socket);
  const fullAtMs = buckets.joins?.get(definition) ?? 0;
  const waitMs = limit.waitMs(fullAtMs, nowMs, limit.oneMs);
  if (waitMs > 0) return waitMs;
  buckets.joins ??= new Map();
  buckets.joins.set(definition, spentOn(fullAtMs, nowMs, limit.oneMs));
  return 0;
}
