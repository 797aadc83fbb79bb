/**
 * The rows of a session whose handlers have called `replyLater`: they wait for their replies, or until these are late.
 *
 * A reply has the topic and the ref of its row. Programs may use a ref twice; the older row is then answered first.
 *
 * Runs on: shard; one instance for each session.
 * Full: at MAX_WAITING rows, `isFull` says so, and the session fetches no more.
 */

import type { RowMessage } from "./rows.ts";

const MAX_WAITING = 1_000;

interface WaitingRow {
  readonly id: string;
  readonly sinceMs: number;
}

/** The rows of a session that wait for replies. */
export class LaterReplies {
  /** By topic and ref. Rows with the same topic and ref are in their order. */
  readonly #waiting = new Map<string, WaitingRow[]>();
  #count = 0;

  get isFull(): boolean {
    return this.#count >= MAX_WAITING;
  }

  /** Ids of all rows here, which are still in the inbox and must not be fetched again. */
  get ids(): readonly string[] {
    return [...this.#waiting.values()].flat().map(({ id }) => id);
  }

  add(message: RowMessage, id: string, nowMs: number): void {
    const key = keyOf(message);
    const row: WaitingRow = { id, sinceMs: nowMs };
    const same = this.#waiting.get(key);
    if (same) same.push(row);
    else this.#waiting.set(key, [row]);
    this.#count += 1;
  }

  /** Removes the oldest row that a reply answers. @returns its id; undefined if none waits for it */
  take(reply: RowMessage): string | undefined {
    return this.#takeOldest(keyOf(reply));
  }

  /** Removes the rows that have waited since a time, or longer. @returns their ids */
  takeSince(sinceMs: number): readonly string[] {
    const ids: string[] = [];
    for (const [key, same] of this.#waiting) {
      const late = same.filter((row) => row.sinceMs <= sinceMs);
      for (const { id } of late) {
        this.#takeOldest(key);
        ids.push(id);
      }
    }
    return ids;
  }

  #takeOldest(key: string): string | undefined {
    const same = this.#waiting.get(key);
    const oldest = same?.shift();
    if (!oldest) return undefined;
    if (same?.length === 0) this.#waiting.delete(key);
    this.#count -= 1;
    return oldest.id;
  }
}

function keyOf({ topic, ref }: RowMessage): string {
  return JSON.stringify([topic, ref]);
}
