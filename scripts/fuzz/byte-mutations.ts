/**
 * Mutations of bytes, which know nothing of what the bytes mean.
 *
 * Runs on: any thread. Pure.
 */

import type { Random } from "../suites/random.ts";

/** Pieces that parsers treat specially. */
const PIECES = [
  "\u0000",
  "\r\n",
  "\r\n\r\n",
  "\\u0000",
  "\\ud800",
  '"',
  "[",
  "{",
  "%",
  "%00",
  "+",
  " ",
];
const MAX_REPEATS = 300;

/** Returns changed bytes. */
export function mutateBytes(random: Random, original: Buffer): Buffer {
  let bytes = original;
  for (let times = random.between(1, 4); times > 0; times--) bytes = mutateOnce(random, bytes);
  return bytes;
}

function mutateOnce(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (random.below(8)) {
    case 0:
      return flipped(random, bytes);
    case 1:
      return Buffer.concat([before, after.subarray(random.between(1, 8))]);
    case 2:
      return Buffer.concat([before, random.bytes(random.between(1, 8)), after]);
    case 3:
      return before;
    case 4:
      return Buffer.concat([before, Buffer.from(random.pick(PIECES)), after]);
    case 5: {
      const piece = after.subarray(0, random.between(1, 4));
      const repeats = Array.from({ length: random.below(MAX_REPEATS) }, () => piece);
      return Buffer.concat([before, ...repeats, after]);
    }
    case 6:
      return Buffer.concat([after, before]);
    default:
      return Buffer.concat([before, bytes.subarray(random.below(bytes.length + 1))]);
  }
}

function flipped(random: Random, bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes;
  const changed = Buffer.from(bytes);
  const at = random.below(changed.length);
  changed[at] = (changed[at] as number) ^ (1 << random.below(8));
  return changed;
}
