/**
 * Items in order of arrival, and the assertions that wait for further items.
 *
 * Runs on: the thread of a test.
 */

import type { Waiting } from "./real-time.ts";

interface Waiter<Item> {
  readonly isWanted: (item: Item) => boolean;
  /** If false, the item stays in the inbox for other assertions. */
  readonly isTaking: boolean;
  readonly resolve: (item: Item) => void;
}

/** An inbox. Each item can be taken once. */
export class Inbox<Item> {
  /** All items, including those that were taken. */
  readonly all: Item[] = [];
  readonly #left: Item[] = [];
  readonly #waiters = new Set<Waiter<Item>>();

  /** Adds an item: passes it to a waiting assertion, or keeps it. */
  add(item: Item): void {
    this.all.push(item);
    for (const waiter of this.#waiters) {
      if (!waiter.isWanted(item)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(item);
      if (waiter.isTaking) return;
    }
    this.#left.push(item);
  }

  /**
   * Takes the first matching item, waiting for it if necessary. Returns undefined if none arrives
   * in time.
   */
  async take(isWanted: (item: Item) => boolean, waiting: Waiting): Promise<Item | undefined> {
    const at = this.#left.findIndex((item) => isWanted(item));
    if (at >= 0) return this.#left.splice(at, 1)[0];
    return this.#wait(isWanted, true, waiting);
  }

  /** Returns the first item that ever arrived, waiting for it if necessary. Does not take it. */
  async first(waiting: Waiting): Promise<Item | undefined> {
    return this.all[0] ?? this.#wait(() => true, false, waiting);
  }

  async #wait(
    isWanted: (item: Item) => boolean,
    isTaking: boolean,
    waiting: Waiting,
  ): Promise<Item | undefined> {
    return new Promise((resolve) => {
      const waiter: Waiter<Item> = {
        isWanted,
        isTaking,
        resolve: (item) => {
          cancel();
          resolve(item);
        },
      };
      this.#waiters.add(waiter);
      const cancel = waiting(() => {
        this.#waiters.delete(waiter);
        resolve(undefined);
      });
    });
  }
}
