/**
 * Asks shards questions, and waits for their answers with a time limit.
 *
 *   asked --answer--> answered
 *     +--thread ends--> answered with undefined, because its state is gone
 *     +--time is up---> rejected, naming the shards that are late
 *
 * Runs on: main.
 * Full: a question that takes longer than `controlTimeoutMs` is rejected.
 */

import { makeError } from "../errors.ts";
import type { Answer, AnswerMessage, Answers, MainMessage, Question } from "../shard/control.ts";

/** A thread that can be asked. */
export interface Asked {
  readonly shard: number;
  send(message: MainMessage): void;
}

/** The pending questions of a server. */
export class Questions {
  readonly #limitMs: number;
  /** Resolvers of the pending questions, by thread and number. */
  readonly #waiting = new Map<Asked, Map<number, (answer: Answer) => void>>();
  #nextId = 0;

  /** @param limitMs - time limit for an answer */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /**
   * Asks several shards at once. Threads that end meanwhile are left out of the result.
   *
   * @throws SIM_ERR_SHARD_BUSY, naming the shards that did not answer in time
   */
  async ask<About extends Question["about"]>(
    threads: readonly Asked[],
    question: Extract<Question, { about: About }>,
  ): Promise<Answers[About][]> {
    const late = new Set(threads);
    const answers = threads.map(async (thread) => {
      const answer = await this.#askOne(thread, question);
      late.delete(thread);
      return answer as Answers[About] | undefined;
    });
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(this.#busyError(late)), this.#limitMs);
    });
    try {
      const settled = await Promise.race([Promise.all(answers), tooLate]);
      return settled.filter((answer) => answer !== undefined);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Handles an answer. Late answers are ignored. */
  answered(thread: Asked, { id, answer }: AnswerMessage): void {
    const waiting = this.#waiting.get(thread);
    const settle = waiting?.get(id);
    waiting?.delete(id);
    settle?.(answer);
  }

  /** Settles the questions of a thread that has ended. */
  ended(thread: Asked): void {
    for (const settle of this.#waiting.get(thread)?.values() ?? []) settle(undefined);
    this.#waiting.delete(thread);
  }

  async #askOne(thread: Asked, question: Question): Promise<Answer> {
    const id = this.#nextId;
    this.#nextId += 1;
    const waiting = this.#waiting.get(thread) ?? new Map<number, (answer: Answer) => void>();
    this.#waiting.set(thread, waiting);
    return new Promise((resolve) => {
      waiting.set(id, resolve);
      thread.send({ kind: "ask", id, question });
    });
  }

  #busyError(late: ReadonlySet<Asked>): Error {
    const numbers = [...late].map(({ shard }) => shard);
    const subject = numbers.length === 1 ? "shard" : "shards";
    return makeError(
      "SIM_ERR_SHARD_BUSY",
      `${subject} ${numbers.join(", ")} must answer within ${this.#limitMs} (ms), got no answer`,
    );
  }
}
