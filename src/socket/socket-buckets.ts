/**
 * State of a connection's rate limits.
 *
 * Runs on: the shard that owns the connection.
 */

import type { ChannelDefinition } from "../channel/definition.ts";
import { fullBuckets, type Buckets } from "../limits/own-limits.ts";
import { spentOn, type RateLimit } from "../limits/rate.ts";
import type { RateKey } from "../limits/shared-limits.ts";

/** A connection's own buckets, and the keys of the buckets that it shares. */
export class SocketBuckets {
  readonly own: Buckets = fullBuckets();
  idKey: RateKey | undefined = undefined;
  addressKey: RateKey | undefined = undefined;
  /**
   * Time at which the bucket of joins is full again, for each channel definition that limits joins.
   */
  joins: Map<ChannelDefinition, number> | undefined = undefined;
}

/** A socket whose buckets are created when they are first needed. */
export interface LimitedSocket {
  buckets?: SocketBuckets;
}

/** Returns the buckets of a socket, creating them if necessary. */
export function bucketsOf(socket: LimitedSocket): SocketBuckets {
  socket.buckets ??= new SocketBuckets();
  return socket.buckets;
}

/**
 * Counts a join if it is within the limit of its channel definition.
 *
 * @returns 0 if the join passes; otherwise the time until it would pass (ms)
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
