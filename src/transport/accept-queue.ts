/**
 * The connections that have opened and from which a thread does not read yet.
 *
 * After a deploy or the end of a neighbour, thousands of clients connect at once. The engine would read a request from
 * each of them before anything else runs, which takes a second or more for ten thousand. So it reads from a limited
 * number of new connections in each turn; the others are paused.
 *
 *   opened --the next turn has room--> read in the next turn
 *      |
 *      +--it has none, or others wait--> paused --a turn after it has room--> read in that turn, in order
 *                                           |
 *                                           +--reset by the client--> forgotten
 *
 * A paused connection is not closed when its client ends it, only once it is read. A reset closes it.
 *
 * Runs on: main, shard; one for each app.
 * Full: `maxIdleConnections` bounds the queue, since those that wait are idle.
 */

import type { EngineResponse } from "./engine/app-port.ts";
import { NEW_PER_TURN } from "./turn.ts";

/** A connection that waits. */
interface Waiting {
  /** The connection as the engine's filter gets it; undefined if it has been closed. */
  connection: EngineResponse | undefined;
}

/** The new connections of a thread, in the order in which they opened. */
export class AcceptQueue {
  readonly #onTurnEnd = (): void => this.#resume();
  #waiting: Waiting[] = [];
  /** The number of connections that are read in the next turn. */
  #next = 0;
  /** Whether the end of this turn is scheduled. */
  #isScheduled = false;

  /** The number of connections that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Lets the engine read from a connection, now or in a later turn. Called by the engine's filter as it opens. */
  push(connection: EngineResponse): void {
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(this.#onTurnEnd);
    }
    if (this.#next < NEW_PER_TURN && this.#waiting.length === 0) {
      this.#next += 1;
      return;
    }
    const waiting: Waiting = { connection };
    // Also called if there is no request. The request's own handler replaces this one.
    connection.onAborted(() => {
      waiting.connection = undefined;
    });
    connection.pause();
    this.#waiting.push(waiting);
  }

  // Those that opened in this turn and those that are resumed now are read in the next one.
  #resume(): void {
    let done = 0;
    for (; done < this.#waiting.length && this.#next < NEW_PER_TURN; done += 1) {
      const { connection } = this.#waiting[done] as Waiting;
      if (!connection) continue;
      connection.resume();
      this.#next += 1;
    }
    this.#waiting.splice(0, done);
    this.#next = 0;
    this.#isScheduled = this.#waiting.length > 0;
    if (this.#isScheduled) setImmediate(this.#onTurnEnd);
  }
}
