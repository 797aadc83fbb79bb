/**
 * Delivers what keepers wrote: each kept broadcast once, and in the keeper's order, to the subscribers of this
 * thread, or tells them that some are missing. `kept-entry` has the states of a topic.
 *
 *   KEPT, the next one    delivered
 *   KEPT, a later one     ignored; what follows the last delivered one is fetched
 *   lapped                the same
 *   BURNED, KEEPER_UP,    the subscribers are told, and the topic's position is learned again
 *   or a keeper ended
 *
 * Runs on: main, shard; one for each, if a topic is kept.
 * Owns: the `kept` of the topics' entries.
 * Full: answers wait as `keeping` says. If what a thread missed is no longer kept, its subscribers are told.
 */

import { COUNTER } from "../memory/counters-layout.ts";
import { Envelope, KIND } from "./envelope.ts";
import { positionIn, Trailer, trailerAt, type Answer } from "./history-records.ts";
import { KeptEntry } from "./kept-entry.ts";
import type { Keeping } from "./keeping.ts";
import type { Member } from "./member.ts";
import { unpackLapped } from "./outgoing-records.ts";
import type { Registry, TopicEntry } from "./registry.ts";

/** The subscribers of a thread. */
export interface Receivers<Lane> {
  readonly registry: Registry<Lane>;
  /**
   * Delivers a broadcast to the subscribers of a topic.
   *
   * @param from - the subscriber to exclude
   */
  deliver(entry: TopicEntry<Lane>, envelope: Envelope, from: object | undefined): void;
  /** Tells the subscribers of a topic that broadcasts were lost. */
  tell(entry: TopicEntry<Lane>): void;
}

/** Size of the answers with which a topic is fetched again (bytes). */
const FETCH_BYTES = 65_536;

/** The kept topics of one thread. */
export class KeptDelivery<Lane> {
  readonly #member: Member;
  readonly #keeping: Keeping;
  readonly #receivers: Receivers<Lane>;
  readonly #envelope = new Envelope(true);
  readonly #trailer = new Trailer();

  constructor(member: Member, keeping: Keeping, receivers: Receivers<Lane>) {
    this.#member = member;
    this.#keeping = keeping;
    this.#receivers = receivers;
    for (const entry of receivers.registry.entries()) this.begin(entry);
    member.onRetired((retired) => {
      if (!keeping.isKeeper(retired)) return;
      this.#lose(retired, () => true);
      keeping.keeperEnded(retired);
    });
  }

  /** Prepares the entry of a topic for its first subscriber. */
  begin(entry: TopicEntry<Lane>): void {
    const history = this.#keeping.find(entry.topic);
    entry.kept = history && new KeptEntry(history);
  }

  /** Called when the last subscriber of a topic has left. */
  end({ kept }: TopicEntry<Lane>): void {
    if (kept?.fetching) this.#keeping.cancel(kept.fetching);
  }

