/**
 * Broadcasts from this thread that wait for the end of a window (`pubsub/holding-windows`).
 *
 * They are published together, so that the engine needs few system calls per client. Frames that
 * are sent later must not overtake them. Therefore all held broadcasts are flushed before anything
 * is sent to a client on a held lane, and before a channel is added to or removed from such a lane.
 *
 * Runs on: shard.
 * Owns: a copy of each frame, in a buffer that is reused in each window.
 * Order: the order of the broadcasts, across all topics.
 * Full: the buffer holds 256 KiB. A frame that does not fit flushes everything before it.
 */

import type { HoldingWindow } from "../pubsub/holding-windows.ts";
import type { Publisher } from "./connection.ts";
import type { Lane, Subscriber } from "./lane.ts";

const BUFFER_BYTES = 262_144;

interface Held {
  lane: Lane | undefined;
  from: Subscriber | undefined;
  start: number;
  end: number;
  isBinary: boolean;
}

/** The held broadcasts of a shard. */
export class HeldBroadcasts {
  readonly #window: HoldingWindow;
  readonly #publisher: Publisher;
  readonly #bytes = new Uint8Array(BUFFER_BYTES);
  /** The first `#count` are in use; the others are kept for reuse. */
  readonly #held: Held[] = [];
  #count = 0;
  #end = 0;

  constructor(window: HoldingWindow, publisher: Publisher) {
    this.#window = window;
    this.#publisher = publisher;
    window.onEnd(() => this.flush());
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Reports whether the next broadcast must be held. Call this once for each broadcast. */
  takes(): boolean {
    return this.#window.takes();
  }

  /** Holds a frame for all channels of a native lane except its sender. */
  hold(lane: Lane, frame: Uint8Array, isBinary: boolean, from: Subscriber | undefined): void {
    if (this.#end + frame.length > BUFFER_BYTES) this.flush();
    if (frame.length > BUFFER_BYTES) {
      lane.publish(this.#publisher, frame, isBinary, from);
      return;
    }
    const held = (this.#held[this.#count] ??= makeHeld());
    held.lane = lane;
    held.from = from;
    held.start = this.#end;
    this.#end += frame.length;
    held.end = this.#end;
    held.isBinary = isBinary;
    this.#bytes.set(frame, held.start);
    this.#count += 1;
    lane.isHeld = true;
    this.#window.open();
  }

  /** Publishes all held broadcasts. */
  flush(): void {
    const count = this.#count;
    this.#count = 0;
    this.#end = 0;
    for (let at = 0; at < count; at += 1) {
      const held = this.#held[at];
      const lane = held?.lane;
      if (!held || !lane) continue;
      const frame = this.#bytes.subarray(held.start, held.end);
      lane.isHeld = false;
      lane.publish(this.#publisher, frame, held.isBinary, held.from);
      held.lane = undefined;
      held.from = undefined;
    }
  }
}

function makeHeld(): Held {
  return { lane: undefined, from: undefined, start: 0, end: 0, isBinary: false };
}
