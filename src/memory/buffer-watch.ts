/**
 * Keeps what a node holds for its clients and for other members below `maxBufferBytes`.
 *
 * Every 250 ms each member publishes what it holds, by the size of the owners (`buffer-gauges`), and reads what the
 * others hold. If the sum exceeds the limit, the largest owners of the node are closed. From the same gauges every member
 * finds the same size from which owners must be closed, and closes its own. In the smallest class that is affected, it
 * closes only its share, beginning with the largest owners.
 *
 * A member whose sources cannot hold much, by what has passed through them since they were last visited, does not
 * visit them. So a sample costs nothing while nothing is held, however many connections there are.
 *
 * Runs on: main, shard, link; one for each.
 * Full: `shed` of an owner closes a connection, or drops the records that wait for another member, which is notified.
 */

import type { BufferOwner, BufferSource } from "../held-bytes.ts";
import type { Logger } from "../log/logger.ts";
import { telemetry } from "../telemetry.ts";
import { CLASSES, classOf } from "./buffer-gauges-layout.ts";
import { BufferGauges } from "./buffer-gauges.ts";
import { COUNTER } from "./counters-layout.ts";
import type { Counters } from "./counters.ts";

/** What a member dropped in one sample. */
export interface ShedReport {
  readonly owners: number;
  readonly bytes: number;
  /** Bytes that the node held. */
  readonly totalBytes: number;
}

/** Interval of the samples. */
const SAMPLE_MS = 250;
/** If the limit is exceeded, the node is brought below this part of it. */
const TARGET_SHARE = 7 / 8;
/** All members together may hold this part of the limit without visiting their sources. */
const UNVISITED_SHARE = 1 / 16;

/** The dependencies of a member's watch. */
export interface BufferWatchParts {
  /** The gauges of all members. */
  readonly memory: SharedArrayBuffer;
  readonly member: number;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly maxBufferBytes: number;
  readonly sources: readonly BufferSource[];
  /** Called with what this member holds, after each sample. */
  readonly onHeld?: (heldBytes: number) => void;
}

/** Starts a watch that counts, logs and publishes what it does. */
export function watchBuffers(parts: BufferWatchParts): BufferWatch {
  const { memory, member, counters, logger, maxBufferBytes, sources, onHeld } = parts;
  const gauges = new BufferGauges(memory, member);
  const watch = new BufferWatch(gauges, maxBufferBytes, sources, (heldBytes, shed) => {
    counters.set(COUNTER.bufferedBytes, heldBytes);
    onHeld?.(heldBytes);
    if (!shed) return;
    counters.add(COUNTER.buffersShed, shed.owners);
    logger.log("buffersShed", { ...shed, maxBufferBytes });
    if (telemetry.buffers_shed.hasSubscribers) telemetry.buffers_shed.publish(shed);
  });
  watch.start();
  return watch;
}

/** Watches what one member holds. */
export class BufferWatch {
  readonly #gauges: BufferGauges;
  readonly #maxBytes: number;
  readonly #sources: readonly BufferSource[];
  readonly #onSample: (heldBytes: number, shed: ShedReport | undefined) => void;
  readonly #classes = new Float64Array(CLASSES);
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param maxBytes - limit for all members of the node
   * @param onSample - called after each sample, with what this member holds and what it dropped
   */
  constructor(
    gauges: BufferGauges,
    maxBytes: number,
    sources: readonly BufferSource[],
    onSample: (heldBytes: number, shed: ShedReport | undefined) => void,
  ) {
    this.#gauges = gauges;
    this.#maxBytes = maxBytes;
    this.#sources = sources;
    this.#onSample = onSample;
  }

  /** Starts taking samples. They do not keep the thread alive. */
  start(): void {
    this.#timer = setInterval(() => this.sample(), SAMPLE_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Publishes what this member holds. If the node holds too much, drops this member's share of the excess. */
  sample(): void {
    this.#measure();
    const totalBytes = this.#gauges.total;
    const shed = totalBytes > this.#maxBytes ? this.#shed(totalBytes) : undefined;
    if (shed) this.#measure();
    this.#onSample(this.#heldBytes, shed);
  }

  #measure(): void {
    let maxHeldBytes = 0;
    for (const source of this.#sources) maxHeldBytes += source.maxHeldBytes;
    this.#classes.fill(0);
    this.#heldBytes = 0;
    const unvisitedBytes = (this.#maxBytes * UNVISITED_SHARE) / this.#gauges.members;
    if (maxHeldBytes > unvisitedBytes) {
      for (const source of this.#sources) source.visitHeld(this.#count);
    }
    this.#gauges.publish(this.#heldBytes, this.#classes);
  }

  readonly #count = (_: BufferOwner, bytes: number): void => {
    const sizeClass = classOf(bytes);
    this.#classes[sizeClass] = (this.#classes[sizeClass] as number) + bytes;
    this.#heldBytes += bytes;
  };

  #shed(totalBytes: number): ShedReport | undefined {
    const { from, partBytes } = this.#plan(totalBytes - this.#maxBytes * TARGET_SHARE);
    const found: { readonly owner: BufferOwner; readonly bytes: number }[] = [];
    for (const source of this.#sources) {
      source.visitHeld((owner, bytes) => {
        if (classOf(bytes) >= from) found.push({ owner, bytes });
      });
    }
    found.sort((a, b) => b.bytes - a.bytes);
    let [owners, bytes, ofPart] = [0, 0, 0];
    for (const one of found) {
      if (classOf(one.bytes) === from) {
        if (ofPart >= partBytes) break;
        ofPart += one.bytes;
      }
      owners += 1;
      bytes += one.bytes;
      one.owner.shed();
    }
    return owners > 0 ? { owners, bytes, totalBytes } : undefined;
  }

  /**
   * Returns the smallest class in which owners must be closed, and how many bytes of this member in it. All larger
   * owners must be closed.
   */
  #plan(excessBytes: number): { readonly from: number; readonly partBytes: number } {
    let leftBytes = excessBytes;
    for (let from = CLASSES - 1; from >= 0; from -= 1) {
      const bytes = this.#gauges.bytesIn(from);
      if (bytes >= leftBytes && bytes > 0) {
        return { from, partBytes: (leftBytes / bytes) * this.#gauges.ownBytesIn(from) };
      }
      leftBytes -= bytes;
    }
    return { from: 0, partBytes: Infinity };
  }
}
