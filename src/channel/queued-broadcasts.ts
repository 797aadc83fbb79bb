/**
 * The broadcasts that wait in the queues of a shard's slow channels.
 *
 * All queues of a topic share one copy of a broadcast, so it is counted once. Its bytes are divided among the channels
 * whose queues have it.
 *
 * Runs on: shard; one for all its channels.
 * Full: a queue drops its oldest broadcasts beyond `maxBackpressureBytes`. If the node holds too much
 *       (`maxBufferBytes`), the channels with the largest queues end with phx_error.
 */

import type { BufferVisit } from "../held-bytes.ts";

/** A waiting broadcast, shared by all queues that contain it. */
export interface QueuedBroadcast {
  readonly event: string;
  readonly frame: Uint8Array;
  readonly isBinary: boolean;
  /** Number of queues that contain it. */
  queues: number;
}

/** A queue of broadcasts. */
export interface BroadcastQueue {
  /** The queue's part of the bytes of its broadcasts. */
  readonly sharedBytes: number;
  /** Ends the channel of the queue. */
  shed(): void;
}

/** Counts the broadcasts in all queues. */
export class QueuedBroadcasts {
  /** Limit for one queue. */
  readonly maxQueueBytes: number;
  readonly #queues = new Set<BroadcastQueue>();
  #heldBytes = 0;

  constructor(maxQueueBytes: number) {
    this.maxQueueBytes = maxQueueBytes;
  }

  /** Bytes of all waiting broadcasts. */
  get maxHeldBytes(): number {
    return this.#heldBytes;
  }

  /** Adds a queue. */
  opened(queue: BroadcastQueue): void {
    this.#queues.add(queue);
  }

  /** Removes a queue, which is empty. */
  closed(queue: BroadcastQueue): void {
    this.#queues.delete(queue);
  }

  /** Counts a broadcast that was added to a queue. */
  added(broadcast: QueuedBroadcast): void {
    if (broadcast.queues === 0) this.#heldBytes += broadcast.frame.length;
    broadcast.queues += 1;
  }

  /** Counts a broadcast that was removed from a queue. */
  removed(broadcast: QueuedBroadcast): void {
    broadcast.queues -= 1;
    if (broadcast.queues === 0) this.#heldBytes -= broadcast.frame.length;
  }

  /** Visits each queue. */
  visitHeld(visit: BufferVisit): void {
    for (const queue of this.#queues) visit(queue, queue.sharedBytes);
  }
}
