/**
 * Topics with one hash, found by search: among 32-bit hashes of some 80 000 texts two are the same.
 *
 * Runs on: the test's thread.
 */

import { topicHash } from "../../src/memory/topic-hash.ts";

const HALF = 12;
const MOST_TEXTS = 1_000_000;

/**
 * Gives three topics of the same hash.
 *
 * Two texts that lead the hash to one state lead it to one state with any text behind them, as
 * long as the length is the same. So of two halves with two texts each, all pairs have one hash.
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
  throw new Error(`no two of ${MOST_TEXTS} texts have one hash`);
}

/** Scatters a number over letters: numbers in a row would hardly ever meet. */
function textOf(n: number): string {
  const spread = Math.imul(n, 0x9e37_79b1) >>> 0;
  const more = Math.imul(n ^ (n >>> 3), 0x85eb_ca6b) >>> 0;
  return (spread.toString(36) + more.toString(36)).padStart(HALF, "z").slice(0, HALF);
}
