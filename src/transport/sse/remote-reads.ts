/**
 * The session's end of a stream that is on another shard, which reads the events by calls.
 *
 * Runs on: the shard with the session.
 * Order: one read after the other. If the answer to a read is lost, the other shard ends the stream, and the client
 *        reconnects with the number of its last event.
 * Slow: the other shard reads again when its client has read everything, so a batch counts as unsent until the next
 *       read. Until then the other shard calls `alive` at intervals, and learns whether the stream has ended.
 */

import { pack } from "./calls.ts";
import { REPLACED } from "./event.ts";
import type { EventSink, StreamEnd } from "./session-ends.ts";
import type { SseSession } from "./sse-session.ts";

/** Time that a read waits for events (ms). */
export const READ_WAIT_MS = 10_000;

interface Read {
  readonly answer: (packed: string) => void;
  readonly timer: NodeJS.Timeout;
}

/** The reads of one stream. */
export class RemoteReads implements EventSink {
  readonly stream: number;
  readonly #session: SseSession;
  #read: Read | undefined = undefined;
  /** Bytes of the last batch, until the next read. */
  #sentBytes = 0;
  /** The answer to all further reads, once the stream has ended. */
  #ended: string | undefined = undefined;

  constructor(stream: number, session: SseSession) {
    this.stream = stream;
    this.#session = session;
  }

  /** Whether all further reads get the same answer. */
  get isEnded(): boolean {
    return this.#ended !== undefined;
  }

  get isReady(): boolean {
    return this.#read !== undefined;
  }

  get isPresent(): boolean {
    return this.#read !== undefined;
  }

  get bufferedBytes(): number {
    return this.#sentBytes;
  }

  /**
   * Answers with the next events, as soon as there are some.
   *
   * @param signal - aborted if the other shard does not wait any more
   */
  async read(signal: AbortSignal): Promise<string> {
    if (this.#ended !== undefined) return this.#ended;
    this.#sentBytes = 0;
    this.#settle(pack({ kind: "none" }));
    return new Promise((answer) => {
      const timer = setTimeout(() => this.#settle(pack({ kind: "none" })), READ_WAIT_MS);
      const read = { answer, timer };
      this.#read = read;
      signal.addEventListener("abort", () => this.#abandon(read), { once: true });
      this.#session.flush();
    });
  }

  /**
   * Notes that the client is there, although it has not read the last batch.
   *
   * @returns the answer: whether the stream goes on
   */
  alive(): string {
    if (this.#ended === undefined) this.#session.noteSign();
    return this.#ended ?? pack({ kind: "none" });
  }

  write(text: string): void {
    this.#sentBytes = Buffer.byteLength(text);
    this.#settle(pack({ kind: "events" }, text));
  }

  end(why: StreamEnd, text: string): void {
    this.#ended = pack({ kind: why }, why === "replaced" ? REPLACED : text);
    this.#settle(this.#ended);
  }

  #abandon(read: Read): void {
    if (this.#read !== read) return;
    this.#ended ??= pack({ kind: "gone" });
    this.#settle(this.#ended);
    this.#session.detach(this);
  }

  #settle(packed: string): void {
    const read = this.#read;
    this.#read = undefined;
    if (!read) return;
    clearTimeout(read.timer);
    read.answer(packed);
  }
}
