/**
 * Joins and leaves, and the form in which clients receive them: `{ key: { metas: [...] } }`.
 *
 * Runs on: shard. Pure.
 */

import { kindOf } from "../errors.ts";
import type { PresenceDiff, Presences } from "./definition.ts";
import type { Meta, Row } from "./replica.ts";

/** The joins and leaves on one topic. */
export class TopicDiff {
  readonly joins = new Set<Row>();
  readonly leaves = new Set<Row>();

  get isEmpty(): boolean {
    return this.joins.size === 0 && this.leaves.size === 0;
  }

  /** Records a join. Cancels a leave of the same row in this diff. */
  join(row: Row): void {
    if (!this.leaves.delete(row)) this.joins.add(row);
  }

  /** Records a leave. Cancels a join of the same row in this diff. */
  leave(row: Row): void {
    if (!this.joins.delete(row)) this.leaves.add(row);
  }

  /** Adds a later diff. */
  add(later: TopicDiff): void {
    for (const row of later.leaves) this.leave(row);
    for (const row of later.joins) this.join(row);
  }
}

/** The joins and leaves, by topic. */
export class Diff {
  readonly topics = new Map<string, TopicDiff>();

  join(row: Row): void {
    this.#of(row.topic).join(row);
  }

  leave(row: Row): void {
    this.#of(row.topic).leave(row);
  }

  #of(topic: string): TopicDiff {
    let diff = this.topics.get(topic);
    if (!diff) this.topics.set(topic, (diff = new TopicDiff()));
    return diff;
  }
}

/** Groups rows by key. The entries and their lists are new objects; the metas are shared. */
export function presencesOf(rows: Iterable<Row>): Presences {
  const presences = emptyRecord<Presences[string]>();
  for (const { key, meta } of rows) {
    const entry = presences[key];
    if (entry) (entry.metas as Meta[]).push(meta);
    else presences[key] = { metas: [meta] };
  }
  return presences;
}

/** Groups a diff by key. */
export function presenceDiffOf({ joins, leaves }: TopicDiff): PresenceDiff {
  return { joins: presencesOf(joins), leaves: presencesOf(leaves) };
}

/** Describes why the result of a `fetch` is invalid; returns undefined if it is valid. */
export function problemOf(fetched: unknown): string | undefined {
  if (typeof fetched !== "object" || fetched === null || Array.isArray(fetched)) {
    return `an object of entries by key, got ${kindOf(fetched)}`;
  }
  for (const [key, entry] of Object.entries(fetched)) {
    const { metas } = Object(entry) as { readonly metas?: unknown };
    if (Array.isArray(metas)) continue;
    return `metas in each entry, got ${kindOf(metas)} at ${JSON.stringify(key)}`;
  }
  return undefined;
}

/**
 * Creates an object without a prototype. Any string can be a key, even `__proto__`, and a lookup
 * finds only keys that were added.
 */
export function emptyRecord<Value>(): Record<string, Value> {
  return Object.create(null) as Record<string, Value>;
}
