/**
 * A stream to a client: an HTTP response of this shard.
 *
 * Runs on: the shard that has the client's request; the session may be on another one.
 * Slow: a stream whose client has not read everything is not ready, and the session keeps what follows.
 */

import type { ResponseStream, StreamListener } from "../http/response-stream.ts";
import { HEARTBEAT, REPLACED } from "./event.ts";
import type { EventSink, StreamEnd } from "./session-ends.ts";

/** What feeds a stream. */
export interface StreamSource {
  /** Called when the stream is ready again. */
  drained(): void;
  /** Called at intervals while the client is there, but has not read everything. */
  waiting?(): void;
  /** Called once, when the client went away or the stream has ended. */
  gone(): void;
}

/** The streams of a shard. */
export class SseStreams {
  readonly #open = new Set<SseStream>();

  get size(): number {
    return this.#open.size;
  }

  add(stream: SseStream): void {
    this.#open.add(stream);
  }

  remove(stream: SseStream): void {
    this.#open.delete(stream);
  }

  /** Sends a comment on each stream that was silent for `heartbeatMs`. If its client does not read, `waiting` is called. */
  beat(nowMs: number): void {
    for (const stream of this.#open) stream.beat(nowMs);
  }

  /** Ends the streams of sessions on other shards. Their clients reconnect elsewhere. */
  endRelayed(): void {
    const relayed = [...this.#open].filter(({ isRelayed }) => isRelayed);
    for (const stream of relayed) stream.end("over", "");
  }
}

/** A stream. */
export class SseStream implements EventSink {
  readonly isRelayed: boolean;
  readonly #out: ResponseStream;
  readonly #streams: SseStreams;
  readonly #heartbeatMs: number;
  #source: StreamSource | undefined = undefined;
  #wroteAtMs = performance.now();

  constructor(
    out: ResponseStream,
    streams: SseStreams,
    { heartbeatMs, isRelayed }: { readonly heartbeatMs: number; readonly isRelayed: boolean },
  ) {
    this.#out = out;
    this.#streams = streams;
    this.#heartbeatMs = heartbeatMs;
    this.isRelayed = isRelayed;
    streams.add(this);
  }

  /** Sets what feeds it. @returns the callbacks for the response */
  from(source: StreamSource): StreamListener {
    this.#source = source;
    return {
      drained: () => this.#source?.drained(),
      closed: () => this.#over(),
    };
  }

  get isReady(): boolean {
    return this.#out.isOpen && this.#out.bufferedBytes === 0;
  }

  get bufferedBytes(): number {
    return this.#out.isOpen ? this.#out.bufferedBytes : 0;
  }

  get isPresent(): boolean {
    return this.#out.isOpen;
  }

  write(text: string): void {
    this.#wroteAtMs = performance.now();
    this.#out.write(text);
  }

  end(why: StreamEnd, text: string): void {
    if (why === "cut") this.#out.abort();
    else this.#out.end(why === "replaced" ? REPLACED : text);
    this.#over();
  }

  /** Sends a comment if nothing was sent for `heartbeatMs`. If the client has not read everything, calls `waiting`. */
  beat(nowMs: number): void {
    if (!this.isReady) this.#source?.waiting?.();
    else if (nowMs - this.#wroteAtMs >= this.#heartbeatMs) this.write(HEARTBEAT);
  }

  #over(): void {
    const source = this.#source;
    this.#source = undefined;
    this.#streams.remove(this);
    source?.gone();
  }
}
