/**
 * Broadcasts that wait for one channel's client. Newer broadcasts may replace older ones.
 *
 *   conflate      the latest of each event is kept; of more events than the bound, the latest ones
 *   drop-oldest   the latest broadcasts are kept, up to the bound
 *
 * The bound is a number of broadcasts. Their bytes are limited too, by `maxBackpressureBytes`, which a single broadcast
 * may exceed.
 *
 * Runs on: shard. Created when the first broadcast finds no room, dropped when none waits.
 * Order: broadcasts leave in the order in which they came. Pushes and replies of the channel never
 *        wait here, and overtake them.
 * Full: broadcasts are dropped, and counted immediately. When the kept broadcasts have been sent,
 *       the channel is told how many were dropped, so that its subsequent pushes arrive last.
 */

import type { Counters } from "../memory/counters.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Connection, RoomWaiter } from "./connection.ts";
import type { SlowChannel } from "./definition.ts";
import type { BroadcastQueue, QueuedBroadcast, QueuedBroadcasts } from "./queued-broadcasts.ts";

/** A channel with a send queue. */
export interface QueueOwner {
  readonly owner: { readonly connection: Connection };
  /** The channel's queue, while broadcasts are waiting. */
  queue: SendQueue | undefined;
  /** Called when the queue becomes empty or ends, if it has dropped broadcasts. */
  receiveMissed(count: number): void;
  /** Ends the channel, because its client reads too slowly. */
  tooSlow(): void;
}

/** A channel's queue of broadcasts. */
export class SendQueue implements RoomWaiter, BroadcastQueue {
  readonly #channel: QueueOwner;
  readonly #slow: SlowChannel;
  readonly #counters: Counters;
  readonly #all: QueuedBroadcasts;
  /**
   * Waiting broadcasts by the key under which a newer one replaces an older one: the event, or a
   * number.
   */
  readonly #broadcasts = new Map<string | number, QueuedBroadcast>();
  #next = 0;
  #missed = 0;
  #bytes = 0;

  /** Creates a queue that sends as soon as there is room. */
  constructor(channel: QueueOwner, slow: SlowChannel, counters: Counters, all: QueuedBroadcasts) {
    this.#all = all;
    all.opened(this);
    this.#channel = channel;
    this.#slow = slow;
    this.#counters = counters;
    channel.owner.connection.awaitRoom(this);
  }

  /** Number of waiting broadcasts. */
  get length(): number {
    return this.#broadcasts.size;
  }

  get sharedBytes(): number {
    let sum = 0;
    for (const { frame, queues } of this.#broadcasts.values()) sum += frame.length / queues;
    return sum;
  }

  shed(): void {
    this.#channel.tooSlow();
  }

  /** Adds a broadcast. If there are too many, or too many bytes, the oldest are dropped. */
  put(broadcast: QueuedBroadcast): void {
    const key = this.#slow.policy === "conflate" ? broadcast.event : this.#next;
    this.#next += 1;
    this.#leaveOut(key);
    this.#broadcasts.set(key, broadcast);
    this.#bytes += broadcast.frame.length;
    this.#all.added(broadcast);
    for (const oldest of this.#broadcasts.keys()) {
      if (!this.#isOverfull) break;
      this.#leaveOut(oldest);
    }
  }

  resume(): void {
    const channel = this.#channel;
    const { connection } = channel.owner;
    for (const [key, { frame, isBinary }] of this.#broadcasts) {
      if (!connection.hasRoom) {
        connection.awaitRoom(this);
        return;
      }
      this.#remove(key);
      connection.sendEncoded(frame, isBinary);
    }
    if (channel.queue === this) this.#close();
  }

  /** Drops all waiting broadcasts, because the channel is ending. */
  end(): void {
    for (const key of this.#broadcasts.keys()) this.#remove(key);
    this.#close();
  }

  get #isOverfull(): boolean {
    const { size } = this.#broadcasts;
    return size > this.#slow.bound || (size > 1 && this.#bytes > this.#all.maxQueueBytes);
  }

  #close(): void {
    this.#channel.queue = undefined;
    this.#channel.owner.connection.stopAwaiting(this);
    this.#all.closed(this);
    if (this.#missed > 0) this.#channel.receiveMissed(this.#missed);
  }

  #leaveOut(key: string | number): void {
    if (!this.#remove(key)) return;
    this.#missed += 1;
    this.#counters.add(COUNTER.leftOut);
  }

  #remove(key: string | number): boolean {
    const broadcast = this.#broadcasts.get(key);
    if (!broadcast) return false;
    this.#broadcasts.delete(key);
    this.#bytes -= broadcast.frame.length;
    this.#all.removed(broadcast);
    return true;
  }
}
