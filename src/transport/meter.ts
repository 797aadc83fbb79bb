/**
 * PORT: totals that the transports keep. Implemented over the counters by the shard.
 *
 * Runs on: shard.
 */

/** Takes what transports count. */
export interface TransportMeter {
  opened(): void;
  closed(): void;
  /** Long-poll sessions, which are connections, were opened (1) or ended (-1). */
  sessions(change: number): void;
  /** A request was handed to the shard that has its session. */
  forwarded(): void;
  received(bytes: number): void;
  /** @param length - of one frame: bytes, or UTF-16 units of one that is sent as text */
  sent(receivers: number, length: number): void;
  /** The engine skipped frames for a connection, one batch of them. */
  skipped(): void;
  /** A connection was cut as its client reads too slowly. */
  slowCut(): void;
  /** So many channels of a connection were ended as its client reads too slowly. */
  slowEnded(channels: number): void;
}
