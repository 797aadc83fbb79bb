/**
 * Channels that have mail and get their turn when the loop has read what there was to read.
 *
 * One immediate serves all of them. What a channel sends in its turn leaves corked.
 *
 * Runs on: shard.
 */

import type { Channel } from "../channel/channel.ts";

/** A queue of channels for the end of the loop's turn. */
export class TurnQueue {
  readonly #run: (channel: Channel) => void;
  readonly #drain = (): void => this.#drainAll();
  readonly #runCurrent = (): void => {
    if (this.#current) this.#run(this.#current);
  };
  #channels: Channel[] = [];
  #current: Channel | undefined;

  /** @param run - handles a channel's mail */
  constructor(run: (channel: Channel) => void) {
    this.#run = run;
  }

  /** Puts a channel in line, unless it is. */
  add(channel: Channel): void {
    if (channel.isScheduled) return;
    channel.isScheduled = true;
    this.#channels.push(channel);
    if (this.#channels.length === 1) setImmediate(this.#drain);
  }

  #drainAll(): void {
    const channels = this.#channels;
    this.#channels = [];
    let done = 0;
    try {
      for (const channel of channels) {
        done += 1;
        channel.isScheduled = false;
        this.#current = channel;
        channel.owner.connection.cork(this.#runCurrent);
      }
    } finally {
      this.#current = undefined;
      // One threw, by a fault of ours: it costs no other channel its turn.
      if (done < channels.length) this.#resume(channels.slice(done));
    }
  }

  #resume(channels: readonly Channel[]): void {
    if (this.#channels.length === 0) setImmediate(this.#drain);
    this.#channels = [...channels, ...this.#channels];
  }
}
