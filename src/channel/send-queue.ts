/**
 * Broadcasts that wait for one channel's client. Later ones may replace earlier ones.
 *
 *   conflate      the latest of each event is kept; of more events than the bound, the latest ones
 *   drop-oldest   the latest broadcasts are kept, up to the bound
 *
 * Runs on: shard. Created when the first broadcast finds no room, dropped when none waits.
 * Order: broadcasts leave in the order in which they came. Pushes and replies of the channel never
 *        wait here, and overtake them.
 * Full: a broadcast is left out, and counted at once. When the kept broadcasts have been sent, the
 *       channel is told how many were left out, so that whatever it pushes then arrives last.
 */

import type { Counters } from "../memory/counters.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Connection, RoomWaiter } from "./connection.ts";
import type { SlowChannel } from "./definition.ts";

/** A broadcast that waits. Queues share it. */
export interface QueuedBroadcast {
  readonly event: string;
  readonly frame: Uint8Array;
  readonly isBinary: boolean;
}

/** A channel with such a queue. */
export interface QueueOwner {
  readonly owner: { readonly connection: Connection };
  /** Its queue, while broadcasts wait. */
  queue: SendQueue | undefined;
  /** Called when the queue is empty again or ends, if it has left out broadcasts. */
  receiveMissed(count: number): void;
}

/** A channel's queue of broadcasts. */
export class SendQueue implements RoomWaiter {
  readonly #channel: QueueOwner;
  readonly #slow: SlowChannel;
  readonly #counters: Counters;
  /** By the key under which a later broadcast replaces an earlier one: its event, or a number. */
  readonly #broadcasts = new Map<string | number, QueuedBroadcast>();
  #next = 0;
  #missed = 0;

  /** Makes a queue that sends as soon as there is room. */
  constructor(channel: QueueOwner, slow: SlowChannel, counters: Counters) {
    this.#channel = channel;
    this.#slow = slow;
    this.#counters = counters;
    channel.owner.connection.awaitRoom(this);
  }

  /** Broadcasts that wait. */
  get length(): number {
    return this.#broadcasts.size;
  }

  /** Adds a broadcast. If there are too many, the oldest is left out. */
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

  /** Drops everything that waits, because the channel ends. */
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
