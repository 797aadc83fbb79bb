/**
 * PORT: keeps the messages of topics that have a history. Implemented by `history/slab-store`.
 *
 * A topic has an epoch and a head. The head is the newest offset that has been used. Offsets rise by
 * one, from FIRST_OFFSET (`history/offsets`) in each epoch. Each offset up to the head is in one of
 * two states: its message is kept, or it is missing. An offset is missing if its message was trimmed,
 * has expired, was evicted or cleared, or if the offset was burned. The messages that are kept are
 * always the newest ones, apart from burned offsets.
 *
 *   ... missing | kept  kept  burned  kept  burned
 *                 ^ oldest                  ^ head
 *
 * **Epochs.** The first call of `open`, `append` or `burn` for a topic begins an epoch. A store
 * remembers the head of a topic when all its messages are gone, but not forever: it may forget a
 * topic that has no messages, which ends the epoch. If the topic is used again, it begins another
 * epoch, which no topic has had before. So a client that returns with the old epoch is told that it
 * cannot be recovered, and never gets messages of the new epoch as if they followed its own. A store
 * does not forget topics for which `isInUse` returns true, so the offsets that a live subscriber sees
 * never begin again.
 *
 * **Silence.** A store has one bound in bytes. When it is reached, the topics that were silent longest
 * lose their oldest messages first, and are forgotten when they have none left. A topic is silent from
 * its last `append` on, or `restore`. One that was only opened has been silent longest: so whoever opens
 * many topics costs others no messages.
 *
 * **Time.** All times are milliseconds since the Unix epoch. They are passed in, because they go into
 * files. The time of a message is never earlier than that of the message before it, so messages expire
 * in order. If the clock is set back, they expire later.
 *
 * Calls are synchronous, because the keeper numbers, stores and publishes within one turn of its loop.
 * For a store on another machine, an implementation would answer `append` and `burn` from a copy of
 * the heads, send batches, and have a `read` that returns a promise. The contract in
 * `test/history/store.contract.ts` is written so that it can await results.
 *
 * Runs on: the thread that keeps the history. Types only.
 */

/** How much of a topic is kept. Each `append` and `burn` may change it. */
export interface HistoryLimits {
  /** Maximum number of messages; at least 1. */
  readonly size: number;
  /** Time after which a message expires (ms); at least 1. */
  readonly ttlMs: number;
  /** Maximum size of all messages together (bytes, without the store's overhead). */
  readonly maxBytes: number;
}

/** A position in a topic: an epoch and an offset in it. */
export interface HistoryPosition {
  readonly epoch: string;
  readonly offset: number;
}

/** How much one `read` returns at most. */
export interface ReadLimits {
  /** Maximum number of messages; at least 1. */
  readonly messages: number;
  /** Maximum size of the messages together (bytes). The first message is returned whatever its size. */
  readonly bytes: number;
}

/**
 * Takes one message. Must not call the store, except for `head`, `epoch`, `usedMs` and `limits`.
 *
 * @param bytes - belongs to the store; valid only during the call, and not to be changed
 * @param start - index of the message's first byte in `bytes`
 * @param length - size of the message (bytes)
 * @returns false to end the read before this message, which then counts as not returned
 */
export type MessageVisitor = (
  offset: number,
  timeMs: number,
  bytes: Uint8Array,
  start: number,
  length: number,
) => boolean;

/** What a `read` returned. The store reuses the object: it is valid until the next `read`. */
export interface HistoryRead {
  /** Number of messages that the visitor took. */
  readonly messages: number;
  /** Their size (bytes). */
  readonly bytes: number;
  /**
   * Offset after which the next `read` continues. Every kept message up to it has been returned. It is
   * the head if the read reached the end, even if the last offsets are burned.
   */
  readonly position: number;
  /** True if the read reached the head. */
  readonly isAtHead: boolean;
  /**
   * True if all offsets after the asked one, up to `position`, were returned. False if one of them is
   * missing, or if the asked offset is above the head, where nobody can have been in this epoch.
   */
  readonly isComplete: boolean;
}

