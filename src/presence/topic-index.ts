/**
 * Rows that are there, by topic and key.
 *
 * Most keys have one row, and keep it without a set around it.
 *
 * Runs on: shard.
 */

import type { Row } from "./replica.ts";

/** The rows of all topics. */
export class TopicIndex {
  readonly #topics = new Map<string, Map<string, Row | Set<Row>>>();

  /** Topics that have a row. */
  get size(): number {
    return this.#topics.size;
  }

  add(row: Row): void {
    let keys = this.#topics.get(row.topic);
    if (!keys) this.#topics.set(row.topic, (keys = new Map()));
    const known = keys.get(row.key);
    if (known === undefined) keys.set(row.key, row);
    else if (known instanceof Set) known.add(row);
    else keys.set(row.key, new Set([known, row]));
  }

  delete(row: Row): void {
    const keys = this.#topics.get(row.topic);
    const known = keys?.get(row.key);
    if (known instanceof Set) {
      known.delete(row);
      const [last] = known;
      if (known.size === 1 && last) keys?.set(row.key, last);
    } else if (known === row) {
      keys?.delete(row.key);
      if (keys?.size === 0) this.#topics.delete(row.topic);
    }
  }

  /**
   * Goes through the rows of a topic, those of a key together, the older first.
   *
   * @yields each row
   */
  *rowsOf(topic: string): Iterable<Row> {
    for (const rows of this.#topics.get(topic)?.values() ?? []) {
      if (rows instanceof Set) yield* rows;
      else yield rows;
    }
  }

  /** Gives the rows of a key. */
  get(topic: string, key: string): readonly Row[] {
    const rows = this.#topics.get(topic)?.get(key);
    if (rows === undefined) return [];
    return rows instanceof Set ? [...rows] : [rows];
  }
}
