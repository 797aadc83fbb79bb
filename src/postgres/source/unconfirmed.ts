/**
 * Changes that were published, but are not confirmed to the database yet.
 *
 * When the publisher learns that a message is kept, the message is still on its way to the other nodes. If the leader's
 * process is killed at this moment, they never get it. So changes are confirmed SETTLE_MS later. Until then, a new leader
 * publishes them again, and nodes recognize by the keys what they have kept already.
 *
 * Runs on: shard, if it leads.
 * Full:    of more than MAX_UNCONFIRMED entries, the oldest are due immediately.
 */

/** Time for messages to reach the other nodes. */
export const SETTLE_MS = 1_000;
const MAX_UNCONFIRMED = 10_000;

interface Entry<Item> {
  readonly item: Item;
  readonly dueMs: number;
}

/** Published changes, or positions, in the order in which they are due. */
export class Unconfirmed<Item> {
  #entries: Entry<Item>[] = [];

  /** All of them. */
  get items(): readonly Item[] {
    return this.#entries.map(({ item }) => item);
  }

  get size(): number {
    return this.#entries.length;
  }

  add(items: readonly Item[], nowMs = performance.now()): void {
    for (const item of items) this.#entries.push({ item, dueMs: nowMs + SETTLE_MS });
  }

  /** Returns those that can be confirmed now. */
  due(nowMs = performance.now()): readonly Item[] {
    const excess = this.#entries.length - MAX_UNCONFIRMED;
    const later = this.#entries.findIndex(({ dueMs }, index) => dueMs > nowMs && index >= excess);
    const count = later < 0 ? this.#entries.length : later;
    return this.#entries.slice(0, count).map(({ item }) => item);
  }

  /** Forgets the first of them, which have been confirmed. */
  confirmed(count: number): void {
    this.#entries.splice(0, count);
  }

  clear(): void {
    this.#entries = [];
  }
}
