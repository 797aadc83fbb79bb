/**
 * A keeper: numbers, stores and publishes the broadcasts of topics with a history.
 *
 * All broadcasts of a topic pass through one keeper, so every subscriber gets them in the same order.
 * A keeper runs no user code. It publishes with the rings of its member, and answers questions in the
 * ring that carries the live broadcasts, so that an answer which reaches the head is followed by the
 * next live one, without a gap and without an overlap.
 *
 * Runs on: keeper; within the thread of a test in `solo`.
 * Owns:    the store, and the keys of publishes.
 * Order:   appended, then published, then settled, within one call.
 * Full:    what cannot be stored is published with a burned position. Records that were lost on their
 *          way here have no position: one is burned in every topic of their slots, and all members are
 *          told.
 */

import type { Logger } from "../log/logger.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import { topicHash } from "../memory/topic-hash.ts";
import { Envelope, KIND } from "../pubsub/envelope.ts";
import { flagsOf, kindAndFlags, kindOf, NO_MEMBER } from "../pubsub/exchange-layout.ts";
import { CONTROL_SLOT, type ExchangeHandler, type LappedNotice } from "../pubsub/exchange.ts";
import { GAP_SLOT, unpackGap } from "../pubsub/gap.ts";
import {
  AnswerWriter,
  ASKED_FLAG,
  NO_REQUEST,
  packBurned,
  packJson,
  storedEnd,
  setPositionIn,
  trailerAt,
  TRAILER_BYTES,
  unpackJson,
  type Ask,
  type PublishNote,
  type Settled,
} from "../pubsub/history-records.ts";
import type { KeptTopics, TopicHistory } from "../pubsub/kept-topics.ts";
import type { PublishKeys } from "./publish-keys.ts";
import type { HistoryStore } from "./store.ts";

const KEPT_TYPE = kindAndFlags(KIND.kept, 0);
const ANSWER_TYPE = kindAndFlags(KIND.answer, 0);
const SETTLED_TYPE = kindAndFlags(KIND.settled, 0);
const BURNED_TYPE = kindAndFlags(KIND.burned, 0);
const UP_TYPE = kindAndFlags(KIND.keeperUp, 0);
const NO_BYTES = new Uint8Array(0);

/** Interval at which expired messages are removed, and how much of that is done at a time. */
const TRIM_MS = 1_000;
const TRIM_WORK = 20_000;
/** Time after which an answer that found no room is sent again. */
const RETRY_MS = 20;
/** Number of times that a settled publish is sent again if its member has no room. */
const MAX_TRIES = 250;

/** How a keeper sends records; implemented by the exchange, and without threads by `solo`. */
export interface KeeperPost {
  /** As `Exchange.publish` and `Exchange.send`. */
  publish(slot: number, type: number, record: Uint8Array, length: number, also: number): boolean;
  send(to: number, slot: number, type: number, record: Uint8Array, length: number): boolean;
}

/** The dependencies of a Keeper. */
export interface KeeperParts {
  readonly post: KeeperPost;
  readonly hashSeed: number;
  /** Returns the slot of a topic's hash. */
  readonly slotOf: (hash: number) => number;
  readonly kept: KeptTopics;
  readonly store: HistoryStore;
  /** Largest answer, apart from an answer with a single message (bytes). */
  readonly maxAnswerBytes: number;
  readonly keys: PublishKeys;
  readonly counters: Counters;
  readonly logger: Logger;
  /** Time (ms since 1970). */
  readonly now: () => number;
}

interface Unsettled {
  readonly to: number;
  readonly record: Uint8Array;
  tries: number;
}

/** A publish that was numbered. */
interface Published {
  readonly topic: string;
  readonly note: PublishNote;
  readonly history: TopicHistory;
  readonly position: number;
  readonly isKept: boolean;
  readonly nowMs: number;
}

/** The range of a topic that an answer may draw from. */
interface Range {
  /** Position after which nothing is missing. */
  readonly after: number;
  readonly count: number;
  readonly recovered: boolean;
}

