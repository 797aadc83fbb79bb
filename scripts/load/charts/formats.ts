/**
 * Formats numbers for people: three significant digits, a unit, separated thousands.
 *
 * Runs on: the load test's process. Pure functions.
 */

/** A narrow no-break space. */
const GAP = "\u202f";
const KIB = 1_024;
const MIB = KIB * KIB;
const GIB = MIB * KIB;

/** Formats a number with separated thousands and at most three significant digits for fractions. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 100 || value === 0) return apart(value.toFixed(0));
  if (size < 0.001) return "0";
  return trimmed(value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3));
}

/** Formats a count with separated thousands. */
export function formatCount(value: number): string {
  return apart(value.toFixed(0));
}

/** Formats a rate per second. */
export function formatRate(value: number): string {
  return `${formatNumber(value)}/s`;
}

/** Formats a time given in milliseconds. */
export function formatMs(value: number): string {
  if (value >= 10_000) return `${formatNumber(value / 1_000)}${GAP}s`;
  return `${formatNumber(value)}${GAP}ms`;
}

/** Formats a time given in microseconds. */
export function formatUs(value: number): string {
  return `${formatNumber(value)}${GAP}µs`;
}

/** Formats a share of one core; 1 is a whole core. */
export function formatShare(value: number): string {
  return `${formatNumber(value * 100)}${GAP}%`;
}

/** Formats a number of bytes. */
export function formatBytes(value: number): string {
  const size = Math.abs(value);
  if (size >= GIB) return `${formatNumber(value / GIB)}${GAP}GiB`;
  if (size >= MIB) return `${formatNumber(value / MIB)}${GAP}MiB`;
  if (size >= KIB) return `${formatNumber(value / KIB)}${GAP}KiB`;
  return `${formatNumber(value)}${GAP}B`;
}

/** Returns the size of the unit that `formatBytes` uses for a number of bytes. */
export function unitOfBytes(value: number): number {
  return [GIB, MIB, KIB].find((unit) => value >= unit) ?? 1;
}

/** Formats a time given in seconds. */
export function formatSeconds(value: number): string {
  return `${formatNumber(value)}${GAP}s`;
}

function apart(digits: string): string {
  return digits.replaceAll(/\B(?=(?:\d{3})+$)/g, GAP);
}

function trimmed(digits: string): string {
  return digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
}
