/**
 * Retires the numbers of ended members.
 *
 * A number is reused for a new thread only after every other member has delivered the old thread's
 * records and has forgotten the old thread.
 *
 * Runs on: main.
 * Order:   as in `pubsub/member`; the member's words in `Life` are reset last.
 * Full:    records that the thread had not sent when it ended are lost, and every member is
 *          notified.
 */

import type { Life } from "../memory/life.ts";
import type { Member } from "../pubsub/member.ts";
import type { MemberThread } from "./member-thread.ts";

/** The retirements in progress. */
export class Retirement {
  readonly #main: Member;
  readonly #life: Life;
  readonly #onFree: (member: number) => void;
  /** Threads that have not yet forgotten a retired member, by member. */
  readonly #waiting = new Map<number, Set<MemberThread>>();

  /**
   * @param main - the main thread's member
   * @param onFree - called with each number that can be reused
   */
  constructor(main: Member, life: Life, onFree: (member: number) => void) {
    this.#main = main;
    this.#life = life;
    this.#onFree = onFree;
  }

  /**
   * Begins to retire the member of a thread that has ended.
   *
   * @param hasLost - whether the thread ended with unsent records
   */
  begin(member: number, others: readonly MemberThread[], hasLost: boolean): void {
    this.#main.index.clearMember(member);
    this.#main.retire(member, hasLost);
    this.#waiting.set(member, new Set(others));
    for (const thread of others) thread.send({ kind: "retire", member, hasLost });
    this.#finishIfForgotten(member);
  }

  /** Called when a thread has forgotten a member. */
  forgotten(thread: MemberThread, member: number): void {
    this.#waiting.get(member)?.delete(thread);
    this.#finishIfForgotten(member);
  }

  /** Called when a thread has ended, so that no retirement waits for it. */
  ended(thread: MemberThread): void {
    for (const [member, threads] of this.#waiting) {
      if (threads.delete(thread)) this.#finishIfForgotten(member);
    }
  }

  #finishIfForgotten(member: number): void {
    if (this.#waiting.get(member)?.size !== 0) return;
    this.#waiting.delete(member);
    this.#main.exchange.resetMember(member);
    this.#life.reset(member);
    this.#onFree(member);
  }
}