/** A keeper of histories. */
export class Keeper implements ExchangeHandler {
  readonly #parts: KeeperParts;
  readonly #envelope = new Envelope(true);
  readonly #answer = new AnswerWriter();
  #scratch = new Uint8Array(new ArrayBuffer(16_384));
  readonly #unsettled: Unsettled[] = [];
  #retry: NodeJS.Timeout | undefined = undefined;
  #trim: NodeJS.Timeout | undefined = undefined;
  #evicted = 0;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  /**
   * Starts removing what has expired.
   *
   * @param isReplacement - true if another thread kept these topics before. Its epochs have ended, so
   *   all their subscribers are told
   */
  start(isReplacement = false): void {
    this.#trim = setInterval(() => this.trim(), TRIM_MS).unref();
    if (isReplacement) this.#parts.post.publish(GAP_SLOT, UP_TYPE, NO_BYTES, 0, NO_MEMBER);
  }

  /** Stops all timers. */
  stop(): void {
    clearInterval(this.#trim);
    clearTimeout(this.#retry);
  }

  /** Removes a part of what has expired, and updates the counters. */
  trim(): void {
    const { store, counters, now } = this.#parts;
    const nowMs = now();
    store.trim(nowMs, TRIM_WORK);
    this.#parts.keys.trim(nowMs);
    counters.set(COUNTER.historyBytes, store.bytes);
    counters.set(COUNTER.historyTopics, store.topics);
    counters.set(COUNTER.historyMessages, store.messages);
    const evicted = store.evictedMessages - this.#evicted;
    if (evicted === 0) return;
    this.#evicted = store.evictedMessages;
    counters.add(COUNTER.historyEvicted, evicted);
  }

  // -- ExchangeHandler ---------------------------------------------------------------------------

  onRecord(from: number, type: number, bytes: Uint8Array, offset: number, length: number): void {
    switch (kindOf(type)) {
      case KIND.keep:
        this.#keep(from, flagsOf(type), bytes, offset, length);
        break;
      case KIND.ask:
        this.#onAsk(from, unpackJson(bytes, offset, length) as Ask);
        break;
      case KIND.gap: {
        const { isConcerned } = unpackGap(bytes, offset, length);
        this.#burn(isConcerned);
        break;
      }
      default:
      // A record for the subscribers of another topic in the slot of gaps.
    }
  }

  onLapped(from: number, slots: LappedNotice): void {
    this.#parts.logger.log("keeperLapped", {
      from,
      slots: slots === "all" ? slots : slots.length,
    });
    const lost = slots === "all" ? undefined : new Set(slots);
    // A gap may have been lost, and it is unknown which topics it affected.
    const isAll = lost === undefined || lost.has(GAP_SLOT);
    const { hashSeed, slotOf } = this.#parts;
    this.#burn((topic) => isAll || lost.has(slotOf(topicHash(hashSeed, topic))), slots);
  }

  onError(error: unknown, from: number): void {
    this.#parts.logger.log("recordFailed", { from, err: error });
  }

  // -- broadcasts --------------------------------------------------------------------------------

  #keep(from: number, flags: number, bytes: Uint8Array, offset: number, length: number): void {
    const { kept, counters, now, post, slotOf } = this.#parts;
    const envelope = this.#envelope.read(bytes, offset, length);
    const topic = envelope.topic();
    const { hash } = envelope;
    const end = trailerAt(0, envelope.frameLength) + TRAILER_BYTES;
    const isAsked = (flags & ASKED_FLAG) !== 0;
    const note = isAsked ? noteIn(bytes, offset + end, length - end) : undefined;
    const history = kept.find(topic);
    const nowMs = now();
    if (note && this.#isSettled(from, topic, note, history, nowMs)) return;
    this.#ensure(end);
    const record = this.#scratch;
    record.set(bytes.subarray(offset, offset + end));
    const trailer = end - TRAILER_BYTES;
    const stored = record.subarray(0, storedEnd(record, trailer));
    const { position, isKept } = this.#number(topic, history, stored, nowMs);
    setPositionIn(record, trailer, position);
    post.publish(slotOf(hash), KEPT_TYPE, record, end, NO_MEMBER);
    counters.add(isKept ? COUNTER.historyKept : COUNTER.historyRefused);
    if (note && history)
      this.#answerPublish(from, { topic, note, history, position, isKept, nowMs });
  }

