/**
 * The requests that clients send before an earlier one is answered (pipelining). Those of a connection are passed on one
 * after the other, in order, as if the shard read them from that connection. So a client has no more of them underway
 * than it has connections.
 *
 *   request --no other of its connection is underway--> passed on --over--> the next one
 *      +------another one is----> waits --its turn-------^
 *                                   +--the client goes away--> forgotten
 *
 * Runs on: main; one for each attachment.
 * Full: a client of which more than `MAX_WAITING` requests wait is cut.
 */

import type { Socket } from "node:net";

/** Most requests of a connection that wait. */
const MAX_WAITING = 64;

/** Passes a request on, and calls `over` when nothing more is done for it. */
export type PassOn = (over: () => void) => void;

/** The requests of all connections. */
export class PipelinedRequests {
  /** Those that wait, by connection. A connection of which none is underway is not in it. */
  readonly #waiting = new WeakMap<Socket, PassOn[]>();

  /** Whether a request of this connection is underway. */
  isUnderway(client: Socket): boolean {
    return this.#waiting.has(client);
  }

  /** Passes a request on, now or when it is its turn. */
  add(client: Socket, passOn: PassOn): void {
    const waiting = this.#waiting.get(client);
    if (!waiting) {
      this.#waiting.set(client, []);
      this.#begin(client, passOn);
    } else if (waiting.length === MAX_WAITING) {
      client.destroy();
    } else {
      waiting.push(passOn);
    }
  }

  #begin(client: Socket, passOn: PassOn): void {
    passOn(() => {
      const next = client.destroyed ? undefined : this.#waiting.get(client)?.shift();
      if (next) this.#begin(client, next);
      else this.#waiting.delete(client);
    });
  }
}
