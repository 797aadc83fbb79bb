/**
 * Broadcasts that wait for one channel's client, of which some may give way to later ones.
 *
 *   conflate      the latest of each event is kept; of more events than the bound, the latest ones
 *   drop-oldest   the latest ones are kept, as many as the bound says
 *
 * Runs on: shard. Made when a first broadcast finds no room, let go when none waits.
 * Order: they leave in the order in which they came. Pushes and replies of the channel, which never
 *        wait here, overtake them.
 * Full: what gives way is counted at once. The channel is told how many when the client has taken
 *       what was kept, so that what it then pushes is the newest; where the channel ends before,
 *       the telemetry is.
 */

import type { Channel } from "./channel.ts";
import type { RoomWaiter } from "./connection.ts";
import type { SlowChannel } from "./definition.ts";

/** A broadcast that waits. May be shared by queues. */
export interface QueuedBroadcast {
  readonly event: string;
  readonly frame: Uint8Array;
  readonly isBinary: boolean;
}

/** A channel's queue of broadcasts. */
export class SendQueue implements RoomWaiter {
  readonly #channel: Channel;
  readonly #slow: SlowChannel;
  /** By what a later one replaces them for: the event, or nothing. */
  readonly #broadcasts = new Map<string | number, QueuedBroadcast>();
  #next = 0;
  #missed = 0;

  /** Makes a queue that sends as soon as there is room. */
  constructor(channel: Channel, slow: SlowChannel) {
    this.#channel = channel;
    this.#slow = slow;
    channel.owner.connection.awaitRoom(this);
  }

  /** Broadcasts that wait. */
  get length(): number {
    return this.#broadcasts.size;
  }

  /** Adds a broadcast, for which an older one may have to give way. */
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
    if (channel.queue !== this) return;
    channel.queue = undefined;
    if (this.#missed > 0) channel.runtime.receiveMissed(channel, this.#missed);
  }

  /** Forgets everything: the channel ends. */
  end(): void {
    const channel = this.#channel;
    channel.queue = undefined;
    this.#broadcasts.clear();
    if (this.#missed > 0) channel.runtime.receiveMissed(channel, this.#missed);
  }

  #leaveOut(key: string | number): void {
    if (!this.#broadcasts.delete(key)) return;
    this.#missed += 1;
    this.#channel.runtime.onLeftOut();
  }
}
