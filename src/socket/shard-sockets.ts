/**
 * State shared by all sockets of a shard, so that each socket needs only one pointer.
 *
 * Runs on: shard; one instance for all its sockets, raw ones included.
 */

import type { ShardChannels } from "../channel/shard-channels.ts";
import type { Refusals } from "../limits/refusals.ts";
import type { Logger } from "../log/logger.ts";
import type { Expirable, ExpiryBook } from "./expiry-book.ts";
import { RateGate } from "./rate-gate.ts";

/** The dependencies and the common state of a shard's sockets. */
export class ShardSockets {
  readonly channels: ShardChannels;
  readonly expiries: ExpiryBook<Expirable>;
  readonly logger: Logger;
  readonly gate: RateGate;
  /** Maximum number of messages that may wait behind one join. */
  readonly maxMailbox: number;
  /** Reports whether the shard accepts further joins. */
  readonly takesJoins: () => boolean;

  constructor(given: {
    readonly channels: ShardChannels;
    readonly expiries: ExpiryBook<Expirable>;
    readonly logger: Logger;
    readonly refusals: Refusals;
    readonly maxMailbox: number;
    readonly takesJoins: () => boolean;
  }) {
    this.channels = given.channels;
    this.expiries = given.expiries;
    this.logger = given.logger;
    this.gate = new RateGate(given.refusals);
    this.maxMailbox = given.maxMailbox;
    this.takesJoins = given.takesJoins;
  }
}
