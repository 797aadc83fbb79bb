/**
 * Who came and who went: the difference between what is there now and what was there before.
 *
 * Runs on: shard. Pure.
 */

import type { Row } from "./replica.ts";

/** Who came to one topic, and who went. */
export class TopicDiff {
  readonly joins = new Set<Row>();
  readonly leaves = new Set<Row>();

  get isEmpty(): boolean {
    return this.joins.size === 0 && this.leaves.size === 0;
  }

  /** A row came. One that had gone within this diff is as if it had not. */
  join(row: Row): void {
    if (!this.leaves.delete(row)) this.joins.add(row);
  }

  /** A row went, likewise. */
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
