/**
 * The channels of one connection, by topic.
 *
 * Most connections have a handful: up to 8 stand in an array, which costs a tenth of a Map.
 *
 * Runs on: the shard that owns the connection.
 */

import type { RoutedChannel } from "../channel/routed-channel.ts";

const MOST_IN_ARRAY = 8;
const NONE: readonly RoutedChannel[] = [];

/** A map from topics to channels. */
export class ChannelTable {
  #few: readonly RoutedChannel[] = NONE;
  #many: Map<string, RoutedChannel> | undefined = undefined;

  get size(): number {
    return this.#many ? this.#many.size : this.#few.length;
  }

  get(topic: string): RoutedChannel | undefined {
    if (this.#many) return this.#many.get(topic);
    for (const channel of this.#few) if (channel.topic === topic) return channel;
    return undefined;
  }

  /** Adds a channel. Its topic must be free. */
  add(channel: RoutedChannel): void {
    if (this.#many) {
      this.#many.set(channel.topic, channel);
      return;
    }
    // A new array of just this length: one that is pushed to would have room for 16 more.
    this.#few = [...this.#few, channel];
    if (this.#few.length <= MOST_IN_ARRAY) return;
    this.#many = new Map(this.#few.map((known) => [known.topic, known]));
    this.#few = NONE;
  }

  /** Removes a channel; false where its topic has another, or none. */
  remove(channel: RoutedChannel): boolean {
    if (this.#many) {
      return this.#many.get(channel.topic) === channel && this.#many.delete(channel.topic);
    }
    const left = this.#few.filter((other) => other !== channel);
    const isRemoved = left.length < this.#few.length;
    this.#few = left.length === 0 ? NONE : left;
    return isRemoved;
  }

  /** Whether one of the channels is so. */
  some(isSo: (channel: RoutedChannel) => boolean): boolean {
    if (!this.#many) return this.#few.some(isSo);
    for (const channel of this.#many.values()) if (isSo(channel)) return true;
    return false;
  }

  /** All channels, as they are now. */
  all(): RoutedChannel[] {
    return this.#many ? [...this.#many.values()] : [...this.#few];
  }
}
