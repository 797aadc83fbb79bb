/**
 * Takes what all threads have queued, and writes it to standard output and standard error.
 *
 * Runs on: the writer's thread, which does nothing else and has no event loop.
 * Owns: the consumer's side of all rings, and the writer's words.
 * Order: `pending` is raised before a ring's head is moved. So a thread that reads the heads first
 *        and then `pending` counts each byte that is not yet written.
 * Full: while a stream takes no bytes, its rings fill up, and the threads drop what does not fit. The
 *       other stream goes on. A blocked stream is tried again after RETRY_MS, one that failed after
 *       FAILED_RETRY_MS. When everything is written, a line says how much was dropped.
 */

import { makeRingViews, RingConsumer } from "../memory/ring.ts";
import { Outlet } from "./outlet.ts";
import {
  ASLEEP,
  AWAKE,
  BLOCKED,
  BLOCKED_MS,
  droppedWord,
  FAILED,
  OPEN,
  outputRing,
  PART,
  PENDING_WORD,
  RESTING,
  ROUNDS_WORD,
  SLEEP_WORD,
  STATE_WORD,
  STDERR,
  STDOUT,
  STOP_WORD,
  STREAM_NAMES,
  TOLD_WORD,
  type OutputMemory,
} from "./queue-layout.ts";

/** What the writer is started with. */
export interface WriterStart {
  readonly memory: OutputMemory;
  readonly texts: WriterTexts;
  /** Where standard output and standard error go. */
  readonly descriptors: readonly number[];
  /** Time for which the writer pauses after it has written something (ms). */
  readonly restMs: number;
}

/** Texts of the lines that the writer writes itself; undefined if they are below the log level. */
export interface WriterTexts {
  /** Output was dropped. */
  readonly dropped: string | undefined;
  /** A stream cannot be written. */
  readonly failed: string | undefined;
}

const RETRY_MS = 20;
const FAILED_RETRY_MS = 1_000;
/** Shortest time between two lines about dropped output (ms). */
const NOTICE_MS = 1_000;
/** Bytes that are collected for one write. */
const BATCH_BYTES = 65_536;
/** Time in which the last bytes must be written when the writer is stopped (ms). */
const LAST_MS = 1_000;
/** Batches of one stream that are written before the other stream is looked at. */
const BATCHES_IN_A_ROW = 16;
/** Levels of pino. */
const WARN = 40;
const ERROR = 50;

/** The writer of a node's output. */
export class OutputWriter {
  readonly #words: Int32Array;
  readonly #streams: readonly Stream[];
  readonly #producers: number;
  readonly #texts: WriterTexts;
  readonly #restMs: number;
  #noticeAtMs = 0;
  #wasFailed = false;

