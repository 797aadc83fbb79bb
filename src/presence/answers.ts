/**
 * What this replica sends to those who ask for what they missed, and how much of it at a time.
 *
 * A thread of this node has its answer at once. The threads of another node that begins, or missed
 * something, ask one after the other: one answer, a moment later, is for all of them.
 *
 * Runs on: shard; one for each presence.
 * Full: an answer of more than `MOST_AT_ONCE` parts goes on after a pause, so that all that a shard
 *       has neither holds its loop nor fills the way to others, which broadcasts go too.
 * Slow: who asks again while its answer is under way gets no other one, unless it lacks more: what
 *       it still lacks at the end it sees by the last part, which has the clock.
 */

import { partsOf, type Delta } from "./delta.ts";
import { GOSSIP, gossipTopic, inboxTopic, packDelta } from "./gossip.ts";
import { replicaId, type ReplicaRef } from "./replica.ts";
import type { State } from "./state.ts";
import type { PresenceWire } from "./wire.ts";

/** What answers are made of. */
export interface AnswersParts {
  readonly name: string;
  readonly state: State;
  readonly wire: PresenceWire;
}

/** One answer. */
interface Answer {
  /** Who has seen all up to this tick lacks nothing but what it gives. */
  readonly since: number;
  readonly send: (payload: object) => void;
  /** What is still to be sent; undefined: it has not begun. */
  rest: Iterator<DeltaPart, undefined> | undefined;
}

/** A part of what was done, as it is sent. */
interface DeltaPart {
  readonly payload: object;
  readonly isLast: boolean;
}

/** Bytes of what one record carries, about: far less than may wait for a thread. */
const PART_BYTES = 32_768;
/** Parts that are sent before the loop, and who reads them, get their turn. */
const MOST_AT_ONCE = 16;
/** How long other nodes wait for an answer, and a long one for its next parts. */
const PAUSE_MS = 50;

/** The answers of one replica. */
export class Answers {
  readonly #parts: AnswersParts;
  /** By whom they are for: a node, or a thread of this one. */
  readonly #answers = new Map<string, Answer>();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: AnswersParts) {
    this.#parts = parts;
  }

  /** Tells a thread of this node, or all of another, what was done since a tick. */
  tell(to: ReplicaRef, since: number): void {
    const { name, wire } = this.#parts;
    if (to.node === wire.node) {
      const topic = inboxTopic(name, to);
      this.#note(replicaId(to), since, (payload) =>
        wire.broadcast(topic, GOSSIP.delta, payload, "otherThreads"),
      );
      if (this.#timer === undefined) this.#goOn();
      return;
    }
    const topic = gossipTopic(name);
    this.#note(`@${to.node}`, since, (payload) =>
      wire.directBroadcast(to.node, topic, GOSSIP.delta, payload),
    );
    this.#goOnLater();
  }

  /** Answers nobody any more. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #note(whose: string, since: number, send: Answer["send"]): void {
    const known = this.#answers.get(whose);
    if (known && known.since <= since) return;
    this.#answers.set(whose, { since, send, rest: undefined });
  }

  #goOnLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#goOn();
    }, PAUSE_MS).unref();
  }

  /** Sends the next parts: of several answers a part of each in turn, and at least one. */
  #goOn(): void {
    for (let sent = 0; sent < MOST_AT_ONCE && this.#answers.size > 0;) {
      for (const [whose, answer] of this.#answers) {
        answer.rest ??= partsSince(this.#parts.state, answer.since);
        const { value } = answer.rest.next();
        if (value) answer.send(value.payload);
        if (!value || value.isLast) this.#answers.delete(whose);
        sent += 1;
      }
    }
    if (this.#answers.size > 0) this.#goOnLater();
  }
}

/**
 * Gives what a replica has done since a tick, as payloads of deltas.
 *
 * @yields each part as it is asked for; the last has the clock
 */
export function* partsSince(state: State, tick: number): Generator<DeltaPart, undefined> {
  const { own, clock } = state;
  let before: Delta | undefined;
  for (const part of partsOf(state.since(tick), PART_BYTES)) {
    if (before) yield { payload: packDelta(own.ref, before, undefined), isLast: false };
    before = part;
  }
  if (before) yield { payload: packDelta(own.ref, before, clock), isLast: true };
  return undefined;
}
