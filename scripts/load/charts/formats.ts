/**
 * Numbers as people read them: three digits that count, a unit, thousands set apart.
 *
 * Runs on: the load test's process. Pure functions.
 */

/** Narrow and never broken at the end of a line. */
const GAP = "\u202f";
const KIB = 1_024;
const MIB = KIB * KIB;
const GIB = MIB * KIB;

/** Writes a number with at most three digits that count behind its first, and thousands apart. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 100 || value === 0) return apart(value.toFixed(0));
  if (size < 0.001) return "0";
  return trimmed(value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3));
}

/** Writes a count, with thousands apart. */
export function formatCount(value: number): string {
  return apart(value.toFixed(0));
}

/** Writes a number of something each second. */
export function formatRate(value: number): string {
  return `${formatNumber(value)}/s`;
}

/** Writes a time that is given in milliseconds. */
export function formatMs(value: number): string {
  if (value >= 10_000) return `${formatNumber(value / 1_000)}${GAP}s`;
  return `${formatNumber(value)}${GAP}ms`;
}

/** Writes a time that is given in microseconds. */
export function formatUs(value: number): string {
  return `${formatNumber(value)}${GAP}µs`;
}

/** Writes a share of one core: 1 is a core of its own, all of the time. */
export function formatShare(value: number): string {
  return `${formatNumber(value * 100)}${GAP}%`;
}

/** Writes a number of bytes. */
export function formatBytes(value: number): string {
  const size = Math.abs(value);
  if (size >= GIB) return `${formatNumber(value / GIB)}${GAP}GiB`;
  if (size >= MIB) return `${formatNumber(value / MIB)}${GAP}MiB`;
  if (size >= KIB) return `${formatNumber(value / KIB)}${GAP}KiB`;
  return `${formatNumber(value)}${GAP}B`;
}

/** Bytes of the largest unit that `formatBytes` writes a number in. */
export function unitOfBytes(value: number): number {
  return [GIB, MIB, KIB].find((unit) => value >= unit) ?? 1;
}

/** Writes seconds since a start. */
export function formatSeconds(value: number): string {
  return `${formatNumber(value)}${GAP}s`;
}

function apart(digits: string): string {
  return digits.replaceAll(/\B(?=(?:\d{3})+$)/g, GAP);
}

function trimmed(digits: string): string {
  return digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
}