  /** Asks where a kept topic is, unless this thread knows: so what is lapped can be fetched again. */
  learnHead({ topic, hash, kept }: TopicEntry<Lane>): void {
    if (!kept || kept.delivered > 0 || kept.isLearning) return;
    kept.isLearning = true;
    this.#keeping.pull({ topic, hash, maxBytes: 0 }, ({ head }) => {
      kept.isLearning = false;
      if (kept.delivered > 0) return;
      kept.delivered = head.head;
      kept.epoch = head.epoch;
    });
  }

  /** Fetches what follows the last delivered message of a kept topic, or tells that it is lost. */
  fetchAgain(entry: TopicEntry<Lane>): void {
    const { kept } = entry;
    if (!kept || kept.fetching) return;
    if (kept.delivered > 0) this.#fetch(entry, kept);
    else this.#receivers.tell(entry);
  }

  /** Handles a record of a keeper. */
  onRecord(from: number, kind: number, bytes: Uint8Array, offset: number, length: number): void {
    const keeping = this.#keeping;
    switch (kind) {
      case KIND.kept:
        this.#onKept(bytes, offset, length);
        break;
      case KIND.answer:
        keeping.onAnswer(bytes, offset, length);
        break;
      case KIND.settled:
        keeping.onSettled(from, bytes, offset, length);
        break;
      case KIND.burned: {
        const slots = unpackLapped(bytes, offset, length);
        const lost = slots === "all" ? undefined : new Set(slots);
        const isConcerned = (slot: number): boolean => lost?.has(slot) !== false;
        keeping.onBurned(from, isConcerned);
        this.#lose(from, isConcerned);
        break;
      }
      case KIND.keeperUp:
        this.#lose(from, () => true);
        break;
    }
  }

  /** Fetches again what a keeper has sent in vain. */
  onLapped(from: number, isConcerned: (slot: number) => boolean): void {
    for (const [entry] of this.#topicsOf(from, isConcerned)) this.fetchAgain(entry);
    this.#keeping.onLapped(from, isConcerned);
  }

  #onKept(bytes: Uint8Array, offset: number, length: number): void {
    const envelope = this.#envelope.read(bytes, offset, length);
    const entry = this.#receivers.registry.find(envelope);
    if (!entry) {
      this.#member.counters.add(COUNTER.recordsWithoutSubscriber);
      return;
    }
    const at = trailerAt(offset, envelope.frameLength);
    const position = positionIn(bytes, at);
    const { kept } = entry;
    // A message that could not be kept has no position, and goes to live subscribers only.
    if (kept && position > 0 && !this.#takes(entry, kept, position)) return;
    envelope.position = kept ? position : 0;
    this.#deliver(entry, this.#trailer.read(bytes, at));
  }

  /** Reports whether a live message is the next one of its topic. */
  #takes(entry: TopicEntry<Lane>, kept: KeptEntry, position: number): boolean {
    if (kept.fetching) return false;
    if (kept.delivered > 0 && position !== kept.delivered + 1) {
      if (position > kept.delivered) this.#fetch(entry, kept);
      return false;
    }
    kept.delivered = position;
    return true;
  }

  #fetch(entry: TopicEntry<Lane>, kept: KeptEntry): void {
    const { topic, hash } = entry;
    const { epoch, delivered: after } = kept;
    const spec = { topic, hash, epoch, after, maxBytes: FETCH_BYTES };
    const pull = this.#keeping.pull(spec, (answer) => this.#onFetched(entry, kept, answer));
    // Without threads, the answer has come within the call.
    if (!pull.isOver) kept.fetching = pull;
  }

  #onFetched(entry: TopicEntry<Lane>, kept: KeptEntry, answer: Answer): void {
    const { head } = answer;
    kept.epoch = head.epoch;
    if (!head.recovered) {
      kept.fetching = undefined;
      kept.delivered = head.head;
      this.#receivers.tell(entry);
      kept.wake();
      return;
    }
    while (answer.next()) {
      if (answer.position <= kept.delivered) continue;
      kept.delivered = answer.position;
      this.#member.counters.add(COUNTER.historyReplayed);
      answer.read(this.#envelope, this.#trailer);
      this.#deliver(entry, this.#trailer);
      // User code may have ended all subscriptions.
      if (entry.count === 0) return;
    }
    if (!head.isLast) {
      this.#fetch(entry, kept);
      return;
    }
    kept.fetching = undefined;
    kept.wake();
  }

  /** Delivers the envelope that was read last. */
  #deliver(entry: TopicEntry<Lane>, trailer: Trailer): void {
    this.#receivers.deliver(entry, this.#envelope, this.#keeping.excludedBy(trailer));
  }

  /** Tells the subscribers of a keeper's topics that messages were lost. */
  #lose(from: number, isConcerned: (slot: number) => boolean): void {
    for (const [entry, kept] of this.#topicsOf(from, isConcerned)) {
      if (kept.fetching) this.#keeping.cancel(kept.fetching);
      kept.fetching = undefined;
      kept.delivered = 0;
      kept.epoch = undefined;
      this.#receivers.tell(entry);
      kept.wake();
      if (entry.count > 0) this.learnHead(entry);
    }
  }

  /** Returns the topics of a keeper in these index slots: telling subscribers may change the registry. */
  #topicsOf(
    keeper: number,
    isConcerned: (slot: number) => boolean,
  ): (readonly [TopicEntry<Lane>, KeptEntry])[] {
    const { index } = this.#member;
    const topics: (readonly [TopicEntry<Lane>, KeptEntry])[] = [];
    for (const entry of this.#receivers.registry.entries()) {
      const { kept, hash } = entry;
      if (!kept || this.#keeping.keeperOf(hash) !== keeper) continue;
      if (isConcerned(index.slotOf(hash))) topics.push([entry, kept]);
    }
    return topics;
  }
}
