/**
 * The body of a request, collected as it arrives.
 *
 *   unread --start--> begun --last chunk--> whole --read--> over
 *                       |                     |
 *                       +--more than `maxBodyBytes`, or far too many small chunks--> over: large
 *                       +--`bodyTimeoutMs`--> over: late
 *                       +---------------------+--`maxBufferBytes`--> over: shed
 *                       +---------------------+--the request is answered, or its client goes away--> over
 *
 * The engine drops the data of a body that nobody reads, however much it is, and it asks no one before it reads more. So
 * a body that is announced as too large is too large at once, and after an answer to a request whose body is or may be
 * larger than it may be (`isLong`), its connection must be closed.
 *
 * Runs on: shard; one for each request.
 * Owns: a copy of what has arrived, until the body is over. `RequestBodies` counts it.
 */

import type { EngineResponse } from "../engine/app-port.ts";
import type { Turn } from "../turn.ts";
import { BodyBytes } from "./body-bytes.ts";
import type { PendingBody, RequestBodies } from "./request-bodies.ts";

/** After this many chunks, those so far must have been of `MIN_CHUNK_BYTES` on average. */
const FREE_CHUNKS = 1_024;
const MIN_CHUNK_BYTES = 64;

/** Why there is no body. */
export type BodyFault = "large" | "late" | "shed";

/** A whole body, or why there is none. */
export type BodyResult = Uint8Array | BodyFault;

/** What the bodies of a shard share. */
export interface SharedByBodies {
  readonly bodies: Pick<RequestBodies, "begin" | "grew" | "completed" | "end">;
  readonly turn: Pick<Turn, "countBody">;
  readonly options: { readonly maxBodyBytes: number };
}

/** The body of a request. */
export class RequestBody implements PendingBody {
  readonly #response: Pick<EngineResponse, "onData">;
  readonly #announcedBytes: number;
  readonly #shared: SharedByBodies;
  readonly #arrived = new BodyBytes();
  #state: "unread" | "begun" | "whole" | "over" = "unread";
  #chunks = 0;
  #isComplete = false;
  #fault: BodyFault | undefined = undefined;
  #done: ((result: BodyResult) => void) | undefined = undefined;

  /** @param announcedBytes - its length by the head; Infinity if it is sent in chunks */
  constructor(
    response: Pick<EngineResponse, "onData">,
    announcedBytes: number,
    shared: SharedByBodies,
  ) {
    this.#response = response;
    this.#announcedBytes = announcedBytes;
    this.#shared = shared;
  }

  /** Whether the connection must be closed after an answer, because more of the body may come than may be read. */
  get isLong(): boolean {
    return this.#announcedBytes > this.#shared.options.maxBodyBytes && !this.#isComplete;
  }

  get heldBytes(): number {
    return this.#arrived.heldBytes;
  }

  /** Starts to collect. The first call must be before the engine's callback for the request returns. */
  start(): void {
    if (this.#state !== "unread") return;
    const { bodies, options } = this.#shared;
    if (this.#announcedBytes === 0) {
      this.#state = "whole";
      this.#isComplete = true;
    } else if (
      Number.isFinite(this.#announcedBytes) &&
      this.#announcedBytes > options.maxBodyBytes
    ) {
      this.#fail("large");
    } else {
      this.#state = "begun";
      bodies.begin(this);
      this.#response.onData((chunk, isLast) => this.#add(chunk, isLast));
    }
  }

  /**
   * Starts to collect, if that has not been done. Must be called once.
   *
   * @param done - called once, possibly at once, unless the body is given up before
   */
  read(done: (result: BodyResult) => void): void {
    this.start();
    if (this.#state === "begun") this.#done = done;
    else if (this.#state === "whole") done(this.#take());
    else if (this.#fault) done(this.#fault);
  }

  /** Gives up the body. More calls have no effect. */
  giveUp(): void {
    this.#fault = undefined;
    this.#end();
  }

  bodyIsLate(): void {
    this.#fail("late");
  }

  shed(): void {
    this.#fail("shed");
  }

  #add(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#state !== "begun") return;
    const { bodies, turn, options } = this.#shared;
    // The end of a body in chunks comes as an empty one.
    if (chunk.byteLength > 0) this.#chunks += 1;
    turn.countBody(chunk.byteLength);
    const bytes = this.#arrived.length + chunk.byteLength;
    const isScattered = this.#chunks > FREE_CHUNKS && bytes < this.#chunks * MIN_CHUNK_BYTES;
    if (bytes > options.maxBodyBytes || isScattered) {
      this.#fail("large");
      return;
    }
    const before = this.heldBytes;
    this.#arrived.add(chunk);
    bodies.grew(this.heldBytes - before);
    if (!isLast) return;
    this.#state = "whole";
    this.#isComplete = true;
    const done = this.#done;
    if (done) done(this.#take());
    else bodies.completed(this);
  }

  #take(): Uint8Array {
    this.#shared.bodies.end(this);
    const whole = this.#arrived.take();
    this.#end();
    return whole;
  }

  #fail(fault: BodyFault): void {
    if (this.#state === "over") return;
    const done = this.#done;
    this.#fault = fault;
    this.#end();
    done?.(fault);
  }

  #end(): void {
    this.#state = "over";
    this.#done = undefined;
    this.#shared.bodies.end(this);
    this.#arrived.drop();
  }
}
