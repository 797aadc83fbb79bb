/**
 * Gives a replacement shard two turns per round until it has its share of the connections.
 *
 * The new thread starts without connections, and clients that reconnect are spread over all shards.
 * Without levelling, the shard would have fewer connections than the others for a long time.
 *
 *   in rotation: one turn --below the others' mean--> two turns --at the mean, or alone--> one turn
 *
 * More than two turns would not help: a shard that received most of a rush of clients would serve
 * all of them slowly.
 *
 * Runs on: main.
 */

import type { ListeningThread, NodeListener } from "../transport/engine/listener-port.ts";

/** A shard's thread. */
export interface LevelledThread extends ListeningThread {
  /** Whether the thread has started. */
  readonly isReady: boolean;
  /** Open connections. */
  readonly connections: number;
}

/** Interval at which the connections are counted. */
const CHECK_MS = 250;

/** Levels out the connections of new shards. */
export class Levelling {
  readonly #listener: Pick<NodeListener, "has" | "setTurns">;
  readonly #serving: Iterable<LevelledThread>;
  /** Threads that have two turns. */
  readonly #behind = new Set<LevelledThread>();
  #timer: NodeJS.Timeout | undefined;

  /** @param serving - the serving threads */
  constructor(listener: Pick<NodeListener, "has" | "setTurns">, serving: Iterable<LevelledThread>) {
    this.#listener = listener;
    this.#serving = serving;
  }

  /** Begins to level a thread that was just added to the rotation. */
  begin(thread: LevelledThread): void {
    if (!thread.isReady || this.#isLevel(thread)) return;
    this.#behind.add(thread);
    this.#listener.setTurns(thread, 2);
    this.#timer ??= setInterval(() => this.check(), CHECK_MS).unref();
  }

  /** Compares the connection counts, and removes the second turn of threads that have caught up. */
  check(): void {
    for (const thread of this.#behind) {
      const isInRotation = this.#listener.has(thread);
      if (isInRotation && !this.#isLevel(thread)) continue;
      this.#behind.delete(thread);
      if (isInRotation) this.#listener.setTurns(thread, 1);
    }
    if (this.#behind.size === 0) this.stop();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #isLevel(thread: LevelledThread): boolean {
    const others = [...this.#serving].filter((other) => other !== thread);
    const sum = others.reduce((total, other) => total + other.connections, 0);
    return thread.connections * others.length >= sum;
  }
}