/** Keeps the messages of topics. */
export interface HistoryStore {
  /** Bytes that the store uses of its bound, including all overhead and topics without messages. */
  readonly bytes: number;
  /** Number of topics that have an epoch, including topics without messages. */
  readonly topics: number;
  /** Number of messages. */
  readonly messages: number;
  /** Messages that were lost because the bound was reached, since the store was made. */
  readonly evictedMessages: number;
  /** Their size, without overhead (bytes). */
  readonly evictedBytes: number;

  /**
   * Begins the epoch of a topic, if it has none. For a client that asks for its position before
   * anything has been sent.
   *
   * @returns false if the store has no room for another topic
   */
  open(topic: string, limits: HistoryLimits, nowMs: number): boolean;

  /**
   * Begins a topic at a position that was read from a file.
   *
   * @param position - its epoch, and the offset before the next one to be used
   * @returns false if the topic already has an epoch, the position is not one of this kind of store,
   *   or there is no room
   */
  restore(topic: string, limits: HistoryLimits, position: HistoryPosition, nowMs: number): boolean;

  /** Returns the epoch of a topic, or undefined if it has none. */
  epoch(topic: string): string | undefined;

  /** Returns the newest offset used, or the offset before the first one if none has been used. */
  head(topic: string): number;

  /** Returns the time of a topic's last `open`, `append` or `burn`, or undefined if it has no epoch. */
  usedMs(topic: string): number | undefined;

  /** Returns the limits that were last passed for a topic, or undefined if it has no epoch. */
  limits(topic: string): HistoryLimits | undefined;

  /**
   * Keeps a message. Copies its bytes. What exceeds the limits afterwards is removed, oldest first.
   *
   * @returns its offset; or undefined if the message cannot be kept, because it is larger than
   *   `limits.maxBytes` or than half of the store's bound, or because there is no room that could be
   *   freed. No offset is used then. The caller burns one if the message is sent nevertheless.
   */
  append(
    topic: string,
    limits: HistoryLimits,
    bytes: Uint8Array,
    nowMs: number,
  ): number | undefined;

  /**
   * Uses up offsets without messages, because something was lost on its way. Needs no memory if the
   * topic has an epoch.
   *
   * @param count - number of offsets; 1 by default
   * @returns the new head; or undefined if the topic has no epoch and there is no room for one
   */
  burn(topic: string, limits: HistoryLimits, nowMs: number, count?: number): number | undefined;

  /**
   * Returns the offset after which the newest `count` messages follow, or all if there are fewer.
   * Burned offsets are not counted.
   */
  offsetBeforeLast(topic: string, count: number, nowMs: number): number;

  /** Returns the number of messages after an offset, without visiting them. Burned offsets are not counted. */
  countAfter(topic: string, after: number, nowMs: number): number;

  /**
   * Visits the messages after an offset, oldest first. Expired ones are missing. Allocates nothing per
   * message. An exception of the visitor passes through.
   *
   * @param after - any number; `HistoryRead.isComplete` says whether a message after it is missing
   */
  read(
    topic: string,
    after: number,
    limits: ReadLimits,
    nowMs: number,
    visit: MessageVisitor,
  ): HistoryRead;

  /** Removes all messages of a topic. Its epoch and head remain. */
  clear(topic: string): void;

  /**
   * Removes expired messages, and forgets topics that have had no messages for long. Continues
   * where the last call stopped, so that calls at intervals cover all topics.
   *
   * @param maxWork - maximum number of topics visited and messages removed, together
   * @returns the number of messages removed
   */
  trim(nowMs: number, maxWork: number): number;

  /**
   * Visits all topics that have an epoch, the one that was silent longest first. The visitor may call
   * `head`, `epoch`, `usedMs`, `limits`, `read`, `burn` and `clear` for the topic it is given.
   */
  visitTopics(visit: (topic: string) => void): void;
}