  constructor({ memory, texts, descriptors, restMs }: WriterStart) {
    const views = makeRingViews(memory.shared);
    this.#words = views.words;
    this.#producers = memory.producers;
    this.#texts = texts;
    this.#restMs = restMs;
    this.#streams = [STDOUT, STDERR].map((stream) => {
      const rings = Array.from(
        { length: memory.producers },
        (_, producer) => new RingConsumer(views, outputRing(memory, producer, stream)),
      );
      return new Stream(stream, new Outlet(descriptors[stream] as number), views.words, rings);
    });
  }

  /** Writes until it is stopped, and then what is left. */
  run(): void {
    while (Atomics.load(this.#words, STOP_WORD) === 0) {
      const hasWritten = this.#round(performance.now());
      if (hasWritten) this.#pause(RESTING, this.#restMs);
      else this.#sleep();
    }
    this.#writeLast();
  }

  /** Writes what is left, as long as the streams take something. */
  #writeLast(): void {
    const endMs = performance.now() + LAST_MS;
    let movedMs = performance.now();
    for (let nowMs = movedMs; nowMs < endMs && nowMs - movedMs < BLOCKED_MS;) {
      if (this.#round(nowMs, true)) movedMs = nowMs;
      else if (!this.#streams.some((stream) => stream.state === BLOCKED)) return;
      else Atomics.wait(this.#words, SLEEP_WORD, AWAKE, RETRY_MS);
      nowMs = performance.now();
    }
  }

  /** Writes all that the streams take. @returns whether anything was written */
  #round(nowMs: number, isLast = false): boolean {
    let written = 0;
    for (const stream of this.#streams) written += stream.write(nowMs);
    this.#tellFailed();
    if (this.#tellDropped(nowMs, isLast)) written += 1;
    Atomics.add(this.#words, ROUNDS_WORD, 1);
    Atomics.notify(this.#words, ROUNDS_WORD);
    return written > 0;
  }

  #sleep(): void {
    const nowMs = performance.now();
    const waitsMs = this.#streams.map((stream) => stream.retryMs(nowMs));
    if (this.#hasNotice()) waitsMs.push(Math.max(this.#noticeAtMs - nowMs, 1));
    this.#pause(ASLEEP, Math.min(...waitsMs));
  }

  #pause(kind: typeof RESTING | typeof ASLEEP, limitMs: number): void {
    Atomics.store(this.#words, SLEEP_WORD, kind);
    const isStopped = Atomics.load(this.#words, STOP_WORD) !== 0;
    const hasMore = kind === ASLEEP && this.#streams.some((stream) => stream.hasWork());
    if (!isStopped && !hasMore) Atomics.wait(this.#words, SLEEP_WORD, kind, limitMs);
    Atomics.store(this.#words, SLEEP_WORD, AWAKE);
  }

  /** Reports on standard error that standard output cannot be written. */
  #tellFailed(): void {
    const [out] = this.#streams;
    const isFailed = out?.state === FAILED;
    const { failed } = this.#texts;
    if (isFailed && !this.#wasFailed && failed !== undefined) {
      this.#line(ERROR, { stream: STREAM_NAMES[STDOUT], code: out.code }, failed);
    }
    this.#wasFailed = isFailed;
  }

  /** Reports what was dropped, once everything that was queued is written. */
  #tellDropped(nowMs: number, isLast: boolean): boolean {
    const { dropped } = this.#texts;
    if (dropped === undefined || !this.#hasNotice()) return false;
    if (!isLast && nowMs < this.#noticeAtMs) return false;
    this.#noticeAtMs = nowMs + NOTICE_MS;
    for (const stream of [STDOUT, STDERR]) {
      const total = this.#dropped(stream);
      const count = (total - this.#told(stream)) | 0;
      Atomics.store(this.#words, TOLD_WORD + stream, total);
      if (count > 0) this.#line(WARN, { stream: STREAM_NAMES[stream], count }, dropped);
    }
    return true;
  }

  #hasNotice(): boolean {
    if (this.#texts.dropped === undefined || this.#streams[STDERR]?.isIdle !== true) return false;
    return [STDOUT, STDERR].some((stream) => {
      const isIdle = this.#streams[stream]?.isIdle === true;
      return isIdle && this.#dropped(stream) !== this.#told(stream);
    });
  }

  /** Returns the number of drops that were reported, also by a writer that this one has replaced. */
  #told(stream: number): number {
    return Atomics.load(this.#words, TOLD_WORD + stream);
  }

  #dropped(stream: number): number {
    let sum = 0;
    for (let producer = 0; producer < this.#producers; producer += 1) {
      sum = (sum + Atomics.load(this.#words, droppedWord(producer, stream))) | 0;
    }
    return sum;
  }

  #line(level: number, fields: object, msg: string): void {
    const line = JSON.stringify({ level, time: Date.now(), ...fields, msg });
    this.#streams[STDERR]?.add(Buffer.from(`${line}\n`));
  }
}

/** One stream: its rings, and the bytes that were taken out of them. */
class Stream {
  readonly #words: Int32Array;
  readonly #rings: readonly RingConsumer[];
  readonly #outlet: Outlet;
  readonly #stateWord: number;
  readonly #pendingWord: number;
  #batch = Buffer.alloc(2 * BATCH_BYTES);
  #begin = 0;
  #end = 0;
  #isPart = false;
  #next = 0;
  #retryAtMs = 0;

  constructor(stream: number, outlet: Outlet, words: Int32Array, rings: readonly RingConsumer[]) {
    this.#words = words;
    this.#rings = rings;
    this.#outlet = outlet;
    this.#stateWord = STATE_WORD + stream;
    this.#pendingWord = PENDING_WORD + stream;
    Atomics.store(words, this.#stateWord, OPEN);
    Atomics.store(words, this.#pendingWord, 0);
  }

  get state(): number {
    return this.#outlet.state;
  }

  get code(): string | undefined {
    return this.#outlet.code;
  }

  /** Whether the stream takes bytes and nothing is left to write. */
  get isIdle(): boolean {
    return this.state === OPEN && this.#end === 0 && !this.#hasRecords();
  }

  /** Whether there is something that can be written now. */
  hasWork(): boolean {
    return this.state === OPEN && (this.#end > 0 || this.#hasRecords());
  }

  /** Returns the time until the stream must be tried again (ms). */
  retryMs(nowMs: number): number {
    if (this.#end === 0) return Number.POSITIVE_INFINITY;
    return Math.max(this.#retryAtMs - nowMs, 1);
  }

  /** Adds bytes of the writer itself, behind those that were taken out of rings. */
  add(bytes: Uint8Array): void {
    this.#append(bytes, 0, bytes.length);
    this.#flush(performance.now());
  }

  /** Writes what waits, as long as the stream takes it. @returns the number of bytes written */
  write(nowMs: number): number {
    if (this.state !== OPEN && nowMs < this.#retryAtMs) return 0;
    let written = 0;
    for (let batches = 0; batches < BATCHES_IN_A_ROW; batches += 1) {
      if (this.#end === 0) this.#fill();
      if (this.#end === 0) break;
      written += this.#flush(nowMs);
      if (this.#end > 0) break;
    }
    return written;
  }

  #flush(nowMs: number): number {
    const written = this.#outlet.write(this.#batch.subarray(this.#begin, this.#end));
    this.#begin += written;
    if (this.#begin === this.#end) {
      this.#begin = 0;
      this.#end = 0;
    }
    if (this.state !== OPEN) {
      this.#retryAtMs = nowMs + (this.state === BLOCKED ? RETRY_MS : FAILED_RETRY_MS);
    }
    Atomics.store(this.#words, this.#stateWord, this.state);
    Atomics.store(this.#words, this.#pendingWord, this.#end - this.#begin);
    return written;
  }

  /** Takes records of each ring in turn, beginning behind the one that came last. */
  #fill(): void {
    const { length } = this.#rings;
    for (let turn = 0; turn < length && this.#end < BATCH_BYTES; turn += 1) {
      const ring = this.#rings[(this.#next + turn) % length] as RingConsumer;
      // What was written at once must not be interrupted by another thread's output.
      while ((this.#end < BATCH_BYTES || this.#isPart) && ring.drain(this.#take, 1) > 0);
    }
    this.#next = (this.#next + 1) % length;
  }

  readonly #take = (type: number, bytes: Uint8Array, offset: number, length: number): void => {
    this.#isPart = type === PART;
    this.#append(bytes, offset, length);
    Atomics.store(this.#words, this.#pendingWord, this.#end - this.#begin);
  };

  #append(bytes: Uint8Array, offset: number, length: number): void {
    if (this.#end + length > this.#batch.length) {
      const larger = Buffer.alloc(2 * (this.#end + length));
      larger.set(this.#batch.subarray(0, this.#end));
      this.#batch = larger;
    }
    this.#batch.set(bytes.subarray(offset, offset + length), this.#end);
    this.#end += length;
  }

  #hasRecords(): boolean {
    return this.#rings.some((ring) => ring.usedBytes() > 0);
  }
}
