/**
 * PORT: a time in which broadcasts are held, so that they leave together.
 *
 * Runs on: shard. Types only.
 */

/** Open while something is held. */
export interface HoldingWindow {
  /** Has a task called at each end: it lets go of what it holds. */
  onEnd(task: () => void): void;
  /** Whether the broadcast that comes now is to be held; asked once for each. */
  takes(): boolean;
  /** Opens it, unless it is. */
  open(): void;
  /** Ends it at once, if it is open. */
  end(): void;
}