  /** Stores a message. If it cannot be kept, its position is burned, or 0 if there is no room for that. */
  #number(
    topic: string,
    history: TopicHistory | undefined,
    stored: Uint8Array,
    nowMs: number,
  ): { readonly position: number; readonly isKept: boolean } {
    const { store } = this.#parts;
    if (!history) return { position: 0, isKept: false };
    const position = store.append(topic, history, stored, nowMs);
    if (position !== undefined) return { position, isKept: true };
    return { position: store.burn(topic, history, nowMs) ?? 0, isKept: false };
  }

  #answerPublish(from: number, published: Published): void {
    const { topic, note, history, position, isKept, nowMs } = published;
    const { request, key } = note;
    if (!isKept) {
      const error = `a message must be at most maxBytes of its topic (${history.maxBytes} bytes), and find room in historyBytes`;
      this.#settle(from, { request, error });
      return;
    }
    const epoch = this.#parts.store.epoch(topic) ?? "";
    const { keys } = this.#parts;
    if (key !== undefined && keys.hasRoomFor(topic, key))
      keys.add(topic, key, { epoch, position }, nowMs + history.ttlMs);
    this.#settle(from, { request, epoch, position });
  }

  /** Settles a publish that is not to be kept: its key is known, or cannot be remembered. */
  #isSettled(
    from: number,
    topic: string,
    { request, key }: PublishNote,
    history: TopicHistory | undefined,
    nowMs: number,
  ): boolean {
    if (!history) {
      this.#settle(from, { request, error: "the topic must have a history" });
      return true;
    }
    if (key === undefined) return false;
    const known = this.#parts.keys.find(topic, key, nowMs);
    if (known) {
      this.#settle(from, { request, ...known });
      return true;
    }
    // What another node has kept is kept here too.
    if (this.#parts.keys.hasRoomFor(topic, key) || request === NO_REQUEST) return false;
    const error =
      "an idempotencyKey must find room in historyBytes, got too many keys within ttlMs";
    this.#settle(from, { request, error });
    return true;
  }

  #burn(isConcerned: (topic: string) => boolean, slots?: LappedNotice): void {
    const { store, kept, hashSeed, slotOf, now, post } = this.#parts;
    const nowMs = now();
    const burned = new Set<number>();
    store.visitTopics((topic) => {
      if (!isConcerned(topic)) return;
      const history = kept.find(topic);
      if (!history) return;
      store.burn(topic, history, nowMs);
      burned.add(slotOf(topicHash(hashSeed, topic)));
    });
    const told = slots ?? (burned.size > MAX_TOLD_SLOTS ? "all" : Int32Array.from(burned));
    if (told !== "all" && told.length === 0) return;
    const record = packBurned(told);
    post.publish(GAP_SLOT, BURNED_TYPE, record, record.length, NO_MEMBER);
  }

  // -- questions ---------------------------------------------------------------------------------

  #onAsk(from: number, ask: Ask): void {
    const { store } = this.#parts;
    switch (ask.ask) {
      case "pull":
        this.#onPull(from, ask);
        break;
      case "clear":
        store.clear(ask.topic);
        this.#settle(from, { request: ask.request });
        break;
      case "probe":
        this.#settle(from, { request: ask.request });
        break;
    }
  }

  #onPull(from: number, ask: Extract<Ask, { ask: "pull" }>): void {
    const { store, kept, hashSeed, slotOf, now, post } = this.#parts;
    const { topic, request, maxBytes } = ask;
    const history = kept.find(topic);
    const nowMs = now();
    const answer = this.#answer;
    answer.begin();
    const slot = slotOf(topicHash(hashSeed, topic));
    if (!history || !store.open(topic, history, nowMs)) {
      this.#parts.logger.log("historyFull", { topic });
      const length = answer.finish({ ...NOWHERE, request });
      post.send(from, slot, ANSWER_TYPE, answer.bytes, length);
      return;
    }
    const head = store.head(topic);
    const range = this.#rangeOf(ask, head, nowMs);
    let { after, recovered } = range;
    let isLast = after === head;
    if (!isLast) {
      const limits = {
        messages: MAX_MESSAGES,
        bytes: Math.min(maxBytes, this.#parts.maxAnswerBytes),
      };
      const read = store.read(topic, after, limits, nowMs, (at, _timeMs, bytes, start, length) => {
        answer.add(at, bytes, start, length);
        return true;
      });
      isLast = read.isAtHead;
      if (!read.isComplete) {
        answer.begin();
        isLast = true;
        after = head;
        recovered = false;
      }
    }
    const { count } = range;
    const epoch = store.epoch(topic) ?? "";
    const length = answer.finish({ request, epoch, after, head, count, recovered, isLast });
    post.send(from, slot, ANSWER_TYPE, answer.bytes, length);
  }

  /** Returns what an answer may draw from: always a range from which nothing is missing. */
  #rangeOf(ask: Extract<Ask, { ask: "pull" }>, head: number, nowMs: number): Range {
    const { topic, epoch, after, last, whole } = ask;
    const { store } = this.#parts;
    const isAsked = after !== undefined;
    if (isAsked && (epoch === undefined || epoch === store.epoch(topic)) && after <= head) {
      if (whole !== true) return { after, count: 0, recovered: true };
      const range = this.#unbroken(topic, after, head, nowMs);
      if (range.after === after) return range;
    }
    if (last === undefined || last === 0) return { after: head, count: 0, recovered: !isAsked };
    const before = store.offsetBeforeLast(topic, last, nowMs);
    const range = this.#unbroken(topic, before, head, nowMs);
    return isAsked ? { ...range, recovered: false } : range;
  }

  /**
   * Returns the part of a range, up to the head, from which nothing is missing. Counts instead of reading, since any
   * client may ask for all that is kept.
   */
  #unbroken(topic: string, from: number, head: number, nowMs: number): Range {
    const { store } = this.#parts;
    const isWhole = (after: number): boolean =>
      store.countAfter(topic, after, nowMs) === head - after;
    let after = Math.max(from, store.offsetBeforeLast(topic, Infinity, nowMs));
    if (!isWhole(after)) {
      let broken = after;
      after = head;
      while (after - broken > 1) {
        const middle = broken + Math.floor((after - broken) / 2);
        if (isWhole(middle)) after = middle;
        else broken = middle;
      }
    }
    return { after, count: head - after, recovered: after === from };
  }

  // -- answers to publishes ----------------------------------------------------------------------

  #settle(to: number, settled: Settled): void {
    if (settled.request === NO_REQUEST) return;
    const unsettled = { to, record: packJson(settled), tries: 0 };
    if (this.#unsettled.length === 0 && this.#trySettle(unsettled)) return;
    this.#unsettled.push(unsettled);
    this.#retryLater();
  }

  #trySettle({ to, record }: Unsettled): boolean {
    return this.#parts.post.send(to, CONTROL_SLOT, SETTLED_TYPE, record, record.length);
  }

  #retryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      const waiting = this.#unsettled.splice(0);
      for (const one of waiting) {
        one.tries += 1;
        // A member that has ended, or does not read for long, has given up by itself.
        if (this.#trySettle(one) || one.tries >= MAX_TRIES) continue;
        this.#unsettled.push(one);
      }
      if (this.#unsettled.length > 0) this.#retryLater();
    }, RETRY_MS).unref();
  }

  #ensure(length: number): void {
    if (length <= this.#scratch.length) return;
    this.#scratch = new Uint8Array(new ArrayBuffer(length * 2));
  }
}

function noteIn(bytes: Uint8Array, offset: number, length: number): PublishNote {
  return unpackJson(bytes, offset, length) as PublishNote;
}

/** The answer about a topic for which there is no room. */
const NOWHERE = { epoch: "", after: 0, head: 0, count: 0, recovered: false, isLast: true };
const MAX_TOLD_SLOTS = 1_024;
const MAX_MESSAGES = 65_536;
