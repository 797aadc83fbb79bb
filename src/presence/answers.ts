/**
 * What this replica sends to replicas that ask for what they missed, and how much of it at a time.
 *
 * A thread of this node is answered at once. The threads of another node that begins, or missed
 * something, ask one after the other: one answer, a moment later, is for all of them.
 *
 * Runs on: shard; one for each presence.
 * Full: an answer of more than `MOST_AT_ONCE` parts goes on after a pause, so that everything a
 *       shard has neither holds its loop nor fills the rings, which broadcasts need too.
 * Slow: a replica that asks again while its answer is under way gets no second answer, unless it
 *       lacks more: what it still lacks at the end it sees by the last part, which has the clock.
 */

import { GOSSIP, gossipTopic, inboxTopic, packDelta } from "./gossip.ts";
import {
  bytesOf,
  replicaId,
  type Delta,
  type DeltaRow,
  type ReplicaRef,
  type Span,
} from "./replica.ts";
import type { PresencePubSub } from "./shard-presence.ts";
import type { State } from "./state.ts";

/** One answer. */
interface Answer {
  /** A replica that has seen everything up to this tick lacks nothing but what it contains. */
  readonly since: number;
  readonly send: (payload: object) => void;
  /** What is still to be sent; undefined: it has not begun. */
  rest: Iterator<AnswerPart, undefined> | undefined;
}

/** A part of what was done, as it is sent. */
interface AnswerPart {
  readonly payload: object;
  readonly isLast: boolean;
}

/** Bytes of what one record carries, roughly: far less than may wait for a thread. */
const PART_BYTES = 32_768;
/** Parts that are sent before the loop, and the receivers, get their turn. */
const MOST_AT_ONCE = 16;
/** How long another node waits for an answer, and a long answer for its next parts. */
const PAUSE_MS = 50;

/** The answers of one replica. */
export class Answers {
  readonly #name: string;
  readonly #pubsub: PresencePubSub;
  readonly #state: State;
  /** By receiver: a node, or a thread of this one. */
  readonly #answers = new Map<string, Answer>();
  #timer: NodeJS.Timeout | undefined;

  constructor(name: string, pubsub: PresencePubSub, state: State) {
    this.#name = name;
    this.#pubsub = pubsub;
    this.#state = state;
  }

  /** Tells a thread of this node, or all of another, what was done since a tick. */
  tell(to: ReplicaRef, since: number): void {
    if (to.node === this.#pubsub.member.node) {
      const topic = inboxTopic(this.#name, to);
      this.#note(replicaId(to), since, (payload) =>
        this.#pubsub.broadcast(topic, GOSSIP.delta, payload, "otherThreads"),
      );
      if (this.#timer === undefined) this.#goOn();
      return;
    }
    const topic = gossipTopic(this.#name);
    this.#note(`@${to.node}`, since, (payload) =>
      this.#pubsub.directBroadcast(to.node, topic, GOSSIP.delta, payload),
    );
    this.#goOnLater();
  }

  /** Stops answering. */
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

  /** Sends the next parts: of several answers one part each in turn, and at least one. */
  #goOn(): void {
    for (let sent = 0; sent < MOST_AT_ONCE && this.#answers.size > 0;) {
      for (const [whose, answer] of this.#answers) {
        answer.rest ??= partsSince(this.#state, answer.since);
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
 * Goes through what a replica has done since a tick, as payloads of deltas.
 *
 * @yields each part as it is asked for; the last has the clock
 */
export function* partsSince(state: State, tick: number): Generator<AnswerPart, undefined> {
  const { own, clock } = state;
  let before: Delta | undefined;
  for (const part of partsOf(state.since(tick), PART_BYTES)) {
    if (before) yield { payload: packDelta(own.ref, before, undefined), isLast: false };
    before = part;
  }
  if (before) yield { payload: packDelta(own.ref, before, clock), isLast: true };
  return undefined;
}

/** What a span takes as JSON, roughly. */
const SPAN_BYTES = 20;

/**
 * Cuts a delta into parts of about a size, which are merged each by itself. A part is larger only
 * if a single row is.
 *
 * @param maxBytes - of the rows and spans of one part, as JSON
 * @yields each part as it is asked for, at least one
 */
export function* partsOf({ spans, rows }: Delta, maxBytes: number): Generator<Delta, undefined> {
  let part = emptyPart();
  let bytes = 0;
  let next = 0;
  for (const [start, to] of spans) {
    let after = start;
    for (let row = rows[next]; row && row.dot <= to; row = rows[(next += 1)]) {
      const more = bytesOf(row);
      if (bytes > 0 && bytes + more > maxBytes) {
        if (row.dot - 1 > after) part.spans.push([after, row.dot - 1]);
        after = row.dot - 1;
        yield part;
        [part, bytes] = [emptyPart(), 0];
      }
      part.rows.push(row);
      bytes += more;
    }
    part.spans.push([after, to]);
    bytes += SPAN_BYTES;
    if (bytes > maxBytes) {
      yield part;
      [part, bytes] = [emptyPart(), 0];
    }
  }
  if (bytes > 0 || spans.length === 0) yield part;
  return undefined;
}

function emptyPart(): { readonly spans: Span[]; readonly rows: DeltaRow[] } {
  return { spans: [], rows: [] };
}
