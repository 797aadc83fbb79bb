/**
 * Readings of a server during a soak, and the marks that sum them up.
 *
 * A heap is a sawtooth, so a mark has the lowest reading since the last mark: what the heap held
 * after a collection.
 *
 * Runs on: the soak's process.
 */

import type { ServerProcess } from "../suites/server-process.ts";

/** What a server held since the last mark. */
export interface Mark {
  /** Minutes since the start. */
  readonly minute: number;
  readonly residentBytes: number;
  /** Lowest heap of each shard. */
  readonly heapBytes: readonly number[];
  /** Lowest memory outside the heap of each shard. */
  readonly externalBytes: readonly number[];
  readonly mainHeapBytes: number;
  /** Resources that keep the event loops of main and the shards alive. */
  readonly handles: number;
  readonly descriptors: number;
  readonly connections: number;
  readonly channels: number;
  readonly sessions: number;
  readonly presences: number;
  /** Slots of the subscription index in use. */
  readonly indexUsed: number;
  /** Lost on the way between threads, of which clients were told. */
  readonly lapped: number;
  readonly slowCut: number;
  readonly p99Ms: number;
}

/** Collects readings. */
export class Marks {
  readonly #server: ServerProcess;
  readonly #startedAt = performance.now();
  #heapBytes: number[] = [];
  #externalBytes: number[] = [];
  #mainHeapBytes = Number.POSITIVE_INFINITY;
  readonly all: Mark[] = [];

  constructor(server: ServerProcess) {
    this.#server = server;
  }

  /** Takes a reading. @returns whether the server answered */
  async read(): Promise<boolean> {
    const stats = await this.#server.stats();
    if (stats === undefined) return false;
    stats.shards.forEach((shard, at) => {
      const heap = shard?.heapBytes ?? 0;
      // A shard that has just been replaced has not measured its heap yet.
      if (heap > 0) this.#heapBytes[at] = Math.min(this.#heapBytes[at] ?? heap, heap);
    });
    stats.probed.forEach(({ externalBytes }, at) => {
      this.#externalBytes[at] = Math.min(this.#externalBytes[at] ?? externalBytes, externalBytes);
    });
    this.#mainHeapBytes = Math.min(this.#mainHeapBytes, stats.main.heapBytes);
    return true;
  }

  /** Sums up the readings since the last mark. Undefined if the server does not answer. */
  async mark(p99Ms: number): Promise<Mark | undefined> {
    await this.read();
    const stats = await this.#server.stats();
    if (stats === undefined) return undefined;
    const { total, index, probed, main } = stats;
    const mark: Mark = {
      minute: (performance.now() - this.#startedAt) / 60_000,
      residentBytes: this.#server.residentBytes() ?? stats.rssBytes,
      heapBytes: this.#heapBytes,
      externalBytes: this.#externalBytes,
      mainHeapBytes: this.#mainHeapBytes,
      handles: probed.reduce((sum, { handles }) => sum + handles, main.handles),
      descriptors: this.#server.descriptors() ?? 0,
      connections: total.connections,
      channels: total.channels,
      sessions: total.sessions,
      presences: total.presences,
      indexUsed: index.used,
      lapped: total.lapped,
      slowCut: total.slowCut,
      p99Ms,
    };
    [this.#heapBytes, this.#externalBytes] = [[], []];
    this.#mainHeapBytes = Number.POSITIVE_INFINITY;
    this.all.push(mark);
    return mark;
  }
}

const MIB = 2 ** 20;

/** The first line of the table of marks. */
export const MARKS_HEAD =
  "minute   RSS  heaps        external     main  handles  files  conns  channels  sessions  presences  index  p99 ms";

/** Formats a mark as a line of the table; sizes in MiB. */
export function formatMark(mark: Mark): string {
  const list = (bytes: readonly number[]): string =>
    bytes.map((one) => (one / MIB).toFixed(1)).join(" ");
  return [
    mark.minute.toFixed(1).padStart(6),
    (mark.residentBytes / MIB).toFixed(0).padStart(5),
    list(mark.heapBytes).padEnd(12),
    list(mark.externalBytes).padEnd(12),
    (mark.mainHeapBytes / MIB).toFixed(1).padStart(4),
    String(mark.handles).padStart(8),
    String(mark.descriptors).padStart(6),
    String(mark.connections).padStart(6),
    String(mark.channels).padStart(9),
    String(mark.sessions).padStart(9),
    String(mark.presences).padStart(10),
    String(mark.indexUsed).padStart(6),
    mark.p99Ms.toFixed(1).padStart(7),
  ]
    .join("  ")
    .replaceAll(/ {2,}$/g, "");
}
