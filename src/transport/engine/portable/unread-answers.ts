/**
 * The answers that their clients have not read completely, and the requests that go on after their answer. A client that
 * reads nothing for about 30 s is cut, as is one that takes as long to send the rest of a request that is answered.
 *
 * Runs on: main, shard; one for each app.
 */

/** A connection with such an answer. */
export interface UnreadAnswer {
  /** The number of bytes that the client has read, or are on their way to it. */
  readonly takenBytes: number;
  cut(): void;
}

interface Progress {
  takenBytes: number;
  /** The number of checks since it has grown. */
  checks: number;
}

const CHECK_MS = 5_000;
/** A client is cut when this many checks have found no progress. */
const MAX_CHECKS = 6;

/** The unread answers of an app. */
export class UnreadAnswers {
  readonly #answers = new Map<UnreadAnswer, Progress>();
  #timer: NodeJS.Timeout | undefined = undefined;

  /** Adds an answer. More calls have no effect. */
  add(answer: UnreadAnswer): void {
    if (this.#answers.has(answer)) return;
    this.#answers.set(answer, { takenBytes: -1, checks: 0 });
    this.#timer ??= setInterval(() => this.#check(), CHECK_MS).unref();
  }

  /** Removes an answer. */
  remove(answer: UnreadAnswer): void {
    this.#answers.delete(answer);
  }

  /** Forgets all. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#answers.clear();
  }

  #check(): void {
    for (const [answer, progress] of this.#answers) {
      const { takenBytes } = answer;
      progress.checks = takenBytes === progress.takenBytes ? progress.checks + 1 : 0;
      progress.takenBytes = takenBytes;
      if (progress.checks >= MAX_CHECKS) answer.cut();
    }
    if (this.#answers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
