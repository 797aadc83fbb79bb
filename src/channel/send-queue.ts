/**
 * Broadcasts that wait for one channel's client. Newer broadcasts may replace older ones.
 *
 *   conflate      the latest of each event is kept; of more events than the bound, the latest ones
 *   drop-oldest   the latest broadcasts are kept, up to the bound
 *
 * Runs on: shard. Created when the first broadcast finds no room, dropped when none waits.
 * Order: broadcasts leave in the order in which they came. Pushes and replies of the channel never
 *        wait here, and overtake them.
 * Full: a broadcast is dropped, and counted immediately. When the kept broadcasts have been sent,
 *       the channel is told how many were dropped, so that its subsequent pushes arrive last.
 */

import type { Counters } from "../memory/counters.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Connection, RoomWaiter } from "./connection.ts";
import type { SlowChannel } from "./definition.ts";

/** A waiting broadcast, shared by all queues that contain it. */
export interface QueuedBroadcast {
  readonly event: string;
  readonly frame: Uint8Array;
  readonly isBinary: boolean;
}

/** A channel with a send queue. */
export interface QueueOwner {
  readonly owner: { readonly connection: Connection };
  /** The channel's queue, while broadcasts are waiting. */
  queue: SendQueue | undefined;
  /** Called when the queue becomes empty or ends, if it has dropped broadcasts. */
  receiveMissed(count: number): void;
}

/** A channel's queue of broadcasts. */
export class SendQueue implements RoomWaiter {
  readonly #channel: QueueOwner;
  readonly #slow: SlowChannel;
  readonly #counters: Counters;
  /**
   * Waiting broadcasts by the key under which a newer one replaces an older one: the event, or a
   * number.
   */
  readonly #broadcasts = new Map<string | number, QueuedBroadcast>();
  #next = 0;
  #missed = 0;

  /** Creates a queue that sends as soon as there is room. */
  constructor(channel: QueueOwner, slow: SlowChannel, counters: Counters) {
    this.#channel = channel;
    this.#slow = slow;
    this.#counters = counters;
    channel.owner.connection.awaitRoom(this);
  }

  /** Number of waiting broadcasts. */
  get length(): number {
    return this.#broadcasts.size;
  }

  /** Adds a broadcast. If there are too many, the oldest is dropped. */
  put(broadcast: QueuedBroadcast): void {
    const key = this.#slow.policy === "conflate" ? broadcast.event : this.#next;
    this.#next += 1;
    this.#leaveOut(key);
    this.#broadcasts.set(key, broadcast);
    if (this.#broadcasts.size <= this.#slow.bound) return;
    for (const oldest of this.#broadcasts.keys()) {
      this.#leaveOut(oldest);
      break;
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
      this.#broadcasts.delete(key);
      connection.sendEncoded(frame, isBinary);
    }
    if (channel.queue === this) this.#close();
  }

  /** Drops all waiting broadcasts, because the channel is ending. */
  end(): void {
    this.#broadcasts.clear();
    this.#close();
  }

  #close(): void {
    this.#channel.queue = undefined;
    if (this.#missed > 0) this.#channel.receiveMissed(this.#missed);
  }

  #leaveOut(key: string | number): void {
    if (!this.#broadcasts.delete(key)) return;
    this.#missed += 1;
    this.#counters.add(COUNTER.leftOut);
  }
}
