/**
 * Who tracked what on this shard, so that it leaves when they end.
 *
 * Most owners have one presence, and keep it without a map around it. Who tracks nothing is not
 * here, and costs nothing.
 *
 * Runs on: shard.
 */

import type { Row } from "./replica.ts";

/** The owners of a replica's own rows: channels, and what else may own one. */
export class Owners {
  readonly #owned = new Map<object, Row | Map<string, Row>>();

  /** Finds what an owner has tracked under a key of a topic. */
  get(owner: object, topic: string, key: string): Row | undefined {
    const owned = this.#owned.get(owner);
    if (owned === undefined) return undefined;
    if (owned instanceof Map) return owned.get(nameOf(topic, key));
    return owned.topic === topic && owned.key === key ? owned : undefined;
  }

  /** Notes what an owner has tracked, in the place of what it had there before. */
  set(owner: object, row: Row): void {
    const owned = this.#owned.get(owner);
    if (owned instanceof Map) owned.set(nameOf(row.topic, row.key), row);
    else if (owned === undefined || (owned.topic === row.topic && owned.key === row.key)) {
      this.#owned.set(owner, row);
    } else {
      const both = [owned, row].map((one) => [nameOf(one.topic, one.key), one] as const);
      this.#owned.set(owner, new Map(both));
    }
  }

  /** Forgets one. */
  delete(owner: object, row: Row): void {
    const owned = this.#owned.get(owner);
    if (owned instanceof Map) {
      owned.delete(nameOf(row.topic, row.key));
      if (owned.size === 0) this.#owned.delete(owner);
    } else if (owned === row) {
      this.#owned.delete(owner);
    }
  }

  /** Forgets an owner. @returns what it had tracked */
  take(owner: object): Row[] {
    const owned = this.#owned.get(owner);
    if (owned === undefined) return [];
    this.#owned.delete(owner);
    return owned instanceof Map ? [...owned.values()] : [owned];
  }
}

/** Joins topic and key so that no two pairs are the same, whatever characters they have. */
function nameOf(topic: string, key: string): string {
  return `${topic.length}:${topic}${key}`;
}
