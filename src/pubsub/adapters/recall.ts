/**
 * Finds out which disconnects a node has missed while it was not connected to the server.
 *
 * Each node keeps the disconnects that it has sent, and its gaps, which may stand for others. A node whose connection
 * was lost asks all others for theirs, gets those again, and an answer that says whether they are complete:
 *
 *   checked --connection lost--> due --connected: asks--> asking --all known nodes have answered--> checked
 *                                 ^                         | |
 *                                 +----connection lost------+ +--no answer in time, or not complete--> unsure
 *
 * A node knows the others from what they send to all. Each asks once when it starts, so that they know each other, and
 * says bye when it stops. A node that was not connected when a question was sent asks one of its own when it is connected
 * again, and is then sent the question. A node that was cut off before it had heard of another one does not await its
 * answer, but takes it into account.
 *
 * Runs on: link.
 * Full: a node keeps them for 10 minutes, at most 1 MiB of them. If it has dropped any that are asked for, its
 *       answer says so. A node that has ended without a bye, or that stops before it answers, cannot be asked: the node
 *       that asked is unsure once, and forgets it.
 */

/** A record that a node has sent to all others: a disconnect or a gap. */
export interface KeptRecord {
  readonly kind: number;
  readonly topic: string;
  readonly body: Uint8Array;
}

interface Kept extends KeptRecord {
  readonly atMs: number;
}

/** Sends to other nodes, and reports to this one. */
export interface RecallPost {
  /** Asks a node, or all if it is undefined, for what they have sent in the last `ms`. */
  ask(node: string | undefined, ms: number): void;
  /** Sends a node a kept record. @returns false if it could not be sent */
  trySend(node: string, record: KeptRecord): boolean;
  /** Answers a node, after the records that were sent to it. */
  answer(node: string, isComplete: boolean): void;
  /** Reports that disconnects may have been missed. */
  unsure(): void;
}

const KEEP_MS = 600_000;
const MAX_KEPT_BYTES = 1_048_576;
/** What a kept record takes in addition to its bytes. */
const ENTRY_BYTES = 128;
/** Added to each question for what was on its way. */
const MARGIN_MS = 5_000;

interface Question {
  /** When the connection was lost, at the latest. */
  readonly sinceMs: number;
  readonly awaited: Set<string>;
  readonly timer: NodeJS.Timeout;
  isComplete: boolean;
}

/** The disconnects and gaps that a node has sent, and its question for those that it has missed. */
export class Recall {
  readonly #post: RecallPost;
  readonly #limitMs: number;
  readonly #kept: Kept[] = [];
  #keptBytes = 0;
  /** When the newest of the records that were dropped was sent (ms). */
  #droppedAtMs = -Infinity;
  /** The boots of other nodes. */
  readonly #nodes = new Set<string>();
  /** Those of them that have answered since the connection was last made. */
  readonly #answered = new Set<string>();
  /** Since when disconnects may have been missed. */
  #missedSinceMs: number | undefined = undefined;
  #question: Question | undefined = undefined;

  /** @param limitMs - time limit for the answers */
  constructor(post: RecallPost, limitMs: number) {
    this.#post = post;
    this.#limitMs = limitMs;
  }

  /** Keeps a copy of a record that this node sends to all. */
  keep({ kind, topic, body }: KeptRecord): void {
    const atMs = performance.now();
    this.#kept.push({ kind, topic, body: new Uint8Array(body), atMs });
    this.#keptBytes += body.length + ENTRY_BYTES;
    let dropped = 0;
    for (const kept of this.#kept) {
      if (kept.atMs >= atMs - KEEP_MS && this.#keptBytes <= MAX_KEPT_BYTES) break;
      this.#keptBytes -= kept.body.length + ENTRY_BYTES;
      this.#droppedAtMs = kept.atMs;
      dropped += 1;
    }
    this.#kept.splice(0, dropped);
  }

  /** Notes that another node exists. */
  heard(boot: string): void {
    this.#nodes.add(boot);
  }

  /** Notes that another node has stopped. If its answer is awaited, what it sent cannot be found out. */
  left(boot: string): void {
    this.#nodes.delete(boot);
    this.#hasAnswered(boot, false);
  }

  /** Notes that the connection was lost. @param heardAtMs - when something was last received */
  lost(heardAtMs: number): void {
    this.#missedSinceMs = this.#question?.sinceMs ?? this.#missedSinceMs ?? heardAtMs;
    this.#endQuestion();
  }

  /** Asks the other nodes, once there is a connection. */
  connected(): void {
    const sinceMs = this.#missedSinceMs;
    this.#missedSinceMs = undefined;
    this.#answered.clear();
    this.#post.ask(undefined, sinceMs === undefined ? 0 : performance.now() - sinceMs + MARGIN_MS);
    if (sinceMs === undefined) return;
    const timer = setTimeout(() => this.#late(), this.#limitMs).unref();
    this.#question = { sinceMs, awaited: new Set(this.#nodes), timer, isComplete: true };
    this.#finishIfAnswered();
  }

  /** Answers another node. */
  asked(boot: string, node: string, ms: number): void {
    this.heard(boot);
    const sinceMs = performance.now() - ms;
    const wanted = this.#kept.filter(({ atMs }) => atMs >= sinceMs);
    const isSent = wanted.every((record) => this.#post.trySend(node, record));
    this.#post.answer(node, isSent && this.#droppedAtMs < sinceMs);
    // It may not have been connected when all were asked.
    const question = this.#question;
    if (question?.awaited.has(boot) !== true) return;
    this.#post.ask(node, performance.now() - question.sinceMs + MARGIN_MS);
  }

  /** Handles an answer. */
  answered(boot: string, isComplete: boolean): void {
    this.heard(boot);
    const isFirst = !this.#answered.has(boot);
    this.#answered.add(boot);
    const question = this.#question;
    if (question?.awaited.has(boot) === true || isComplete || !isFirst) {
      this.#hasAnswered(boot, isComplete);
      return;
    }
    // Not awaited: this node was cut off before it had heard of that one.
    if (question) question.isComplete = false;
    else this.#post.unsure();
  }

  /** Forgets its question. */
  stop(): void {
    this.#endQuestion();
  }

  #hasAnswered(boot: string, isComplete: boolean): void {
    const question = this.#question;
    if (question?.awaited.delete(boot) !== true) return;
    if (!isComplete) question.isComplete = false;
    this.#finishIfAnswered();
  }

  #finishIfAnswered(): void {
    const question = this.#question;
    if (!question || question.awaited.size > 0) return;
    this.#endQuestion();
    if (!question.isComplete) this.#post.unsure();
  }

  #late(): void {
    for (const boot of this.#question?.awaited ?? []) this.#nodes.delete(boot);
    this.#endQuestion();
    this.#post.unsure();
  }

  #endQuestion(): void {
    clearTimeout(this.#question?.timer);
    this.#question = undefined;
  }
}
