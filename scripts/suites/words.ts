/**
 * Reads the options that fuzz, soak and chaos have in common.
 *
 * Runs on: a suite's process, once.
 */

/** A number that may end with k or m. */
const COUNT = /^(\d+(?:\.\d+)?)([km]?)$/i;
const FACTORS: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6 };

/** The range of a number, and its unit in errors. */
export interface CountRange {
  readonly min: number;
  readonly max: number;
  readonly unit: string;
}

/** Reads an integer that may end with k or m. @throws TypeError with a one-line message */
export function readCount(name: string, text: string, { min, max, unit }: CountRange): number {
  const [, digits, suffix] = COUNT.exec(text) ?? [];
  const count = Number(digits) * (FACTORS[suffix?.toLowerCase() ?? ""] ?? Number.NaN);
  if (Number.isInteger(count) && count >= min && count <= max) return count;
  throw new TypeError(`${name} must be an integer from ${min} to ${max} (${unit}), got ${text}`);
}

const MAX_SEED = 2 ** 31 - 1;

/** Reads a seed, or chooses one. */
export function readSeed(text: string | undefined): number {
  if (text === undefined) return 1 + Math.floor(Math.random() * (MAX_SEED - 1));
  return readCount("seed", text, { min: 1, max: MAX_SEED, unit: "seed" });
}
