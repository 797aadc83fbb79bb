/**
 * Sends other replicas the changes that they missed, in limited portions.
 *
 * A thread of this node is answered immediately. When another node starts or has missed changes,
 * its threads send their requests one after the other. They are answered together, after a short
 * delay.
 *
 * Runs on: shard; one for each presence.
 * Full: an answer of more than `MOST_AT_ONCE` parts continues after a pause, so that sending a
 *       shard's whole state neither blocks its event loop nor fills the rings, which broadcasts
 *       need too.
 * Slow: a replica that sends another request while its answer is in progress receives no second
 *       answer, unless it needs older changes as well. The last part contains the clock, which
 *       shows the replica whether it still lacks anything.
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
  /** The receiver has seen everything up to this tick; the answer contains the rest. */
  readonly since: number;
  readonly send: (payload: object) => void;
  /** Parts not yet sent; undefined before the first part. */
  rest: Iterator<AnswerPart, undefined> | undefined;
}

/** One part of an answer, ready to send. */
interface AnswerPart {
  readonly payload: object;
  readonly isLast: boolean;
}

/** Approximate size of the data in one record; far less than the queue to a thread may hold. */
const PART_BYTES = 32_768;
/** Parts sent before the event loop and the receivers get a chance to run. */
const MOST_AT_ONCE = 16;
/** Delay before an answer to another node, and between the portions of a long answer. */
const PAUSE_MS = 50;

/** The answers of one replica. */
export class Answers {
  readonly #name: string;
  readonly #pubsub: PresencePubSub;
  readonly #state: State;
  /** Answers by receiver: another node, or a thread of this node. */
  readonly #answers = new Map<string, Answer>();
  #timer: NodeJS.Timeout | undefined;

  constructor(name: string, pubsub: PresencePubSub, state: State) {
    this.#name = name;
    this.#pubsub = pubsub;
    this.#state = state;
  }

  /** Sends the changes since a tick to a thread of this node, or to all threads of another node. */
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

  /** Sends the next parts, taking one from each answer in turn. */
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
 * Yields the changes that a replica has made since a tick, as payloads of deltas.
 *
 * @yields each part on demand; the last one contains the clock
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

/** Approximate size of a span as JSON. */
const SPAN_BYTES = 20;

/**
 * Splits a delta into parts that can be merged independently. A part exceeds the maximum size only
 * if it contains a single large row.
 *
 * @param maxBytes - maximum size of the rows and spans in one part, as JSON
 * @yields each part on demand; at least one
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
