/**
 * Layout of the output queue: what all threads of a node write to standard output and standard error.
 *
 *   words of the writer and of main, WRITER_BYTES; those marked * are one for each stream
 *     +0   sleep          written by the writer: AWAKE, RESTING or ASLEEP. A producer that wakes it
 *                         replaces RESTING or ASLEEP by AWAKE with compareExchange
 *     +32  rounds         written by the writer: number of times that it has looked at all rings
 *     +33  pending *      written by the writer: bytes taken out of rings and not yet written
 *     +35  state *        written by the writer: OPEN, BLOCKED or FAILED
 *     +37  told *         written by the writer: number of drops that were reported
 *     +64  stop           written by main: 1 if the writer must end
 *
 *   drops, DROPS_BYTES for each producer; written by that producer
 *     +0   dropped        one for each stream: writes that were dropped
 *
 *   words of the rings (see memory/ring-layout), two rings for each producer: one for each stream
 *
 *   records of the rings, ringBytes each; a record is a piece of text in UTF-8
 *     type WHOLE          the last or only piece of what was written at once
 *     type PART           more pieces follow in the same ring
 *
 * Runs on: any thread. Constants and arithmetic only.
 */

import { RING_WORDS_BYTES, type RingPlace } from "../memory/ring-layout.ts";

/** Standard output, as an index. */
export const STDOUT = 0;
/** Standard error, as an index. */
export const STDERR = 1;
export const STREAMS = 2;

/** Descriptor of each stream. */
export const DESCRIPTORS = [1, 2] as const;
/** Name of each stream in log lines. */
export const STREAM_NAMES = ["stdout", "stderr"] as const;

/** The writer is working, and looks at all rings again before it rests. */
export const AWAKE = 0;
/** The writer pauses, so that it is not woken for each line. A ring that fills up wakes it. */
export const RESTING = 1;
/** The writer waits for something to write. */
export const ASLEEP = 2;

/** The stream takes bytes. */
export const OPEN = 0;
/** The stream takes no bytes at present: nobody reads it. */
export const BLOCKED = 1;
/** Writing failed, for example because the reader closed the pipe, or the disk is full. */
export const FAILED = 2;

/** Time for which the last lines wait for a blocked stream, when the writer or the process ends (ms). */
export const BLOCKED_MS = 200;

export const WHOLE = 1;
export const PART = 2;

export const SLEEP_WORD = 0;
export const ROUNDS_WORD = 32;
export const PENDING_WORD = 33;
export const STATE_WORD = 35;
export const TOLD_WORD = 37;
export const STOP_WORD = 64;

const WRITER_BYTES = 384;
const DROPS_BYTES = 128;
/** The smallest ring that holds most log lines: a record takes up to an eighth of it. */
const MIN_RING_BYTES = 4_096;
const MAX_RING_BYTES = 2 ** 26;

/** The shared memory of an output queue. */
export interface OutputMemory {
  readonly shared: SharedArrayBuffer;
  readonly producers: number;
  /** Size of each ring, a power of two. */
  readonly ringBytes: number;
}

/**
 * Allocates a queue.
 *
 * @param totalBytes - bytes that may wait in all rings together
 */
export function makeOutputMemory(producers: number, totalBytes: number): OutputMemory {
  const share = 2 ** Math.floor(Math.log2(totalBytes / (producers * STREAMS)));
  const ringBytes = Math.min(Math.max(share, MIN_RING_BYTES), MAX_RING_BYTES);
  const bytes = recordsOffset(producers) + producers * STREAMS * ringBytes;
  return { shared: new SharedArrayBuffer(bytes), producers, ringBytes };
}

/** Returns the word in which a producer counts what it dropped. */
export function droppedWord(producer: number, stream: number): number {
  return ((WRITER_BYTES + producer * DROPS_BYTES) >> 2) + stream;
}

/** Returns the place of a producer's ring for a stream. */
export function outputRing(
  { producers, ringBytes }: OutputMemory,
  producer: number,
  stream: number,
): RingPlace {
  const number = producer * STREAMS + stream;
  return {
    wordsOffset: WRITER_BYTES + producers * DROPS_BYTES + number * RING_WORDS_BYTES,
    recordsOffset: recordsOffset(producers) + number * ringBytes,
    capacityBytes: ringBytes,
  };
}

function recordsOffset(producers: number): number {
  return WRITER_BYTES + producers * (DROPS_BYTES + STREAMS * RING_WORDS_BYTES);
}
