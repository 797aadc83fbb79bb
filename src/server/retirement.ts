/**
 * Retires the numbers of members that ended: a number is given to a new thread only when every
 * other member has delivered what the old one wrote, and has forgotten it.
 *
 * Runs on: main.
 * Order:   that of `pubsub/member`; the words of `Life` are reset last.
 * Full:    what the thread still had to send when it ended is lost, and every member is told.
 */

import type { Life } from "../memory/life.ts";
import type { Member } from "../pubsub/member.ts";
import type { MemberThread } from "./member-thread.ts";

/** The retirements under way. */
export class Retirement {
  readonly #main: Member;
  readonly #life: Life;
  readonly #onFree: (member: number) => void;
  /** By retired member: the threads that have not forgotten it yet. */
  readonly #waiting = new Map<number, Set<MemberThread>>();

  /**
   * @param main - main's own member
   * @param onFree - called with each number that may be used again
   */
  constructor(main: Member, life: Life, onFree: (member: number) => void) {
    this.#main = main;
    this.#life = life;
    this.#onFree = onFree;
  }

  /**
   * Begins to retire the member of a thread that has ended.
   *
   * @param hasLost - whether it ended with records that it had not sent
   */
  begin(member: number, others: readonly MemberThread[], hasLost: boolean): void {
    this.#main.index.clearMember(member);
    this.#main.retire(member, hasLost);
    this.#waiting.set(member, new Set(others));
    for (const thread of others) thread.send({ kind: "retire", member, hasLost });
    this.#finishIfForgotten(member);
  }

  /** Handles a thread's answer that it has forgotten a member. */
  forgotten(thread: MemberThread, member: number): void {
    this.#waiting.get(member)?.delete(thread);
    this.#finishIfForgotten(member);
  }

  /** Handles the end of a thread: no retirement waits for it any more. */
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
