/**
 * A thread's end of the output queue: takes what the thread writes to standard output or error.
 *
 * What was written is in shared memory before `write` returns, and arrives even if the thread then
 * ends. `write` makes no system call, except to wake the writer if it sleeps.
 *
 * Runs on: any thread; one per thread.
 * Owns: the producer's side of the thread's rings, and its counts of what it dropped.
 * Order: a record is committed before the sleep word is read. The writer stores the sleep word before
 *        it looks at the rings a last time. So either it finds the record, or it is woken.
 * Full: what does not fit is dropped and counted. The writer reports that as soon as it can write.
 */

import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import { HEADER_BYTES, align } from "../memory/ring-layout.ts";
import { makeRingViews, RingProducer } from "../memory/ring.ts";
import {
  AWAKE,
  droppedWord,
  outputRing,
  PART,
  RESTING,
  SLEEP_WORD,
  STDERR,
  STDOUT,
  WHOLE,
  type OutputMemory,
} from "./queue-layout.ts";

/** The writing end of an output queue. */
export class OutputQueue {
  readonly #counters: Counters;
  readonly #words: Int32Array;
  readonly #bytes: Buffer;
  readonly #rings: readonly RingProducer[];
  readonly #droppedWord: number;

  /**
   * @param producer - number of the thread; no other thread may use it at the same time
   * @param counters - counters of the thread
   */
  constructor(memory: OutputMemory, producer: number, counters: Counters) {
    const views = makeRingViews(memory.shared);
    this.#counters = counters;
    this.#words = views.words;
    this.#bytes = Buffer.from(memory.shared);
    this.#rings = [STDOUT, STDERR].map(
      (stream) => new RingProducer(views, outputRing(memory, producer, stream)),
    );
    this.#droppedWord = droppedWord(producer, STDOUT);
  }

  /**
   * Queues text. Longer text than half of the ring is cut.
   *
   * @param stream - STDOUT or STDERR
   * @returns false if it was dropped, because nobody reads the stream
   */
  write(stream: number, text: string | Uint8Array): boolean {
    const ring = this.#rings[stream] as RingProducer;
    const length = typeof text === "string" ? Buffer.byteLength(text) : text.length;
    if (length > ring.maxPayloadBytes) return this.#writeLong(stream, ring, text);
    const offset = ring.claim(WHOLE, length);
    if (offset < 0) return this.#drop(stream);
    if (typeof text === "string") this.#bytes.write(text, offset, "utf8");
    else this.#bytes.set(text, offset);
    ring.commit();
    this.#wake(ring);
    return true;
  }

  /** Counts writes that were dropped before they reached the queue. */
  dropped(stream: number, count: number): void {
    this.#counters.add(COUNTER.outputDropped, count);
    const word = this.#droppedWord + stream;
    Atomics.store(this.#words, word, (Atomics.load(this.#words, word) + count) | 0);
  }

  #drop(stream: number): false {
    this.dropped(stream, 1);
    return false;
  }

  #writeLong(stream: number, ring: RingProducer, text: string | Uint8Array): boolean {
    const bytes = cutBytes(typeof text === "string" ? Buffer.from(text) : text, ring);
    const pieceBytes = ring.maxPayloadBytes;
    const pieces = Math.ceil(bytes.length / pieceBytes);
    // With room for the padding at the ring's end, which is shorter than one piece.
    if (ring.freeBytes() < (pieces + 1) * align(HEADER_BYTES + pieceBytes)) {
      return this.#drop(stream);
    }
    for (let piece = 0; piece < pieces; piece += 1) {
      const isLast = piece === pieces - 1;
      const part = bytes.subarray(piece * pieceBytes, (piece + 1) * pieceBytes);
      this.#bytes.set(part, ring.claim(isLast ? WHOLE : PART, part.length));
      // Published together, or the writer could put another thread's output between them.
      if (isLast) ring.commit();
      else ring.keep();
    }
    this.#wake(ring);
    return true;
  }

  #wake(ring: RingProducer): void {
    const sleep = Atomics.load(this.#words, SLEEP_WORD);
    if (sleep === AWAKE || (sleep === RESTING && ring.hasRoom())) return;
    if (Atomics.compareExchange(this.#words, SLEEP_WORD, sleep, AWAKE) === sleep) {
      Atomics.notify(this.#words, SLEEP_WORD);
    }
  }
}

const CUT = Buffer.from("... (cut)\n");

/** Returns at most half of what a ring holds. */
function cutBytes(bytes: Uint8Array, { capacityBytes }: RingProducer): Uint8Array {
  const mostBytes = capacityBytes >> 1;
  if (bytes.length <= mostBytes) return bytes;
  return Buffer.concat([bytes.subarray(0, mostBytes - CUT.length), CUT]);
}
