/**
 * Saves what a keeper keeps to a file, and restores it.
 *
 * What is restored keeps its epochs and offsets, so clients go on from where they were. Each topic
 * gets the head that it had, whatever is restored of its messages: what has expired meanwhile, or
 * finds no room, is missing, as if it had been trimmed.
 *
 * Order of a file: topics as in `visitTopics`, the one that was silent longest first, so that the
 * order of silence is restored, and the first to lose messages are those that would have lost them.
 *
 * Runs on: keeper.
 * Full:    limits of the running process apply. A topic that finds no room begins a new epoch.
 */

import { makeError } from "../errors.ts";
import type { HistoryFileReader, HistoryFileWriter, SavedKey, SavedTopic } from "./history-file.ts";
import type { PublishKeys } from "./publish-keys.ts";
import type { HistoryLimits, HistoryStore } from "./store.ts";

/** What a keeper keeps. */
export interface Histories {
  readonly store: HistoryStore;
  readonly keys: PublishKeys;
}

/** How a file is restored. */
export interface Restoring {
  /** Returns the limits of a topic; undefined if it is not kept, or by another keeper. */
  readonly limitsOf: (topic: string) => HistoryLimits | undefined;
  /** Returns the bytes of a message as this process stores them. May change the given ones. */
  readonly adopt: (topic: string, bytes: Uint8Array) => Uint8Array;
  /**
   * Whether broadcasts may have been missed since the file was saved. One offset is burned in each
   * topic then.
   */
  readonly hasMissed: boolean;
  /** Time (ms since 1970). */
  readonly nowMs: number;
}

const EVERYTHING = { messages: Infinity, bytes: Infinity };

/** Writes everything that has not expired to a file, apart from its end. */
export function saveHistories(
  { store, keys }: Histories,
  writer: HistoryFileWriter,
  nowMs: number,
): void {
  store.visitTopics((name) => {
    const [epoch, usedMs] = [store.epoch(name), store.usedMs(name)];
    if (epoch === undefined || usedMs === undefined) return;
    writer.topic({ name, epoch, head: store.head(name), usedMs });
    store.read(name, 0, EVERYTHING, nowMs, (offset, timeMs, bytes, start, length) => {
      writer.message(offset, timeMs, bytes.subarray(start, start + length));
      return true;
    });
  });
  keys.visit(nowMs, (key) => writer.key(key));
}

/**
 * Restores what a file has, until it ends or an access to it throws. In both cases, each topic that
 * was begun has its head.
 *
 * @param reader - of a file that has been checked
 * @throws SIM_ERR_INTERNAL if the records cannot be; what was restored must not be used then
 */
export function restoreHistories(
  { store, keys }: Histories,
  reader: HistoryFileReader,
  restoring: Restoring,
): void {
  let topic: RestoredTopic | undefined;
  try {
    reader.visit({
      onTopic: (saved) => {
        topic?.end();
        const limits = restoring.limitsOf(saved.name);
        topic = limits && new RestoredTopic(store, saved, limits, restoring);
      },
      onMessage: (offset, timeMs, bytes) => topic?.add(offset, timeMs, bytes),
      onKey: (key) => restoreKey(keys, key, restoring),
    });
  } finally {
    topic?.end();
  }
}

/** A topic whose messages are being restored. */
class RestoredTopic {
  readonly #store: HistoryStore;
  readonly #saved: SavedTopic;
  readonly #limits: HistoryLimits;
  readonly #restoring: Restoring;
  #state: "new" | "begun" | "refused" = "new";
  /** The head, once the topic has begun. */
  #head = 0;

  constructor(store: HistoryStore, saved: SavedTopic, limits: HistoryLimits, restoring: Restoring) {
    this.#store = store;
    this.#saved = saved;
    this.#limits = limits;
    this.#restoring = restoring;
  }

  /** Adds the next message, unless it has expired. */
  add(offset: number, timeMs: number, bytes: Uint8Array): void {
    const { nowMs, adopt } = this.#restoring;
    const { name } = this.#saved;
    if (timeMs <= nowMs - this.#limits.ttlMs || !this.#begin(offset - 1)) return;
    // The clock may have been set back.
    const keptMs = Math.min(timeMs, nowMs);
    if (offset !== this.#head + 1) this.#burnTo(offset - 1, keptMs);
    const kept = this.#store.append(name, this.#limits, adopt(name, bytes), keptMs);
    if (kept === undefined) return;
    if (kept !== offset) {
      throw makeError("SIM_ERR_INTERNAL", `a message must be restored at ${offset}, got ${kept}`);
    }
    this.#head = offset;
  }

  /** Brings the topic to its head. */
  end(): void {
    const { head, usedMs } = this.#saved;
    if (!this.#begin(head)) return;
    const missed = this.#restoring.hasMissed ? 1 : 0;
    this.#burnTo(head + missed, Math.min(usedMs, this.#restoring.nowMs));
  }

  /** Begins the topic, if it has not. @returns false if it cannot be restored */
  #begin(offset: number): boolean {
    if (this.#state !== "new") return this.#state === "begun";
    const { name, epoch, usedMs } = this.#saved;
    const atMs = Math.min(usedMs, this.#restoring.nowMs);
    const isBegun = this.#store.restore(name, this.#limits, { epoch, offset }, atMs);
    this.#state = isBegun ? "begun" : "refused";
    this.#head = offset;
    return isBegun;
  }

  #burnTo(offset: number, usedMs: number): void {
    if (!(offset >= this.#head)) {
      const message = `offsets of a topic must rise, got ${offset} after ${this.#head}`;
      throw makeError("SIM_ERR_INTERNAL", message);
    }
    const count = offset - this.#head;
    this.#store.burn(this.#saved.name, this.#limits, usedMs, count);
    this.#head = offset;
  }
}

function restoreKey(keys: PublishKeys, saved: SavedKey, { limitsOf, nowMs }: Restoring): void {
  const { topic, key, epoch, position, untilMs } = saved;
  const limits = limitsOf(topic);
  if (!limits || untilMs <= nowMs || !keys.hasRoomFor(topic, key)) return;
  if (keys.find(topic, key, nowMs)) return;
  keys.add(topic, key, { epoch, position }, untilMs);
}
