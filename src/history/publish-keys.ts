/**
 * The idempotency keys of publishes, so that a message which is published again is kept once.
 *
 * Runs on: keeper.
 * Full:    `hasRoomFor` returns false, and the keeper refuses the publish: a key that is forgotten too
 *          early would let a message through twice.
 */

/** Where a message was kept. */
export interface KeyedPosition {
  readonly epoch: string;
  readonly position: number;
}

interface Known extends KeyedPosition {
  /** Time at which the key is forgotten (ms since 1970). */
  readonly untilMs: number;
}

/** A key, as a visitor gets it. */
export interface VisitedKey extends Known {
  readonly topic: string;
  readonly key: string;
}

/** Approximate size of a key in memory, in addition to its text (bytes). */
const KEY_OVERHEAD_BYTES = 200;

/** The keys of a keeper's topics. */
export class PublishKeys {
  readonly #maxBytes: number;
  /** In order of insertion, which is that of expiry within a topic. */
  readonly #topics = new Map<string, Map<string, Known>>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Returns where the message of a key was kept; undefined if the key is new. */
  find(topic: string, key: string, nowMs: number): KeyedPosition | undefined {
    const keys = this.#topics.get(topic);
    if (!keys) return undefined;
    this.#trimTopic(topic, keys, nowMs);
    const known = keys.get(key);
    return known && { epoch: known.epoch, position: known.position };
  }

  /** Reports whether another key can be remembered. */
  hasRoomFor(topic: string, key: string): boolean {
    return this.#bytes + sizeOf(topic, key) <= this.#maxBytes;
  }

  /** Remembers a new key. */
  add(topic: string, key: string, { epoch, position }: KeyedPosition, untilMs: number): void {
    let keys = this.#topics.get(topic);
    if (!keys) this.#topics.set(topic, (keys = new Map()));
    keys.set(key, { epoch, position, untilMs });
    this.#bytes += sizeOf(topic, key);
  }

  /** Visits all keys that have not expired, those of a topic in order of insertion. */
  visit(nowMs: number, visitor: (key: VisitedKey) => void): void {
    this.trim(nowMs);
    for (const [topic, keys] of this.#topics) {
      for (const [key, known] of keys) visitor({ topic, key, ...known });
    }
  }

  /** Forgets expired keys. */
  trim(nowMs: number): void {
    for (const [topic, keys] of this.#topics) this.#trimTopic(topic, keys, nowMs);
  }

  #trimTopic(topic: string, keys: Map<string, Known>, nowMs: number): void {
    for (const [key, { untilMs }] of keys) {
      if (untilMs > nowMs) break;
      keys.delete(key);
      this.#bytes -= sizeOf(topic, key);
    }
    if (keys.size === 0) this.#topics.delete(topic);
  }
}

function sizeOf(topic: string, key: string): number {
  return KEY_OVERHEAD_BYTES + (topic.length + key.length) * 2;
}
