/**
 * Cuts silent connections while the process takes more memory than it may.
 *
 * The engine assembles messages, and does not report how much of an unfinished one it holds. So the only sign of
 * clients that send messages without an end is the memory of the process. Clients that complete messages are not
 * among them. Therefore the connections that have completed none for longest are cut first.
 *
 * Memory that was freed is not always returned to the system. So after a cut, the watch acts again only if the memory
 * has grown in the meantime. Otherwise a high mark alone would cost all connections.
 *
 * Runs on: shard; each watches the whole process, and cuts its share.
 * Full: at most an eighth of the shard's connections are cut in one sample.
 */

import type { Logger } from "../log/logger.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";

/** Connections that may send unfinished messages. */
export interface SilentConnections {
  /** The number of open connections. */
  readonly size: number;
  /** Cuts those that have completed no message for longest. @returns how many */
  cutSilent(count: number): number;
}

/** The dependencies of a ResidentWatch. */
export interface ResidentWatchParts {
  readonly maxResidentBytes: number;
  /** What one connection holds at most. */
  readonly maxMessageBytes: number;
  readonly shards: number;
  readonly connections: SilentConnections;
  readonly counters: Counters;
  readonly logger: Logger;
  /** Returns the resident memory of the process (bytes), as the shard last read it. */
  readonly resident: () => number;
}

const SAMPLE_MS = 250;
/** At most this part of the connections is cut in one sample. */
const MAX_SHARE = 1 / 8;
/** Below this part of the limit, the watch starts afresh. */
const CALM_SHARE = 0.95;

/** Watches the resident memory. */
export class ResidentWatch {
  readonly #parts: ResidentWatchParts;
  /** The memory at the last cut; 0 while there is no shortage. */
  #cutAtBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ResidentWatchParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => this.sample(), SAMPLE_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Cuts connections if the process has taken more memory since the last cut. */
  sample(): void {
    const { maxResidentBytes, resident } = this.#parts;
    const residentBytes = resident();
    if (residentBytes < maxResidentBytes * CALM_SHARE) this.#cutAtBytes = 0;
    if (residentBytes <= Math.max(maxResidentBytes, this.#cutAtBytes)) return;
    this.#cut(residentBytes);
    this.#cutAtBytes = residentBytes;
  }

  #cut(residentBytes: number): void {
    const { maxResidentBytes, maxMessageBytes, shards, connections, counters, logger } =
      this.#parts;
    const excess = Math.ceil((residentBytes - maxResidentBytes) / maxMessageBytes / shards);
    const most = Math.ceil(connections.size * MAX_SHARE);
    const count = connections.cutSilent(Math.min(excess, most));
    if (count === 0) return;
    counters.add(COUNTER.silentCut, count);
    logger.log("silentCut", { connections: count, residentBytes, maxResidentBytes });
  }
}
