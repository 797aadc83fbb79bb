/**
 * PORT: publishes the figures of a shard's custom transports, for other threads to read. Implemented by the shard, in
 * shared memory.
 *
 * Runs on: shard.
 */

/** The figures of a shard, by number. */
export interface FigureBoard {
  /** How many figures there can be. */
  readonly size: number;
  /** Names the next figure. Figures are counted from 0. */
  name(figure: number, transport: string, name: string): void;
  /** Publishes a value, or removes it. */
  set(figure: number, value: number | undefined): void;
}
