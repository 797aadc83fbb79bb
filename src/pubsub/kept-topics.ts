/**
 * Topics with a history: which topics are kept, and how.
 *
 * A topic is kept if, in any mount, the first pattern that matches it belongs to a channel with a
 * history. The definition checks ensure that all such channels declare the same one.
 *
 * Runs on: any thread. Shards read it from their endpoint; main, the link and the keepers get it from
 *       the first shard that is ready.
 */

import { EVENT, isOwnTopic, isProtocolEvent } from "../protocol/reserved.ts";

/** What is kept of a topic. Supports structured clone. */
export interface TopicHistory {
  /** Maximum number of messages. */
  readonly size: number;
  /** Time for which a message is kept (ms). */
  readonly ttlMs: number;
  /** Maximum size of the messages (bytes). */
  readonly maxBytes: number;
  /** Events that are sent at once and never kept. */
  readonly ephemeral: readonly string[];
}

/** A mount's topic pattern, with the history that its channel declares. Supports structured clone. */
export interface KeptPattern {
  /** An exact topic, or a prefix that ends with `*`. */
  readonly pattern: string;
  readonly history: TopicHistory | undefined;
}

/** The patterns of each mount, in order of declaration. */
export type KeptPatterns = readonly (readonly KeptPattern[])[];

interface Row {
  readonly text: string;
  readonly isPrefix: boolean;
  readonly history: TopicHistory | undefined;
}

/** Finds the history of a topic. */
export class KeptTopics {
  readonly #mounts: readonly (readonly Row[])[];

  constructor(patterns: KeptPatterns) {
    this.#mounts = patterns
      .map((rows) => rows.map(rowOf))
      .filter((rows) => rows.some(({ history }) => history !== undefined));
  }

  /** True if no topic is kept. */
  get isEmpty(): boolean {
    return this.#mounts.length === 0;
  }

  /** Returns the history of a topic, or undefined if it is not kept. Allocates nothing. */
  find(topic: string): TopicHistory | undefined {
    if (isOwnTopic(topic)) return undefined;
    for (const rows of this.#mounts) {
      for (const { text, isPrefix, history } of rows) {
        if (isPrefix ? !topic.startsWith(text) : topic !== text) continue;
        if (history !== undefined) return history;
        break;
      }
    }
    return undefined;
  }
}

/**
 * Reports whether an event is kept. Those of the protocol are not: a replay of `phx_close` or `phx_error` would end
 * each channel that joins.
 */
export function isKeptEvent({ ephemeral }: TopicHistory, event: string): boolean {
  return event !== EVENT.disconnect && !isProtocolEvent(event) && !ephemeral.includes(event);
}

/**
 * Finds two mounts with different histories for the same topic.
 *
 * @returns the two patterns, or undefined if there is no conflict
 */
export function conflictOf(
  patterns: KeptPatterns,
): readonly [one: string, other: string] | undefined {
  const mounts = patterns.map((rows) => rows.map(rowOf));
  for (const [at, rows] of mounts.entries()) {
    for (const others of mounts.slice(at + 1)) {
      const conflict = conflictBetween(rows, others);
      if (conflict) return conflict;
    }
  }
  return undefined;
}

function conflictBetween(
  rows: readonly Row[],
  others: readonly Row[],
): readonly [one: string, other: string] | undefined {
  for (const one of rows) {
    const conflict = others.find((other) => {
      if (!one.history || !other.history || isSame(one.history, other.history)) return false;
      const shared = sharedBy(one, other);
      return shared && firstOver(rows, shared) === one && firstOver(others, shared) === other;
    });
    if (conflict) return [nameOf(one), nameOf(conflict)];
  }
  return undefined;
}

function rowOf({ pattern, history }: KeptPattern): Row {
  const isPrefix = pattern.endsWith("*");
  return { text: isPrefix ? pattern.slice(0, -1) : pattern, isPrefix, history };
}

function nameOf({ text, isPrefix }: Row): string {
  return isPrefix ? `${text}*` : text;
}

/** Returns the pattern of the topics that match both, which is one of the two. */
function sharedBy(one: Row, other: Row): Row | undefined {
  if (covers(one, other)) return other;
  return covers(other, one) ? one : undefined;
}

/** Reports whether a pattern matches all topics of another. */
function covers(one: Row, other: Row): boolean {
  if (one.isPrefix) return other.text.startsWith(one.text);
  return !other.isPrefix && other.text === one.text;
}

function firstOver(rows: readonly Row[], shared: Row): Row | undefined {
  return rows.find((row) => covers(row, shared));
}

/** Reports whether two histories are the same. */
function isSame(one: TopicHistory, other: TopicHistory): boolean {
  return (
    one.size === other.size &&
    one.ttlMs === other.ttlMs &&
    one.maxBytes === other.maxBytes &&
    one.ephemeral.length === other.ephemeral.length &&
    one.ephemeral.every((event) => other.ephemeral.includes(event))
  );
}
