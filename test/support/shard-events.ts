/**
 * The telemetry of all shards, forwarded to the test's thread by the app `slow`.
 *
 * Runs on: the main thread of the tests.
 */
import { randomUUID } from "node:crypto";
import { BroadcastChannel } from "node:worker_threads";
import { within } from "./deadline.ts";

/** An event of a shard. */
export type ShardEvent = Readonly<Record<string, unknown>> & {
  readonly name: string;
  readonly shard: number;
};

type Sought = Partial<Record<string, unknown>>;

/** Listens to the shards of one server, whose `data.events` is `name`. */
export class ShardEvents {
  readonly name = `events ${randomUUID()}`;
  readonly seen: ShardEvent[] = [];
  readonly #channel = new BroadcastChannel(this.name);
  readonly #wakes = new Set<() => void>();

  constructor() {
    this.#channel.addEventListener("message", (message) => {
      this.seen.push((message as unknown as { readonly data: ShardEvent }).data);
      for (const wake of this.#wakes) wake();
    });
  }

  /** Returns all events so far that have these values. */
  having(sought: Sought): ShardEvent[] {
    return this.seen.filter((event) =>
      Object.entries(sought).every(([key, value]) => event[key] === value),
    );
  }

  /** Waits until `count` events with these values have been seen, and returns them. */
  async until(sought: Sought, count = 1): Promise<ShardEvent[]> {
    const done = new Promise<ShardEvent[]>((resolve) => {
      const look = (): void => {
        const found = this.having(sought);
        if (found.length < count) return;
        this.#wakes.delete(look);
        resolve(found);
      };
      this.#wakes.add(look);
      look();
    });
    return within(done, `${count} of ${JSON.stringify(sought)}`, 30_000);
  }

  close(): void {
    this.#channel.close();
  }
}
