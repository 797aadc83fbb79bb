/**
 * State shared by all sockets of a shard, so that each socket needs only one pointer.
 *
 * Runs on: shard; one instance for all its sockets, raw ones included.
 */

import type { ShardChannels } from "../channel/shard-channels.ts";
import type { Refusals } from "../limits/refusals.ts";
import type { Logger } from "../log/logger.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type { Expirable, ExpiryBook } from "./expiry-book.ts";
import { Endings } from "./endings.ts";
import { RateGate } from "./rate-gate.ts";

/** Options that sockets use. */
export type SocketOptions = Pick<
  ResolvedOptions,
  "maxMailbox" | "maxTopicBytes" | "maxEventBytes" | "maxJsonDepth"
>;

/** The dependencies and the common state of a shard's sockets. */
export class ShardSockets {
  readonly channels: ShardChannels;
  readonly expiries: ExpiryBook<Expirable>;
  readonly logger: Logger;
  readonly gate: RateGate;
  readonly endings = new Endings();
  readonly options: SocketOptions;
  /** Reports whether the shard accepts further joins and large messages. */
  readonly takesMore: () => boolean;

  constructor(given: {
    readonly channels: ShardChannels;
    readonly expiries: ExpiryBook<Expirable>;
    readonly logger: Logger;
    readonly refusals: Refusals;
    readonly options: SocketOptions;
    readonly takesMore: () => boolean;
  }) {
    this.channels = given.channels;
    this.expiries = given.expiries;
    this.logger = given.logger;
    this.gate = new RateGate(given.refusals);
    this.options = given.options;
    this.takesMore = given.takesMore;
  }
}
