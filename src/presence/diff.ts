/**
 * Who came and who went, and the form in which clients get it: `{ key: { metas: [...] } }`.
 *
 * Runs on: shard. Pure.
 */

import { kindOf } from "../errors.ts";
import type { PresenceDiff, Presences } from "./definition.ts";
import type { Meta, Row } from "./replica.ts";

/** Who came to one topic, and who went. */
export class TopicDiff {
  readonly joins = new Set<Row>();
  readonly leaves = new Set<Row>();

  get isEmpty(): boolean {
    return this.joins.size === 0 && this.leaves.size === 0;
  }

  /** Notes a row that came. One that had gone within this diff is as if it had not. */
  join(row: Row): void {
    if (!this.leaves.delete(row)) this.joins.add(row);
  }

  /** Notes a row that went. One that had come within this diff is as if it had not. */
  leave(row: Row): void {
    if (!this.joins.delete(row)) this.leaves.add(row);
  }

  /** Adds what came after this. */
  add(later: TopicDiff): void {
    for (const row of later.leaves) this.leave(row);
    for (const row of later.joins) this.join(row);
  }
}

/** Who came and went, by topic. */
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

/** Groups rows by key. Entries and their lists are new, metas are not. */
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

/** Describes what is wrong with the result of a `fetch`; undefined: nothing. */
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
 * Makes an object without a prototype: any string is a key, `__proto__` too, and finds nothing but
 * what was tracked under it.
 */
export function emptyRecord<Value>(): Record<string, Value> {
  return Object.create(null) as Record<string, Value>;
}
