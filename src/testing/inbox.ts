/**
 * What came, in order, and who waits for what has not come yet.
 *
 * Runs on: the thread of a test.
 */

import type { Waiting } from "./real-time.ts";

interface Waiter<Item> {
  readonly isWanted: (item: Item) => boolean;
  /** False for who only looks: the item is still there for others. */
  readonly isTaking: boolean;
  readonly resolve: (item: Item) => void;
}

/** An inbox. Each item is taken once. */
export class Inbox<Item> {
  /** All that came, taken or not. */
  readonly all: Item[] = [];
  readonly #left: Item[] = [];
  readonly #waiters = new Set<Waiter<Item>>();

  /** Adds an item: for who waits for it, or for who will ask. */
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

  /** Takes the first item that is wanted, as soon as it is here; undefined where it does not come. */
  async take(isWanted: (item: Item) => boolean, waiting: Waiting): Promise<Item | undefined> {
    const at = this.#left.findIndex((item) => isWanted(item));
    if (at >= 0) return this.#left.splice(at, 1)[0];
    return this.#wait(isWanted, true, waiting);
  }

  /** Gives the first item that ever came, taken or not, and leaves it where it is. */
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
