/**
 * The body of a request, collected as it arrives.
 *
 *   unread --start--> begun --last chunk--> whole
 *                       +--more than `maxBodyBytes`, or far too many small chunks--> too large
 *                       +--`bodyTimeoutMs`--> late
 *                       +--the request is answered, or its client goes away--> given up
 *
 * The engine drops the data of a body that nobody reads, however much it is, and it asks no one before it reads more. So
 * a body that is announced as too large is too large at once, and after an answer to a request whose body is or may be
 * larger than it may be (`isLong`), its connection must be closed.
 *
 * Runs on: shard; one for each request.
 */

import type { HttpResponse } from "../engine/engine-types.ts";
import type { Turn } from "../turn.ts";
import type { BodyTimes, PendingBody } from "./body-times.ts";

/** After this many chunks, those so far must have been of `MIN_CHUNK_BYTES` on average. */
const FREE_CHUNKS = 1_024;
const MIN_CHUNK_BYTES = 64;

/** Why there is no body. */
export type BodyFault = "large" | "late";

/** A whole body, or why there is none. */
export type BodyResult = Uint8Array | BodyFault;

/** What the bodies of a shard share. */
export interface SharedByBodies {
  readonly bodies: Pick<BodyTimes, "begin" | "end">;
  readonly turn: Pick<Turn, "countBody">;
  readonly options: { readonly maxBodyBytes: number };
}

/** The body of a request. */
export class RequestBody implements PendingBody {
  readonly #response: Pick<HttpResponse, "onData">;
  readonly #announcedBytes: number;
  readonly #shared: SharedByBodies;
  #chunks: Buffer[] = [];
  #count = 0;
  #bytes = 0;
  #isStarted = false;
  #isGivenUp = false;
  #result: BodyResult | undefined = undefined;
  #done: ((result: BodyResult) => void) | undefined = undefined;

  /** @param announcedBytes - its length by the head; Infinity if it is sent in chunks */
  constructor(
    response: Pick<HttpResponse, "onData">,
    announcedBytes: number,
    shared: SharedByBodies,
  ) {
    this.#response = response;
    this.#announcedBytes = announcedBytes;
    this.#shared = shared;
  }

  /** Whether the connection must be closed after an answer, because more of the body may come than may be read. */
  get isLong(): boolean {
    return this.#announcedBytes > this.#shared.options.maxBodyBytes && !isWhole(this.#result);
  }

  /** Starts to collect. The first call must be before the engine's callback for the request returns. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const { bodies, options } = this.#shared;
    if (this.#announcedBytes === 0) this.#finish(new Uint8Array(0));
    else if (Number.isFinite(this.#announcedBytes) && this.#announcedBytes > options.maxBodyBytes) {
      this.#finish("large");
    } else {
      bodies.begin(this);
      this.#response.onData((chunk, isLast) => this.#add(chunk, isLast));
    }
  }

  /**
   * Starts to collect, if that has not been done.
   *
   * @param done - called once, possibly at once, unless the body is given up before
   */
  read(done: (result: BodyResult) => void): void {
    this.start();
    if (this.#result === undefined) this.#done = done;
    else if (!this.#isGivenUp) done(this.#result);
  }

  /** Gives up the body. More calls have no effect. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.#done = undefined;
    this.#chunks = [];
    this.#shared.bodies.end(this);
  }

  bodyIsLate(): void {
    this.#finish("late");
  }

  #add(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#isGivenUp || this.#result !== undefined) return;
    // The end of a body in chunks comes as an empty one.
    if (chunk.byteLength > 0) this.#count += 1;
    this.#bytes += chunk.byteLength;
    this.#shared.turn.countBody(chunk.byteLength);
    const isScattered = this.#count > FREE_CHUNKS && this.#bytes < this.#count * MIN_CHUNK_BYTES;
    if (this.#bytes > this.#shared.options.maxBodyBytes || isScattered) {
      this.#finish("large");
      return;
    }
    // The engine reuses its buffer when this returns.
    this.#chunks.push(Buffer.from(chunk.slice(0)));
    if (isLast) this.#finish(Buffer.concat(this.#chunks));
  }

  #finish(result: BodyResult): void {
    if (this.#result !== undefined || this.#isGivenUp) return;
    this.#result = result;
    this.#chunks = [];
    this.#shared.bodies.end(this);
    this.#done?.(result);
    this.#done = undefined;
  }
}

function isWhole(result: BodyResult | undefined): boolean {
  return typeof result === "object";
}
