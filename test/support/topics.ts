/**
 * Topics with the same hash, found by search: among the 32-bit hashes of about 80 000 texts, two are equal.
 *
 * Runs on: the test's thread.
 */

import { topicHash } from "../../src/memory/topic-hash.ts";

const HALF = 12;
const MOST_TEXTS = 1_000_000;

/**
 * Returns three topics with the same hash.
 *
 * If two texts of the same length lead the hash to the same state, they do so with any text appended. With two
 * such texts for each half, all combinations have the same hash.
 */
export function collidingTopics(seed: number): readonly [string, string, string] {
  const [first, other] = search(seed, (text) => text + "z".repeat(HALF));
  const [second, another] = search(seed, (text) => first + text);
  return [first + second, other + second, first + another];
}

function search(seed: number, topicOf: (text: string) => string): readonly [string, string] {
  const known = new Map<number, string>();
  for (let n = 1; n < MOST_TEXTS; n += 1) {
    const text = textOf(n);
    const hash = topicHash(seed, topicOf(text));
    const same = known.get(hash);
    if (same !== undefined) return [same, text];
    known.set(hash, text);
  }
  throw new Error(`no two of ${MOST_TEXTS} texts have the same hash`);
}

/** Converts a number to scattered letters, because consecutive numbers would rarely collide. */
function textOf(n: number): string {
  const spread = Math.imul(n, 0x9e37_79b1) >>> 0;
  const more = Math.imul(n ^ (n >>> 3), 0x85eb_ca6b) >>> 0;
  return (spread.toString(36) + more.toString(36)).padStart(HALF, "z").slice(0, HALF);
}
