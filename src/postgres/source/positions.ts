/**
 * Positions in PostgreSQL's write-ahead log (LSN).
 *
 * Runs on: shard. Pure functions.
 */

/** The position before all others, which stands for none. */
export const NO_POSITION = 0n;

/** Reads a position, such as `16/B374D848`. */
export function parsePosition(text: string): bigint {
  const [high = "", low = ""] = text.split("/", 2);
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

/** Writes a position as PostgreSQL does. */
export function formatPosition(position: bigint): string {
  const low = position & 0xffff_ffffn;
  return `${(position >> 32n).toString(16).toUpperCase()}/${low.toString(16).toUpperCase()}`;
}
