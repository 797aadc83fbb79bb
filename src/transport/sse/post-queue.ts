/**
 * The frames that a client posts to its session, handed to the connection in order.
 *
 * A client numbers its POSTs, and repeats a POST whose answer it did not get. The frames of a repeated POST are not handed
 * over again; it gets the answer to the first request.
 *
 * Runs on: the shard with the session.
 * Slow: if the connection asks to stop, the rest waits for its `resume`; one POST at a time.
 * Full: a POST that is not handed over within the time limit is answered with 408, and its remaining frames are
 *       dropped. While more than 256 KiB wait, another one is answered with 429, and may be repeated.
 */

import { tryFrame } from "./event.ts";

/** Passes a frame to the connection. Returns false if no more frames may follow until `resume`. */
export type Receive = (frame: string | Uint8Array) => boolean;

/** Statuses of answers to POSTs, as in HTTP. */
export const POST_STATUS = {
  done: 204,
  badFrame: 400,
  late: 408,
  /** The session is a stream of topics. */
  noFrames: 409,
  gone: 410,
  tooMany: 413,
  full: 429,
} as const;

/** Maximum number of frames in a POST. */
const MAX_FRAMES = 1_000;
const MAX_WAITING_BYTES = 262_144;

interface Post {
  readonly frames: readonly (string | Uint8Array)[];
  readonly bytes: number;
  readonly answer: (status: number) => void;
  next: number;
  timer: NodeJS.Timeout | undefined;
}

/** The POSTs of a session. */
export class PostQueue {
  readonly #receive: Receive;
  readonly #timeoutMs: number;
  readonly #onWaiting: (bytes: number) => void;
  readonly #posts: Post[] = [];
  #waitingBytes = 0;
  #isPaused = false;
  #isOver = false;
  /** The newest numbered POST, and its answer. */
  #newest: { readonly number: number; readonly status: Promise<number> } | undefined = undefined;

  /** @param onWaiting - called with the bytes of a POST that cannot be handed over at once */
  constructor(receive: Receive, timeoutMs: number, onWaiting: (bytes: number) => void) {
    this.#receive = receive;
    this.#timeoutMs = timeoutMs;
    this.#onWaiting = onWaiting;
  }

  /** Bytes of POSTs that wait. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /**
   * Hands over the frames of a body, one per line.
   *
   * @param number - given by the client; undefined if it does not number its POSTs
   * @returns the status of the answer
   */
  async post(body: string, number: number | undefined): Promise<number> {
    const newest = this.#newest;
    if (number !== undefined && newest !== undefined && number <= newest.number) {
      // A POST with a smaller number was answered already. This request was delayed, and the client has repeated it since.
      return number === newest.number ? newest.status : POST_STATUS.done;
    }
    const bytes = Buffer.byteLength(body);
    // Its number is not noted, so that the client can repeat it.
    if (this.#posts.length > 0 && this.#waitingBytes + bytes > MAX_WAITING_BYTES) {
      return POST_STATUS.full;
    }
    const status = this.#take(body, bytes);
    if (number !== undefined) this.#newest = { number, status };
    return status;
  }

  /** Continues after the connection asked to stop. */
  resume(): void {
    this.#isPaused = false;
    this.#run();
  }

  /** Answers everything that waits, because the connection has ended. */
  stop(): void {
    this.#isOver = true;
    for (const post of this.#posts.splice(0)) {
      // Its last frame may be what has ended the connection.
      const isDone = post.next === post.frames.length;
      this.#answer(post, isDone ? POST_STATUS.done : POST_STATUS.gone);
    }
  }

  async #take(body: string, bytes: number): Promise<number> {
    if (this.#isOver) return POST_STATUS.gone;
    const frames = framesOf(body);
    if (typeof frames === "number") return frames;
    return new Promise((answer) => {
      this.#waitingBytes += bytes;
      const post: Post = { frames, bytes, answer, next: 0, timer: undefined };
      this.#posts.push(post);
      this.#run();
      if (this.#posts.includes(post)) this.#onWaiting(bytes);
    });
  }

  #run(): void {
    for (let post = this.#posts[0]; post && !this.#isPaused; [post] = this.#posts) {
      if (post.next < post.frames.length) {
        const frame = post.frames[post.next] as string | Uint8Array;
        post.next += 1;
        this.#isPaused = !this.#receive(frame);
        // The frame may have ended the connection.
        if (this.#isOver) return;
      } else {
        this.#posts.shift();
        this.#answer(post, POST_STATUS.done);
      }
    }
    for (const post of this.#posts) {
      post.timer ??= setTimeout(() => this.#giveUp(post), this.#timeoutMs);
    }
  }

  #giveUp(post: Post): void {
    const at = this.#posts.indexOf(post);
    if (at < 0) return;
    this.#posts.splice(at, 1);
    this.#answer(post, POST_STATUS.late);
  }

  #answer(post: Post, status: number): void {
    clearTimeout(post.timer);
    this.#waitingBytes -= post.bytes;
    post.answer(status);
  }
}

/** Returns the frames of a body, or the status of a body that is refused as a whole. */
function framesOf(body: string): (string | Uint8Array)[] | number {
  const frames: (string | Uint8Array)[] = [];
  for (let start = 0; start < body.length;) {
    const found = body.indexOf("\n", start);
    const end = found < 0 ? body.length : found;
    const line = body.slice(start, body[end - 1] === "\r" && end > start ? end - 1 : end);
    start = end + 1;
    if (line === "") continue;
    if (frames.length === MAX_FRAMES) return POST_STATUS.tooMany;
    const frame = tryFrame(line);
    if (frame === undefined) return POST_STATUS.badFrame;
    frames.push(frame);
  }
  return frames;
}
