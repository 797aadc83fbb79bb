/**
 * Retires the numbers of members that ended: a number is given to a new thread only when every
 * other member has delivered what the old one wrote, and has forgotten it.
 *
 * Runs on: main.
 * Order:   the thread has ended; main clears its bits in the index and forgets it; each live
 *          member forgets it and says so; main empties its rings and raises its generation.
 * Full:    what the thread still had to send when it ended is lost, and every member is told.
 */

import type { Life } from "../memory/life.ts";
import type { Host } from "./host.ts";
import type { MemberThread } from "./member-thread.ts";

/** The retirements under way. */
export class Retirement {
  readonly #host: Host;
  readonly #life: Life;
  readonly #onFree: (member: number) => void;
  /** By retired member: the threads that have not forgotten it yet. */
  readonly #waiting = new Map<number, Set<MemberThread>>();

  /** @param onFree - called with each number that may be used again */
  constructor(host: Host, life: Life, onFree: (member: number) => void) {
    this.#host = host;
    this.#life = life;
    this.#onFree = onFree;
  }

  /**
   * Begins to retire the member of a thread that has ended.
   *
   * @param hasLost - whether it ended with records that were still to come
   */
  begin(member: number, others: readonly MemberThread[], hasLost: boolean): void {
    this.#host.clearMember(member);
    this.#host.retire(member, hasLost);
    this.#waiting.set(member, new Set(others));
    for (const thread of others) thread.send({ kind: "retire", member, hasLost });
    this.#finishIfForgotten(member);
  }

  /** Is told that a thread has forgotten a member. */
  forgotten(thread: MemberThread, member: number): void {
    this.#waiting.get(member)?.delete(thread);
    this.#finishIfForgotten(member);
  }

  /** Is told that a thread has ended: nobody waits for it any more. */
  ended(thread: MemberThread): void {
    for (const [member, threads] of this.#waiting) {
      if (threads.delete(thread)) this.#finishIfForgotten(member);
    }
  }

  #finishIfForgotten(member: number): void {
    if (this.#waiting.get(member)?.size !== 0) return;
    this.#waiting.delete(member);
    this.#host.resetMember(member);
    this.#life.reset(member);
    this.#onFree(member);
  }
}
